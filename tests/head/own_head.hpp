#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/tokens.hpp>

#include <algorithm>
#include <span>
#include <string_view>

namespace mae_test {

using mae::index_t;
using mae::matrix_view;

/// What a regression keeps. B images of a shard, K outputs.
template <mae::Lane L>
struct regression_pass {
  using T = mae::scalar_of<L>;
  using O = mae::operand_of<L>;

  matrix_view<O> class_tokens;     // (B, D)
  matrix_view<T> prediction;       // (B, K), and then its gradient
  matrix_view<O> prediction_grad;  // (B, K), as operands
  matrix_view<T> class_grad;       // (B, D)

  template <class Head>
  static regression_pass carve(mae::carver<T>& memory,
                               Head const& head,
                               mae::shard_capacity const& room,
                               mae::pass_kind /*kind*/) {
    return {.class_tokens = memory.template matrix_of<O>(room.images, head.encoder_width),
            .prediction = memory.matrix(room.images, head.outputs),
            .prediction_grad = memory.template matrix_of<O>(room.images, head.outputs),
            .class_grad = memory.matrix(room.images, head.encoder_width)};
  }

  template <class Operands>
  void forward(mae::head_input<L> const& in, Operands const& weights, std::span<T> losses) const {
    index_t const images = in.shard.images;
    auto const tokens = class_tokens.middle_rows(0, images);
    auto const predicted = prediction.middle_rows(0, images);
    mae::gather_rows_forward(in.lane, in.tokens, class_rows(in), tokens);
    mae::linear_forward(in.lane, tokens, weights.layer, predicted);
    mae::patch_loss_forward(in.lane, {}, predicted, in.labels, losses);
  }

  template <class Operands, class Gradients>
  void backward(mae::head_input<L> const& in,
                Operands const& weights,
                matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    index_t const images = in.shard.images;
    auto const predicted = prediction.middle_rows(0, images);
    auto const grad = class_grad.middle_rows(0, images);
    mae::patch_loss_backward(in.lane, {}, predicted, in.labels, predicted);
    mae::linear_backward(in.lane,
                         class_tokens.middle_rows(0, images),
                         weights.layer,
                         mae::as_operands(in.lane, predicted, prediction_grad),
                         grad,
                         weights_grad.layer);
    mae::gather_rows_backward(in.lane, grad, class_rows(in), tokens_grad);
  }

  /// The encoder rows of the images' class tokens.
  static std::span<index_t const> class_rows(mae::head_input<L> const& in) {
    return in.shard.encoder_offsets.values().first(static_cast<std::size_t>(in.shard.images));
  }
};

/// A head of one's own: predicts K numbers of an image from its class token.
struct regression {
  template <class T, class Linear>
  struct weights {
    Linear layer;  // (K, D)
  };
  template <mae::Lane L>
  using pass = regression_pass<L>;

  static constexpr std::string_view name = "regression";

  index_t encoder_width = 0;
  index_t outputs = 0;

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    at.linear("regression", outputs, encoder_width, of.layer...);
  }
  index_t label_rows(mae::shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return outputs; }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    return labels.rows;
  }
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    return mae::loss_of_zero(mae::patch_loss{}, labels);
  }
  /// Of an image its first pixels' values.
  template <class T>
  void label(mae::image_sample<T> const& image, matrix_view<T> to) const {
    std::copy_n(image.patches.row(0).begin(), outputs, to.row(0).begin());
  }
  mae::product_extents extents(mae::shard_capacity const& room) const {
    return {.width = outputs, .rows = room.images};
  }
};
static_assert(mae::Head<regression>);

}  // namespace mae_test
