#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/part.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

template <Lane L>
using block_operands = block_weights<scalar_of<L> const, linear_operands<L>>;
template <Lane L>
using encoder_operands = encoder_weights<scalar_of<L> const, linear_operands<L>>;

/// What a pass is for: inference keeps one block's activations and uses them for every block.
enum class pass_kind { training, inference };

namespace detail {

/// Makes a lane's room for the products of a network: of weights' gradients and of attention.
template <Lane L, class... Heads>
void reserve_products(L& lane,
                      network_parts<Heads...> const& parts,
                      shard_capacity const& room,
                      pass_kind kind) {
  auto const most = largest_products(parts, room);
  lane.reserve_products(most.rows, most.width);
  if (kind == pass_kind::inference) return;
  lane.reserve_transposed(most.rows, most.width);
  lane.reserve_transposed(most.tokens, std::max(most.tokens, most.width));
}

/// Linear layers' weights packed in one block of memory: all that does not depend on which heads a
/// network has, so that it is compiled once a backend.
template <Backend B>
class packed_layers {
  using L = typename B::lane;
  using T = typename B::scalar;
  using cell = typename L::cell;
  using packing = weight_packing<L>;
  using cell_buffer = typename B::template buffer_of<cell>;

  struct layer {
    matrix_view<T const> weight;
    cell* forward;
    cell* backward;  // none for inference
  };

 public:
  explicit packed_layers(pass_kind kind) : kind_(kind) {
    if constexpr (!packing::is_for_training)
      if (kind == pass_kind::training)
        throw config_error(
            "this backend's weights are packed for inference alone: train with another, and take "
            "its encoder");
  }

  /// Sees each layer's weights where they will be packed, and the rest as it is. Without memory it
  /// only counts the cells.
  class packing_walk {
   public:
    packing_walk(pass_kind kind, cell* memory) : kind_(kind), memory_(memory) {}

    void begin(std::string_view /*segment*/) {}
    void enter(char const* /*stack*/, index_t /*block*/) {}
    void leave() {}
    void norm(char const* /*name*/,
              index_t /*width*/,
              norm_weights<T const> const& from,
              norm_weights<T const>& to) {
      to = from;
    }
    void token(char const* /*name*/,
               index_t /*width*/,
               std::span<T const> const& from,
               std::span<T const>& to) {
      to = from;
    }
    void positions(char const* /*name*/,
                   index_t /*patches*/,
                   index_t /*width*/,
                   matrix_view<T const> const& from,
                   matrix_view<T const>& to) {
      to = from;
    }
    void table(char const* /*name*/,
               index_t /*rows*/,
               index_t /*width*/,
               matrix_view<T const> const& from,
               matrix_view<T const>& to) {
      to = from;
    }
    void patch_projection(char const* name,
                          model_config const& config,
                          linear_weights<T const> const& from,
                          linear_operands<L>& to) {
      linear(name, config.encoder.width, config.patch_values(), from, to);
    }
    void linear(char const* /*name*/,
                index_t out,
                index_t in,
                linear_weights<T const> const& from,
                linear_operands<L>& to) {
      cell* const forward = take(packing::cells(in, out));
      cell* const backward =
          kind_ == pass_kind::training ? take(L::packed_cells(out, in)) : nullptr;
      layers.push_back({from.weight, forward, backward});
      to = {.forward = packing::at(forward, in, out),
            .backward = L::packed_at(backward, out, in),
            .bias = from.bias};
    }

    index_t used = 0;
    std::vector<layer> layers;

   private:
    cell* take(index_t cells) {
      cell* const place = memory_ == nullptr ? nullptr : memory_ + used;
      used += cells;
      return place;
    }

    pass_kind kind_;
    cell* memory_;
  };

  /// Places what walk(packing_walk&) tells of, once to count the cells and once to see them.
  template <class Walk>
  void place(Walk const& walk) {
    memory_ = {};
    packing_walk count(kind_, nullptr);
    walk(count);
    memory_ = cell_buffer(count.used);
    packing_walk at(kind_, memory_.data());
    walk(at);
    layers_ = std::move(at.layers);
  }

  /// Packs the values as they are now, all cores at once.
  void pack(B const& backend) const {
    backend.for_each(std::ssize(layers_), [&](index_t i, int /*worker*/) {
      auto const& mine = layers_[static_cast<std::size_t>(i)];
      L const lane = backend.make_lane();
      packing::pack(lane, mine.weight, mine.forward);
      if (mine.backward != nullptr) lane.pack(mine.weight, mine.backward);
    });
  }

 private:
  pass_kind kind_;
  cell_buffer memory_;
  std::vector<layer> layers_;
};

}  // namespace detail

/// The weights of a network's linear layers, packed as products read them: W^T for the forward pass
/// and, for training, W for the backward pass. Reads each weight matrix once an update, all cores
/// at once.
template <Backend B, class... Heads>
class prepared_weights {
  using L = typename B::lane;
  using T = typename B::scalar;

 public:
  explicit prepared_weights(pass_kind kind) : layers_(kind) {}

  /// Packs the values as they are now. What it returns stays valid until the next call; it
  /// allocates only for other tensors than the last time, which must not lie in the same memory.
  network_operands<L, Heads...> const& update(network_parts<Heads...> const& parts,
                                              network_weights<T const, Heads...> const& weights,
                                              B const& backend) {
    auto const* const place = weights.encoder.patch_embed.weight.data;
    if (place != bound_to_) {
      bound_to_ = nullptr;
      operands_ = {};
      layers_.place([&](auto& at) { parts.walk(at, weights, operands_); });
      bound_to_ = place;
    }
    layers_.pack(backend);
    return operands_;
  }

 private:
  T const* bound_to_ = nullptr;  // another model's tensors begin elsewhere
  detail::packed_layers<B> layers_;
  network_operands<L, Heads...> operands_;
};

}  // namespace mae
