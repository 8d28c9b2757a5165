#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mae {

/// Views of a block's tensors within a flat array: of values (T const) or gradients (T). `Linear`
/// is what its linear layers are seen as: their tensors, or what products read of them.
template <class T, class Linear = linear_weights<T>>
struct block_weights {
  norm_weights<T> norm1;
  Linear qkv;   // (3 D, D)
  Linear proj;  // (D, D)
  norm_weights<T> norm2;
  Linear fc1;  // (hidden, D)
  Linear fc2;  // (D, hidden)
};

template <class T, class Linear = linear_weights<T>>
struct encoder_weights {
  Linear patch_embed;        // (D, P)
  std::span<T> class_token;  // (D)
  matrix_view<T> positions;  // (N + 1, D)
  std::vector<block_weights<T, Linear>> blocks;
  norm_weights<T> norm;
  matrix_view<T> levels;  // (L, D), of visible patches' density; or none
};

/// Finds tensors by name in a flat array that has the given layout, and sees them in a walk's
/// object. Gradients (T not const) have no view of a table of positions that is fixed.
template <class T>
class tensor_binder {
 public:
  tensor_binder(parameter_layout const& layout, T* base) : layout_(layout), base_(base) {}

  std::span<T> vector(std::string const& name) const {
    auto const& tensor = layout_.find(name);
    return {base_ + tensor.offset, static_cast<std::size_t>(tensor.size())};
  }

  void begin(std::string_view /*segment*/) {}
  void enter(char const* stack, index_t block) { prefix_ = block_prefix(stack, block); }
  void leave() { prefix_.clear(); }
  void norm(char const* name, index_t /*width*/, norm_weights<T>& of) const {
    of = {vector(prefix_ + name + ".weight"), vector(prefix_ + name + ".bias")};
  }
  void linear(char const* name, index_t out, index_t /*in*/, linear_weights<T>& of) const {
    of = {matrix(prefix_ + name + ".weight", out), vector(prefix_ + name + ".bias")};
  }
  void token(char const* name, index_t /*width*/, std::span<T>& of) const {
    of = vector(prefix_ + name);
  }
  void positions(char const* name, index_t patches, index_t /*width*/, matrix_view<T>& of) const {
    bool const is_fixed = layout_.find(prefix_ + name).kind == tensor_kind::buffer;
    if (std::is_const_v<T> || !is_fixed) of = matrix(prefix_ + name, patches + 1);
  }
  void table(char const* name, index_t rows, index_t /*width*/, matrix_view<T>& of) const {
    of = matrix(prefix_ + name, rows);
  }
  void patch_projection(char const* name, model_config const& config, linear_weights<T>& of) const {
    linear(name, config.encoder.width, config.patch_values(), of);
  }

 private:
  /// A matrix of `rows` rows, whatever the tensor's dimensions.
  matrix_view<T> matrix(std::string const& name, index_t rows) const {
    auto const& tensor = layout_.find(name);
    return {base_ + tensor.offset, rows, tensor.size() / rows};
  }

  parameter_layout const& layout_;
  T* base_;
  std::string prefix_;
};

/// Views of the encoder's tensors in `base`, a flat array of this layout.
template <class T>
encoder_weights<T> bind_encoder(parameter_layout const& layout,
                                model_config const& config,
                                T* base) {
  tensor_binder<T> at(layout, base);
  encoder_weights<T> bound;
  walk_encoder(at, config, bound);
  return bound;
}

}  // namespace mae
