#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/model/layout.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>

#include <span>
#include <string>
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
};

template <class T, class Linear = linear_weights<T>>
struct decoder_weights {
  Linear embed;              // (d, D)
  std::span<T> mask_token;   // (d)
  matrix_view<T> positions;  // (N + 1, d)
  std::vector<block_weights<T, Linear>> blocks;
  norm_weights<T> norm;
  Linear head;  // (target width, d)
};

/// Views of all of a model's tensors: of values (T const) or of gradients (T).
template <class T, class Linear = linear_weights<T>>
struct network_weights {
  encoder_weights<T, Linear> encoder;
  decoder_weights<T, Linear> decoder;
};

/// Finds tensors by name in a flat array that has the given layout.
template <class T>
class tensor_binder {
 public:
  tensor_binder(parameter_layout const& layout, T* base) : layout_(layout), base_(base) {}

  std::span<T> vector(std::string const& name) const {
    auto const& tensor = layout_.find(name);
    return {base_ + tensor.offset, static_cast<std::size_t>(tensor.size())};
  }
  /// A matrix of `rows` rows, whatever the tensor's dimensions.
  matrix_view<T> matrix(std::string const& name, index_t rows) const {
    auto const& tensor = layout_.find(name);
    return {base_ + tensor.offset, rows, tensor.size() / rows};
  }
  linear_weights<T> linear(std::string const& name, index_t out) const {
    return {matrix(name + ".weight", out), vector(name + ".bias")};
  }
  norm_weights<T> norm(std::string const& name) const {
    return {vector(name + ".weight"), vector(name + ".bias")};
  }
  std::vector<block_weights<T>> blocks(std::string const& prefix, stack_config const& stack) const {
    std::vector<block_weights<T>> bound;
    for (index_t i = 0; i < stack.depth; ++i) {
      std::string const block = prefix + std::to_string(i) + ".";
      bound.push_back({.norm1 = norm(block + "norm1"),
                       .qkv = linear(block + "attn.qkv", 3 * stack.width),
                       .proj = linear(block + "attn.proj", stack.width),
                       .norm2 = norm(block + "norm2"),
                       .fc1 = linear(block + "mlp.fc1", stack.hidden()),
                       .fc2 = linear(block + "mlp.fc2", stack.width)});
    }
    return bound;
  }

 private:
  parameter_layout const& layout_;
  T* base_;
};

/// Views of the encoder's tensors in `base`, a flat array of this layout.
template <class T>
encoder_weights<T> bind_encoder(parameter_layout const& layout,
                                model_config const& config,
                                T* base) {
  tensor_binder<T> const bind(layout, base);
  return {.patch_embed = bind.linear("patch_embed.proj", config.encoder.width),
          .class_token = bind.vector("cls_token"),
          .positions = bind.matrix("pos_embed", config.num_patches() + 1),
          .blocks = bind.blocks("blocks.", config.encoder),
          .norm = bind.norm("norm")};
}

/// Views of the decoder's tensors in `base`, a flat array of this layout.
template <class T>
decoder_weights<T> bind_decoder(parameter_layout const& layout,
                                model_config const& config,
                                T* base) {
  tensor_binder<T> const bind(layout, base);
  auto const head = bind.vector("decoder_pred.bias");
  return {.embed = bind.linear("decoder_embed", config.decoder.width),
          .mask_token = bind.vector("mask_token"),
          .positions = bind.matrix("decoder_pos_embed", config.num_patches() + 1),
          .blocks = bind.blocks("decoder_blocks.", config.decoder),
          .norm = bind.norm("decoder_norm"),
          .head = bind.linear("decoder_pred", static_cast<index_t>(head.size()))};
}

}  // namespace mae
