#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/part.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <span>
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
  network_operands<L> const& update(model_config const& config,
                                    network_weights<T const> const& weights,
                                    B const& backend) {
    return update(config, weights.encoder, &weights.decoder, backend);
  }
  /// The same for an encoder alone.
  encoder_operands<L> const& update(model_config const& config,
                                    encoder_weights<T const> const& weights,
                                    B const& backend) {
    return update(config, weights, nullptr, backend).encoder;
  }

 private:
  struct layer {
    matrix_view<T const> weight;
    cell* forward;
    cell* backward;  // none for inference
  };

  network_operands<L> const& update(model_config const& config,
                                    encoder_weights<T const> const& encoder,
                                    decoder_weights<T const> const* decoder,
                                    B const& backend) {
    if (tensors_of(encoder, decoder) != bound_to_) bind(config, encoder, decoder);
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

  /// Sees each layer's weights where they will be packed, and the rest as it is. Without memory it
  /// only counts the cells.
  class packing_walk {
   public:
    packing_walk(pass_kind kind, cell* memory) : kind_(kind), memory_(memory) {}

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
      cell* const forward = take(L::packed_cells(in, out));
      cell* const backward =
          kind_ == pass_kind::training ? take(L::packed_cells(out, in)) : nullptr;
      layers.push_back({from.weight, forward, backward});
      to = {.forward = L::packed_transposed_at(forward, in, out),
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

  /// Counts the cells of all layers, then places them.
  void bind(model_config const& config,
            encoder_weights<T const> const& encoder,
            decoder_weights<T const> const* decoder) {
    bound_to_ = {};
    operands_ = {};
    auto const walk = [&](packing_walk at) {
      walk_encoder(at, config, encoder, operands_.encoder);
      if (decoder != nullptr)
        walk_decoder(at, config, std::ssize(decoder->head.bias), *decoder, operands_.decoder);
      return at;
    };
    memory_ = {};
    memory_ = cell_buffer(walk({kind_, nullptr}).used);
    layers_ = walk({kind_, memory_.data()}).layers;
    bound_to_ = tensors_of(encoder, decoder);
  }

  pass_kind kind_;
  tensor_places bound_to_{};
  cell_buffer memory_;
  std::vector<layer> layers_;
  network_operands<L> operands_;
};

}  // namespace mae
