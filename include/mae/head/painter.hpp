#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/head/decoder_pass.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/objective/objective.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/row_marks.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace mae {

template <Lane L>
class painter_pass;

/// The head that paints what is masked (He et al. 2021, arXiv 2111.06377): a decoder predicts each
/// target patch, and a loss compares it with its label. Knows nothing of what the labels show: that
/// is an objective's.
struct painter {
  template <class T, class Linear>
  using weights = decoder_weights<T, Linear>;
  template <Lane L>
  using pass = painter_pass<L>;

  static constexpr std::string_view name = decoder_segment;
  /// What of an image is painted where all of it is to be seen.
  static constexpr predicted_patches paints = predicted_patches::all_present;
  static constexpr bool weighs_rows = true;

  decoder_sizes sizes;
  patch_loss loss = {};
  /// By how much, beside a hidden patch, a visible one counts in the gradient; 0: it is not
  /// predicted. The loss that is reported is that of hidden patches.
  double visible_weight = 0;

  /// Throws config_error for a smooth_l1 whose beta is not positive and finite, and for a weight
  /// that is not finite or below 0.
  void require_valid() const {
    if (!(visible_weight >= 0) || !std::isfinite(visible_weight))
      throw config_error("the weight of visible patches must be finite and not below 0, it is " +
                         decimal_text(visible_weight));
    if (loss.of == patch_loss::kind::smooth_l1 && (!(loss.beta > 0) || !std::isfinite(loss.beta)))
      throw config_error("smooth_l1's beta must be positive and finite, it is " +
                         decimal_text(loss.beta));
  }

  template <class Walk, class... Decoders>
  void walk(Walk& at, Decoders&... of) const {
    walk_decoder(at, sizes, of...);
  }
  predicted_patches predicts() const {
    return visible_weight > 0 ? predicted_patches::all_present : predicted_patches::targets;
  }
  /// Targets, and their marks behind them where visible patches count (target_labels).
  index_t label_rows(shard_capacity const& room) const {
    return visible_weight > 0 ? room.decoder_rows - room.images : room.targets;
  }
  index_t label_width() const { return sizes.target_width + (visible_weight > 0 ? 1 : 0); }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    if (visible_weight == 0) return labels.rows;
    index_t count = 0;
    for (index_t row = 0; row < labels.rows; ++row)
      count += labels(row, sizes.target_width) > T{0} ? 1 : 0;
    return count;
  }
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    if (visible_weight == 0) return mae::loss_of_zero(loss, labels);
    double sum = 0;
    for (index_t row = 0; row < labels.rows; ++row)
      if (labels(row, sizes.target_width) > T{0})
        sum += mae::loss_of_zero(
            loss, matrix_view<T const>(labels.row(row).data(), 1, sizes.target_width));
    return sum;
  }
  /// Nothing where visible patches do not count.
  settings_list training_settings() const {
    if (visible_weight == 0) return {};
    return {{"visible_loss", decimal_text(visible_weight)}};
  }
  product_extents extents(shard_capacity const& room) const {
    auto const& stack = sizes.stack;
    return {.width = std::max({3 * stack.width, stack.hidden(), sizes.target_width}),
            .rows = room.decoder_rows,
            .tokens = room.longest_decoder_sequence};
  }
  template <Lane L>
  index_t scratch_size(shard_capacity const& room, int members) const {
    auto const& stack = sizes.stack;
    return attention_scratch_size<L>({room.decoder_rows,
                                      room.longest_decoder_sequence,
                                      stack.heads,
                                      stack.width / stack.heads,
                                      members});
  }
};
static_assert(Head<painter>);

/// A painter on a lane: the decoder and its loss.
template <Lane L>
class painter_pass {
  using T = scalar_of<L>;

 public:
  static painter_pass carve(carver<T>& memory,
                            painter const& head,
                            shard_capacity const& room,
                            pass_kind kind) {
    painter_pass pass;
    pass.head_ = head;
    pass.keep_ = decoder_activations<L>::carve(memory, head.sizes, room, kind);
    if (kind == pass_kind::inference) return pass;
    pass.grads_ = decoder_gradients<L>::carve(memory, head.sizes, room);
    return pass;
  }

  /// Predicts the targets of a shard: (M, target width) in the order of shard.target_patches, valid
  /// until the backward pass, which overwrites it.
  matrix_view<T> predict(head_input<L> const& in, decoder_operands<L> const& weights) const {
    return decoder_forward(in.lane, context(in), weights, in.shard, in.tokens, keep_);
  }
  /// The prediction of the forward pass just done.
  matrix_view<T> prediction(shard_view const& shard) const {
    return keep_.prediction.middle_rows(0, shard.num_targets());
  }

  /// losses (M), of each of the shard's targets, 0 of what is visible. in.labels (M, target width),
  /// or (M, target width + 1) with marks.
  void forward(head_input<L> const& in,
               decoder_operands<L> const& weights,
               std::span<T> losses) const {
    patch_loss_forward(in.lane, head_.loss, predict(in, weights), targets(in), losses);
    if (head_.visible_weight > 0) keep_counted_losses(in.lane, marks(in), losses);
  }

  /// Writes the tokens' gradient, and adds those of all the decoder's weights. add(prediction_grad)
  /// adds what another learns from the prediction.
  template <class... Add>
  void backward(head_input<L> const& in,
                decoder_operands<L> const& weights,
                matrix_view<T> tokens_grad,
                decoder_weights<T> const& weights_grad,
                Add const&... add) const {
    auto const predicted = prediction(in.shard);
    patch_loss_backward(in.lane, head_.loss, predicted, targets(in), predicted, in.row_weights);
    if (head_.visible_weight > 0) weigh_rows(in.lane, marks(in), predicted);
    (add(predicted), ...);
    decoder_backward(in, context(in), weights, keep_, grads_, predicted, tokens_grad, weights_grad);
  }

 private:
  matrix_view<T const> targets(head_input<L> const& in) const {
    return in.labels.middle_cols(0, head_.sizes.target_width);
  }
  matrix_view<T const> marks(head_input<L> const& in) const {
    return in.labels.middle_cols(head_.sizes.target_width, 1);
  }
  block_context<T> context(head_input<L> const& in) const {
    return {in.shard.decoder_offsets, head_.sizes.stack.heads, in.norm_epsilon, in.scratch};
  }

  painter head_;
  decoder_activations<L> keep_;
  decoder_gradients<L> grads_;
};

/// The network of a masked autoencoder.
template <Backend B>
using painter_network = network_pass<B, painter>;

/// Its parts. Throws config_error for an epsilon that cannot be used.
inline network_parts<painter> painter_parts(model_config const& config,
                                            index_t target_width,
                                            double norm_epsilon = 1e-6,
                                            patch_loss const& loss = {}) {
  return {config,
          checked_norm_epsilon(norm_epsilon),
          {painter{decoder_sizes::of(config, target_width), loss}}};
}

}  // namespace mae
