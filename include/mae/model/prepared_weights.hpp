#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/model/weights.hpp>
#include <mae/op/linear.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace mae {

template <Lane L>
using block_operands = block_weights<scalar_of<L> const, linear_operands<L>>;
template <Lane L>
using encoder_operands = encoder_weights<scalar_of<L> const, linear_operands<L>>;
template <Lane L>
using decoder_operands = decoder_weights<scalar_of<L> const, linear_operands<L>>;
template <Lane L>
using network_operands = network_weights<scalar_of<L> const, linear_operands<L>>;

/// What a pass is for: inference keeps one block's activations and uses them for every block.
enum class pass_kind { training, inference };

/// The weights of a network's linear layers, packed as products read them: W^T for the forward pass
/// and, for training, W for the backward pass. Reads each weight matrix once an update, all cores
/// at once.
template <Backend B>
class prepared_weights {
  using L = typename B::lane;
  using T = typename B::scalar;
  using cell = typename L::cell;
  using cell_buffer = typename B::template buffer_of<cell>;

 public:
  explicit prepared_weights(pass_kind kind) : kind_(kind) {}

  /// Packs the values as they are now. What it returns stays valid until the next call; it
  /// allocates only for other tensors than the last time, which must not lie in the same memory.
  network_operands<L> const& update(network_weights<T const> const& weights, B const& backend) {
    return update(weights.encoder, &weights.decoder, backend);
  }
  /// The same for an encoder alone.
  encoder_operands<L> const& update(encoder_weights<T const> const& weights, B const& backend) {
    return update(weights, nullptr, backend).encoder;
  }

 private:
  struct layer {
    matrix_view<T const> weight;
    cell* forward;
    cell* backward;  // none for inference
  };

  network_operands<L> const& update(encoder_weights<T const> const& encoder,
                                    decoder_weights<T const> const* decoder,
                                    B const& backend) {
    if (tensors_of(encoder, decoder) != bound_to_) bind(encoder, decoder);
    backend.for_lanes(std::ssize(layers_), [&](index_t i, int /*worker*/) {
      auto const& mine = layers_[static_cast<std::size_t>(i)];
      L const lane = backend.make_lane();
      lane.pack_transposed(mine.weight, mine.forward);
      if (mine.backward != nullptr) lane.pack(mine.weight, mine.backward);
    });
    return operands_;
  }

  /// Where an encoder's and a decoder's tensors begin: another model has others.
  using tensor_places = std::array<T const*, 2>;
  static tensor_places tensors_of(encoder_weights<T const> const& encoder,
                                  decoder_weights<T const> const* decoder) {
    return {encoder.patch_embed.weight.data,
            decoder == nullptr ? nullptr : decoder->embed.weight.data};
  }

  /// Counts the cells of all layers, then places them.
  void bind(encoder_weights<T const> const& encoder, decoder_weights<T const> const* decoder) {
    bound_to_ = {};
    memory_ = {};
    operands_ = {};
    for (bool const placing : {false, true}) {
      if (placing) memory_ = cell_buffer(used_);
      used_ = 0;
      layers_.clear();
      operands_.encoder = bind(encoder);
      if (decoder != nullptr) operands_.decoder = bind(*decoder);
    }
    bound_to_ = tensors_of(encoder, decoder);
  }

  encoder_operands<L> bind(encoder_weights<T const> const& weights) {
    return {.patch_embed = bind(weights.patch_embed),
            .class_token = weights.class_token,
            .positions = weights.positions,
            .blocks = bind(weights.blocks),
            .norm = weights.norm};
  }
  decoder_operands<L> bind(decoder_weights<T const> const& weights) {
    return {.embed = bind(weights.embed),
            .mask_token = weights.mask_token,
            .positions = weights.positions,
            .blocks = bind(weights.blocks),
            .norm = weights.norm,
            .head = bind(weights.head)};
  }
  std::vector<block_operands<L>> bind(std::vector<block_weights<T const>> const& blocks) {
    std::vector<block_operands<L>> bound;
    for (auto const& block : blocks)
      bound.push_back({.norm1 = block.norm1,
                       .qkv = bind(block.qkv),
                       .proj = bind(block.proj),
                       .norm2 = block.norm2,
                       .fc1 = bind(block.fc1),
                       .fc2 = bind(block.fc2)});
    return bound;
  }
  linear_operands<L> bind(linear_weights<T const> const& weights) {
    auto const [rows, cols] = std::pair(weights.weight.rows, weights.weight.cols);
    cell* const forward = take(L::packed_cells(cols, rows));
    cell* const backward =
        kind_ == pass_kind::training ? take(L::packed_cells(rows, cols)) : nullptr;
    layers_.push_back({weights.weight, forward, backward});
    return {.forward = L::packed_transposed_at(forward, cols, rows),
            .backward = L::packed_at(backward, rows, cols),
            .bias = weights.bias};
  }
  cell* take(index_t cells) {
    cell* const place = memory_.data() == nullptr ? nullptr : memory_.data() + used_;
    used_ += cells;
    return place;
  }

  pass_kind kind_;
  tensor_places bound_to_{};
  cell_buffer memory_;
  index_t used_ = 0;
  std::vector<layer> layers_;
  network_operands<L> operands_;
};

}  // namespace mae
