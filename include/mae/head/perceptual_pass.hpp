#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/frozen_blocks.hpp>
#include <mae/network/head.hpp>
#include <mae/network/input_gradient.hpp>
#include <mae/network/painted_gradient.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/op/copy_rows.hpp>
#include <mae/op/input_gradients.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/paint_patches.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/set_zero.hpp>

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <span>

namespace mae {

template <Backend B>
struct perceptual;

/// The perceptual distance on a lane: the true picture and the painted one through the frozen
/// encoder, the latter also backward. n images of N patches, R = n (N + 1) rows.
template <Backend B, Lane L>
class perceptual_pass {
  using T = scalar_of<L>;
  static_assert(std::same_as<L, typename B::lane>,
                "mae: a perceptual distance's encoder is of the model's own backend");

 public:
  static perceptual_pass carve(carver<T>& memory,
                               perceptual<B> const& head,
                               shard_capacity const& room,
                               pass_kind kind) {
    perceptual_pass pass;
    pass.encoder_ = head.encoder;
    pass.units_ = head.units;
    auto const& config = head.encoder->config();
    index_t const patches = config.num_patches();
    pass.rows_.reserve(room.images, patches, patches);
    pass.rows_.assign(mask_plan::all_visible(room.images, patches), 0, room.images);
    auto const own = shard_capacity::of(pass.rows_.view());
    pass.keep_ = encoder_activations<L>::carve(memory, config, own, kind);
    pass.picture_ = memory.matrix(own.visible, config.patch_values());
    for (auto* const tokens : {&pass.true_tokens_, &pass.tokens_})
      *tokens = memory.matrix(own.encoder_rows, config.encoder.width);
    pass.statistics_ = memory.matrix(own.encoder_rows, 2);
    if (kind == pass_kind::inference) return pass;
    pass.grads_ = encoder_gradients<L>::carve(memory, config, own);
    pass.output_grad_ = memory.matrix(own.encoder_rows, config.encoder.width);
    return pass;
  }

  /// losses (n), of each image. in.labels (n, N * P): the true pictures; in.painted: what the
  /// painter predicts of hidden patches. Throws config_error where it predicts visible ones too.
  template <class Operands>
  void forward(head_input<L> const& in, Operands const& /*none*/, std::span<T> losses) const {
    require_hidden(in.shard);
    auto const shard = of_images(in.shard.images);
    auto const truth = pictures(in);
    encode(in, shard, truth, true_tokens_);
    auto const picture = picture_.middle_rows(0, truth.rows);
    copy_rows(in.lane, truth, picture);
    paint_patches_forward(in.lane, truth, units_, in.shard.target_patches, in.painted, picture);
    encode(in, shard, picture, tokens_);
    patch_loss_forward(in.lane,
                       {},
                       matrix_view<T const>(of_patches(tokens_, in.shard.images)),
                       matrix_view<T const>(of_patches(true_tokens_, in.shard.images)),
                       losses);
  }

  /// After the forward pass: adds *factor times the gradient of the sum of the losses to that of
  /// what was painted (M, P).
  void add_painted_gradient(head_input<L> const& in,
                            T const* factor,
                            matrix_view<T> painted_grad) const {
    index_t const images = in.shard.images;
    auto const shard = of_images(images);
    index_t const rows = shard.encoder_rows();
    auto const tokens = tokens_.middle_rows(0, rows);
    // In place, but for class tokens, which are not compared.
    patch_loss_backward(in.lane,
                        {},
                        matrix_view<T const>(of_patches(tokens_, images)),
                        matrix_view<T const>(of_patches(true_tokens_, images)),
                        of_patches(tokens_, images));
    set_zero(in.lane, of_class(tokens_, images));
    auto const grad = output_grad_.middle_rows(0, rows);
    set_zero(in.lane, grad);
    layer_norm_backward_input(in.lane,
                              keep_.tokens.middle_rows(0, rows),
                              encoder_->plain_norm(),
                              statistics_.middle_rows(0, rows),
                              tokens,
                              grad);
    auto const picture_grad = picture_.middle_rows(0, shard.num_visible());
    encoder_backward_input(in.lane,
                           context(in, shard),
                           encoder_->operands(),
                           shard,
                           keep_,
                           grads_,
                           grad,
                           picture_grad);
    paint_patches_backward(
        in.lane, pictures(in), units_, in.shard.target_patches, picture_grad, factor, painted_grad);
  }

  /// Of the tokens that the painter gets it knows nothing.
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& /*none*/,
                matrix_view<T> tokens_grad,
                Gradients const& /*none*/) const {
    set_zero(in.lane, tokens_grad);
  }

 private:
  static constexpr T token_epsilon{static_cast<T>(1e-6)};

  static void require_hidden(shard_view const& shard) {
    index_t const present = shard.decoder_rows() - (std::ssize(shard.decoder_offsets.values()) - 1);
    if (shard.num_visible() > 0 && shard.num_targets() > 0 && shard.num_targets() == present)
      throw config_error(
          "a perceptual distance shows visible patches as they are, and the painter predicts them "
          "too: its visible_weight must be 0");
  }

  block_context<T> context(head_input<L> const& in, shard_view const& shard) const {
    return {shard.encoder_offsets,
            encoder_->config().encoder.heads,
            static_cast<T>(encoder_->settings().norm_epsilon),
            in.scratch};
  }
  /// All patches of so many images.
  shard_view of_images(index_t images) const {
    auto const all = rows_.view();
    auto const patches = static_cast<std::size_t>(images * encoder_->config().num_patches());
    auto const count = static_cast<std::size_t>(images);
    shard_view first;
    first.images = images;
    first.visible_patches = all.visible_patches.first(patches);
    first.encoder_offsets =
        row_offsets(all.encoder_offsets.values().first(count + 1), all.encoder_offsets.longest());
    first.encoder_tokens = {all.encoder_tokens.source.first(patches + count),
                            all.encoder_tokens.position.first(patches + count)};
    return first;
  }
  /// The labels, as patches (n * N, P).
  matrix_view<T const> pictures(head_input<L> const& in) const {
    auto const& config = encoder_->config();
    return {in.labels.data, in.labels.rows * config.num_patches(), config.patch_values()};
  }
  /// The last block's tokens of pictures, normalised.
  void encode(head_input<L> const& in,
              shard_view const& shard,
              matrix_view<T const> patches,
              matrix_view<T> tokens) const {
    auto const output =
        encoder_forward(in.lane, context(in, shard), encoder_->operands(), shard, patches, keep_);
    layer_norm_forward(in.lane,
                       output,
                       encoder_->plain_norm(),
                       token_epsilon,
                       tokens.middle_rows(0, output.rows),
                       statistics_.middle_rows(0, output.rows));
  }
  /// An image's tokens in one row, which begins with the class token's.
  matrix_view<T> of_patches(matrix_view<T> tokens, index_t images) const {
    index_t const each = tokens.cols * (encoder_->config().num_patches() + 1);
    return {tokens.data + tokens.cols, images, each - tokens.cols, each};
  }
  matrix_view<T> of_class(matrix_view<T> tokens, index_t images) const {
    index_t const each = tokens.cols * (encoder_->config().num_patches() + 1);
    return {tokens.data, images, tokens.cols, each};
  }

  std::shared_ptr<frozen_blocks<B> const> encoder_;
  painted_units units_;
  shard_rows rows_;  // of as many images as there is room for
  encoder_activations<L> keep_;
  matrix_view<T> picture_;      // (n N, P), then its gradient
  matrix_view<T> true_tokens_;  // (R, D)
  matrix_view<T> tokens_;       // (R, D), then their gradient
  matrix_view<T> statistics_;   // (R, 2), of their norm
  encoder_gradients<L> grads_;
  matrix_view<T> output_grad_;  // (R, D), of the last block
};

}  // namespace mae
