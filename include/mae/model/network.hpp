#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/model/decoder_pass.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/network/workspace.hpp>
#include <mae/op/squared_error.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>

namespace mae {

/// The sizes that a pass is built for. They are run-time values: no network is compiled anew for
/// another configuration, mask or objective.
struct network_sizes {
  model_config config;
  index_t target_width = 0;    // values predicted for a patch
  double norm_epsilon = 1e-6;  // of every layer norm
};

/// Returns a layer norm's epsilon. Throws config_error unless it is positive and finite.
inline double checked_norm_epsilon(double epsilon) {
  if (!(epsilon > 0) || !std::isfinite(epsilon))
    throw config_error("the layer norms' epsilon must be positive and finite, it is " +
                       decimal_text(epsilon));
  return epsilon;
}

/// Room for a pass's largest products, of weights' gradients and of attention.
template <Lane L>
void reserve_for_products(L const& lane,
                          network_sizes const& sizes,
                          shard_capacity const& room,
                          pass_kind kind) {
  auto const& config = sizes.config;
  auto const widest = [](stack_config const& stack) {
    return std::max(3 * stack.width, stack.hidden());
  };
  index_t const width = std::max(
      {widest(config.encoder), widest(config.decoder), config.patch_values(), sizes.target_width});
  index_t const rows = std::max(room.encoder_rows, room.decoder_rows);
  lane.reserve_products(rows, width);
  if (kind == pass_kind::inference) return;
  lane.reserve_transposed(rows, width);
  index_t const tokens = std::max(room.longest_encoder_sequence, room.longest_decoder_sequence);
  lane.reserve_transposed(tokens, std::max(tokens, width));
}

/// Runs an encoder on one shard after the other, and owns the memory for it. Not for training.
template <Backend B>
class encoder_inference {
  using T = typename B::scalar;
  using lane_type = typename B::lane;

 public:
  using backend_type = B;

  encoder_inference(lane_type lane, network_sizes const& sizes)
      : sizes_(sizes), lane_(std::move(lane)) {}

  lane_type const& lane() const { return lane_; }

  /// patches (images * N, P), normalised; returns the tokens after the final norm (R, D), valid
  /// until the next call. Allocates when the shard is larger than all before.
  matrix_view<T> encode(encoder_operands<lane_type> const& weights,
                        shard_view const& shard,
                        matrix_view<T const> patches) {
    fit(shard_capacity::of(shard));
    block_context<T> const context{shard.encoder_offsets,
                                   sizes_.config.encoder.heads,
                                   static_cast<T>(sizes_.norm_epsilon),
                                   scratch_};
    return encoder_forward(lane_, context, weights, shard, patches, keep_);
  }

  /// The first `rows` tokens of the last call before the final norm (R, D); likewise valid.
  matrix_view<T> before_norm(index_t rows) const { return keep_.output.middle_rows(0, rows); }

 private:
  void fit(shard_capacity const& needed) {
    workspace_.fit(needed, [this](carver<T>& memory, shard_capacity const& room) {
      auto const& stack = sizes_.config.encoder;
      keep_ =
          encoder_activations<lane_type>::carve(memory, sizes_.config, room, pass_kind::inference);
      scratch_ = memory.vector(attention_scratch_size<lane_type>({room.encoder_rows,
                                                                  room.longest_encoder_sequence,
                                                                  stack.heads,
                                                                  stack.width / stack.heads,
                                                                  members()}));
      reserve_for_products(lane_, sizes_, room, pass_kind::inference);
    });
  }

  int members() const {
    if constexpr (lane_type::is_parallel)
      return 1;
    else
      return lane_.num_members();
  }

  network_sizes sizes_;
  lane_type lane_;
  pass_workspace<B> workspace_;
  encoder_activations<lane_type> keep_;
  std::span<T> scratch_;
};

/// Runs encoder and decoder on one shard after the other, and owns the memory for it: activations,
/// and, for training, the gradients that live within a pass.
template <Backend B>
class network_pass {
  using T = typename B::scalar;
  using lane_type = typename B::lane;

 public:
  using backend_type = B;

  network_pass(lane_type lane, network_sizes const& sizes, pass_kind kind)
      : sizes_(sizes), kind_(kind), lane_(std::move(lane)) {}

  lane_type const& lane() const { return lane_; }

  /// Makes room, so that later passes of no larger shards allocate nothing.
  void fit(shard_capacity const& needed) {
    workspace_.fit(needed, [this](carver<T>& memory, shard_capacity const& room) {
      carve(memory, room);
      reserve_for_products(lane_, sizes_, room, kind_);
    });
  }

  /// Predicts the targets of a shard: (M, target width) in the order of shard.target_patches,
  /// valid until the next call. patches (images * N, P), normalised.
  matrix_view<T> reconstruct(network_operands<lane_type> const& weights,
                             shard_view const& shard,
                             matrix_view<T const> patches) {
    fit(shard_capacity::of(shard));
    auto const tokens =
        encoder_forward(lane_, encoder_context(shard), weights.encoder, shard, patches, encoder_);
    return decoder_forward(lane_, decoder_context(shard), weights.decoder, shard, tokens, decoder_);
  }

  /// The forward pass: adds to *total, in the backend's memory, the sum over the shard's targets of
  /// the mean squared error of a patch. targets (M, target width).
  void forward(network_operands<lane_type> const& weights,
               shard_view const& shard,
               matrix_view<T const> patches,
               matrix_view<T const> targets,
               double* total) {
    auto const prediction = reconstruct(weights, shard, patches);
    auto const losses = losses_.first(static_cast<std::size_t>(prediction.rows));
    squared_error_forward(lane_, prediction, targets, losses);
    add_losses(lane_, losses, total);
  }

  /// The prediction of the forward pass just done (M, target width); the backward pass overwrites
  /// it.
  matrix_view<T const> prediction(shard_view const& shard) const {
    return decoder_.prediction.middle_rows(0, shard.num_targets());
  }

  /// The backward pass of the forward pass just done: adds the gradient of that sum.
  void backward(network_operands<lane_type> const& weights,
                shard_view const& shard,
                matrix_view<T const> targets,
                network_weights<T> const& weights_grad) {
    assert(kind_ == pass_kind::training);
    auto const rows = shard.encoder_rows();
    auto const tokens = encoder_.tokens.middle_rows(0, rows);
    auto const tokens_grad = tokens_grad_.middle_rows(0, rows);
    auto const prediction = decoder_.prediction.middle_rows(0, shard.num_targets());
    squared_error_backward(lane_, prediction, targets, prediction);
    decoder_backward(lane_,
                     decoder_context(shard),
                     weights.decoder,
                     shard,
                     tokens,
                     decoder_,
                     decoder_block_grads_,
                     decoder_grads_,
                     prediction,
                     tokens_grad,
                     weights_grad.decoder);
    encoder_backward(lane_,
                     encoder_context(shard),
                     weights.encoder,
                     shard,
                     encoder_,
                     encoder_block_grads_,
                     tokens_grad,
                     encoder_rows_grad_.middle_rows(0, rows),
                     weights_grad.encoder);
  }

 private:
  block_context<T> encoder_context(shard_view const& shard) const {
    return {shard.encoder_offsets,
            sizes_.config.encoder.heads,
            static_cast<T>(sizes_.norm_epsilon),
            scratch_};
  }
  block_context<T> decoder_context(shard_view const& shard) const {
    return {shard.decoder_offsets,
            sizes_.config.decoder.heads,
            static_cast<T>(sizes_.norm_epsilon),
            scratch_};
  }

  void carve(carver<T>& memory, shard_capacity const& room) {
    auto const& config = sizes_.config;
    encoder_ = encoder_activations<lane_type>::carve(memory, config, room, kind_);
    decoder_ =
        decoder_activations<lane_type>::carve(memory, config, sizes_.target_width, room, kind_);
    losses_ = memory.vector(room.targets);
    scratch_ = memory.vector(
        std::max(scratch_size(config.encoder, room.encoder_rows, room.longest_encoder_sequence),
                 scratch_size(config.decoder, room.decoder_rows, room.longest_decoder_sequence)));
    if (kind_ == pass_kind::inference) return;
    using block = block_gradients<lane_type>;
    encoder_block_grads_ = block::carve(memory, config.encoder, room.encoder_rows);
    decoder_block_grads_ = block::carve(memory, config.decoder, room.decoder_rows);
    decoder_grads_ = decoder_gradients<lane_type>::carve(memory, config, sizes_.target_width, room);
    tokens_grad_ = memory.matrix(room.encoder_rows, config.encoder.width);
    encoder_rows_grad_ = memory.matrix(room.encoder_rows, config.encoder.width);
  }

  static index_t scratch_size(stack_config const& stack, index_t rows, index_t tokens) {
    return attention_scratch_size<lane_type>(
        {rows, tokens, stack.heads, stack.width / stack.heads});
  }

  network_sizes sizes_;
  pass_kind kind_;
  lane_type lane_;
  pass_workspace<B> workspace_;
  encoder_activations<lane_type> encoder_;
  decoder_activations<lane_type> decoder_;
  std::span<T> losses_;
  std::span<T> scratch_;
  block_gradients<lane_type> encoder_block_grads_;
  block_gradients<lane_type> decoder_block_grads_;
  decoder_gradients<lane_type> decoder_grads_;
  matrix_view<T> tokens_grad_;
  matrix_view<T> encoder_rows_grad_;
};

}  // namespace mae
