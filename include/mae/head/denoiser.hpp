#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/projection_layers.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/copy_rows.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/row_marks.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace mae {

template <Lane L>
class denoiser_pass;

/// The head that takes away the noise on visible patches (training_options::noise), knowing how
/// much there is: of each it predicts the clean pixels x from its token, to which a linear layer
/// adds what the level sigma says, by a layer norm and two linear layers with a GELU between them.
///
/// It predicts x and not the noise, since a clean patch has the same size at every level: no weight
/// by level is needed, and no level is left out where the noise is all there is. The best guess is
/// the mean D(x~) = E[x | x~], and (D(x~) - x~) / sigma^2 the score grad log p_sigma(x~) of noisy
/// images (Tweedie's formula; Vincent 2011, "A connection between score matching and denoising
/// autoencoders"): the smaller sigma, the more a prediction's errors are enlarged in it.
/// Conditioned on log(sigma), as by Karras et al. 2022 (arXiv 2206.00364), by sines and cosines of
/// it.
///
/// Labels (encoder rows, P + level_values + 1): the clean patch, what the level says, and 1 where
/// the row counts; 0 of class tokens, and of all rows of an image without noise.
struct denoiser {
  template <class T, class Linear>
  struct weights {
    Linear level;  // (D, level_values)
    projection_layers::weights<T, Linear> layers;
  };
  template <Lane L>
  using pass = denoiser_pass<L>;

  static constexpr std::string_view name = "denoiser";
  static constexpr bool learns_mixtures = true;  // a mixed image is one of pixels, too
  static constexpr bool learns_noise = true;
  static constexpr index_t level_values = 16;

  index_t hidden = 0;  // values between the layers; 0: twice the encoder's width
  // Of the encoder: see fitted.
  index_t encoder_width = 0;  // D
  index_t patch_values = 0;   // P

  /// The head on top of an encoder of these sizes.
  denoiser fitted(model_config const& config) const {
    denoiser head = *this;
    head.encoder_width = config.encoder.width;
    head.patch_values = config.patch_values();
    if (hidden == 0) head.hidden = 2 * config.encoder.width;
    return head;
  }
  /// Throws config_error for no hidden values, and without the sizes of an encoder.
  void require_valid() const {
    if (hidden < 1)
      throw config_error("a denoiser's layers need hidden values, not " + std::to_string(hidden));
    if (encoder_width < 1 || patch_values < 1)
      throw config_error("a denoiser needs the sizes of its encoder");
  }
  projection_layers layers() const { return {encoder_width, hidden, patch_values}; }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    at.linear("denoiser.level", encoder_width, level_values, of.level...);
    layers().walk(name, at, of.layers...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.encoder_rows; }
  index_t label_width() const { return patch_values + level_values + 1; }
  /// Writes what the head is told of a level above 0: sines and cosines of log(sigma) times 1/4 to
  /// 2^1.5, each sqrt(2) times the one before: the first repeat after a factor of 8e10, the last
  /// tell levels apart that differ by a tenth.
  template <class T>
  static void write_level(double sigma, std::span<T> values) {
    for (index_t k = 0; k < level_values / 2; ++k) {
      double const angle = std::exp2(0.5 * static_cast<double>(k) - 2) * std::log(sigma);
      values[static_cast<std::size_t>(2 * k)] = static_cast<T>(std::sin(angle));
      values[static_cast<std::size_t>(2 * k + 1)] = static_cast<T>(std::cos(angle));
    }
  }
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> rows) const {
    std::fill_n(rows.data, rows.size(), T{0});
    if (image.noise <= 0) return;
    for (index_t row = 1; row < rows.rows; ++row) {
      auto const to = rows.row(row);
      index_t const patch =
          image.visible.empty() ? row - 1 : image.visible[static_cast<std::size_t>(row - 1)];
      auto const clean = image.patches.row(patch);
      std::copy(clean.begin(), clean.end(), to.begin());
      write_level(image.noise,
                  to.subspan(static_cast<std::size_t>(patch_values),
                             static_cast<std::size_t>(level_values)));
      to.back() = T{1};
    }
  }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    index_t count = 0;
    for (index_t row = 0; row < labels.rows; ++row)
      count += labels(row, labels.cols - 1) > T{0} ? 1 : 0;
    return count;
  }
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    double sum = 0;  // rows that do not count are zeros
    for (index_t row = 0; row < labels.rows; ++row)
      sum += mae::loss_of_zero(patch_loss{},
                               matrix_view<T const>(labels.row(row).data(), 1, patch_values));
    return sum;
  }
  settings_list settings() const { return {{"hidden", std::to_string(hidden)}}; }
  product_extents extents(shard_capacity const& room) const {
    product_extents const of_level{.width = std::max(encoder_width, level_values),
                                   .rows = room.encoder_rows};
    return of_level.larger(layers().extents(room.encoder_rows));
  }
};
static_assert(Head<denoiser>);

/// A denoiser on a lane. R encoder rows of a shard.
template <Lane L>
class denoiser_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;
  using operands = denoiser::weights<T const, linear_operands<L>>;
  using gradients = denoiser::weights<T, linear_weights<T>>;

 public:
  static denoiser_pass carve(carver<T>& memory,
                             denoiser const& head,
                             shard_capacity const& room,
                             pass_kind kind) {
    index_t const rows = room.encoder_rows;
    denoiser_pass pass;
    pass.head_ = head;
    pass.levels_ = memory.template matrix_of<O>(rows, denoiser::level_values);
    pass.told_ = memory.matrix(rows, head.encoder_width);
    pass.layers_ = projection_layers_pass<L>::carve(memory, head.layers(), rows, kind);
    pass.predicted_ = memory.matrix(rows, head.patch_values);
    if (kind == pass_kind::inference) return pass;
    pass.told_grad_ = memory.template matrix_of<O>(rows, head.encoder_width);
    return pass;
  }

  /// The clean patches of a shard's visible ones, whose levels in.labels say: (R, P), the rows of
  /// class tokens of no meaning; valid until the backward pass, which overwrites it.
  matrix_view<T> predict(head_input<L> const& in, operands const& weights) const {
    auto const told = told_.middle_rows(0, in.tokens.rows);
    linear_residual_forward(in.lane, levels(in), weights.level, in.tokens, told);
    auto const predicted = predicted_.middle_rows(0, in.tokens.rows);
    layers_.forward(in, weights.layers, told, predicted);
    return predicted;
  }

  /// losses (R): the mean square of each patch's errors, 0 of rows that do not count.
  void forward(head_input<L> const& in, operands const& weights, std::span<T> losses) const {
    patch_loss_forward(in.lane, {}, predict(in, weights), clean(in), losses);
    keep_counted_losses(in.lane, marks(in), losses);
  }

  /// Writes the tokens' gradient, and adds those of the weights.
  void backward(head_input<L> const& in,
                operands const& weights,
                matrix_view<T> tokens_grad,
                gradients const& weights_grad) const {
    auto const predicted = predicted_.middle_rows(0, in.tokens.rows);
    patch_loss_backward(in.lane, {}, predicted, clean(in), predicted);
    weigh_rows(in.lane, marks(in), predicted);
    layers_.backward(in,
                     weights.layers,
                     told_.middle_rows(0, in.tokens.rows),
                     predicted,
                     tokens_grad,
                     weights_grad.layers);
    linear_backward_weights(in.lane,
                            levels_.middle_rows(0, in.tokens.rows),
                            as_operands(in.lane, tokens_grad, told_grad_),
                            weights_grad.level);
  }

 private:
  matrix_view<T const> clean(head_input<L> const& in) const {
    return in.labels.middle_cols(0, head_.patch_values);
  }
  matrix_view<T const> marks(head_input<L> const& in) const {
    return in.labels.middle_cols(in.labels.cols - 1, 1);
  }
  /// Without the gaps between labels' rows.
  matrix_view<O const> levels(head_input<L> const& in) const {
    auto const said = in.labels.middle_cols(head_.patch_values, denoiser::level_values);
    auto const kept = levels_.middle_rows(0, said.rows);
    if constexpr (std::is_same_v<O, T>)
      copy_rows(in.lane, said, kept);
    else
      as_operands(in.lane, said, kept);
    return kept;
  }

  denoiser head_;
  matrix_view<O> levels_;     // (R, level_values), as operands
  matrix_view<T> told_;       // (R, D), tokens and what levels say
  matrix_view<T> predicted_;  // (R, P), then its gradient
  matrix_view<O> told_grad_;  // (R, D), as operands
  projection_layers_pass<L> layers_;
};

}  // namespace mae
