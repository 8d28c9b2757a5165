#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/head/decoder_pass.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/objective/sample.hpp>
#include <mae/series/quantiles.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Levels of quantiles that a model learns: few, and known to kernels by value.
struct quantile_levels {
  static constexpr std::size_t most = 16;

  std::array<double, most> values = {};
  index_t count = 0;

  /// Throws config_error unless there are up to 16 that rise in (0, 1).
  static quantile_levels of(std::vector<double> const& levels) {
    require_levels(levels);
    if (levels.size() > most)
      throw config_error("a model learns 16 quantiles at most, not " +
                         std::to_string(levels.size()));
    quantile_levels found{.count = std::ssize(levels)};
    std::copy(levels.begin(), levels.end(), found.values.begin());
    return found;
  }
  std::vector<double> list() const { return {values.begin(), values.begin() + count}; }
  /// "0.1,0.5,0.9"
  std::string text() const {
    std::string all;
    for (double const level : list()) (all += all.empty() ? "" : ",") += decimal_text(level);
    return all;
  }
};

inline namespace MAE_ISA {

namespace kernel {

/// Twice the quantile loss (Koenker and Bassett 1978) of a row of predictions, (levels, P), for its
/// target (P): of level a, 2 max(a d, (a - 1) d) of what the target is above the prediction; that
/// of 0.5 is the magnitude. The mean over levels and values.
template <class T>
struct quantile_loss_row {
  matrix_view<T const> prediction;
  matrix_view<T const> target;
  T* losses;
  quantile_levels levels;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const p = prediction.data + row * prediction.stride;
    T const* const t = target.data + row * target.stride;
    index_t const values = target.cols;
    quantile_levels const& of = levels;
    T const sum = block.template sum<T>(prediction.cols, [&](index_t i) {
      T const level = static_cast<T>(of.values[static_cast<std::size_t>(i / values)]);
      T const above = t[i % values] - p[i];
      return T{2} * above * (above > T{0} ? level : level - T{1});
    });
    block.single([&] { losses[row] = sum / static_cast<T>(prediction.cols); });
  }
};

template <class T>
struct quantile_loss_row_grad {
  matrix_view<T const> prediction;
  matrix_view<T const> target;
  matrix_view<T> grad;
  quantile_levels levels;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const p = prediction.data + row * prediction.stride;
    T const* const t = target.data + row * target.stride;
    T* const d = grad.data + row * grad.stride;
    index_t const values = target.cols;
    quantile_levels const& of = levels;
    T const scale = T{2} / static_cast<T>(prediction.cols);
    block.for_each(prediction.cols, [&](index_t i) {
      T const level = static_cast<T>(of.values[static_cast<std::size_t>(i / values)]);
      T const above = t[i % values] - p[i];
      d[i] = above == T{0} ? T{0} : above > T{0} ? -scale * level : scale * (T{1} - level);
    });
  }
};

}  // namespace kernel

}  // namespace MAE_ISA

template <Lane L>
class quantile_painter_pass;

/// A painter of quantiles: its decoder predicts, for each value of a target patch, as many as there
/// are levels. They may cross; whoever reads them sorts them.
struct quantile_painter : painter {
  template <Lane L>
  using pass = quantile_painter_pass<L>;

  static constexpr bool weighs_rows = false;  // its pass is not a painter's

  quantile_levels levels = {};

  /// For patches of `values` values.
  static quantile_painter of(model_config const& config,
                             index_t values,
                             quantile_levels const& levels) {
    return {{.sizes = decoder_sizes::of(config, values * levels.count)}, levels};
  }

  /// Throws config_error as a painter, and for a weight of visible patches.
  void require_valid() const {
    painter::require_valid();
    if (visible_weight > 0)
      throw config_error(
          "quantiles are learnt of hidden patches alone: the weight of visible ones "
          "must be 0, it is " +
          decimal_text(visible_weight));
  }
  index_t label_width() const { return sizes.target_width / levels.count; }
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> rows) const {
    for (index_t i = 0; i < rows.rows; ++i) {
      auto const patch = image.patches.row(image.targets[static_cast<std::size_t>(i)]);
      std::copy(patch.begin(), patch.end(), rows.row(i).begin());
    }
  }
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    double sum = 0;
    for (index_t i = 0; i < labels.rows; ++i)
      for (auto const value : labels.row(i))
        for (double const level : levels.list()) {
          auto const above = static_cast<double>(value);
          sum += 2 * above * (above > 0 ? level : level - 1);
        }
    return sum / static_cast<double>(sizes.target_width);
  }
  settings_list settings() const { return {{"levels", levels.text()}}; }
};
static_assert(Head<quantile_painter>);

/// A painter of quantiles on a lane.
template <Lane L>
class quantile_painter_pass {
  using T = scalar_of<L>;

 public:
  static quantile_painter_pass carve(carver<T>& memory,
                                     quantile_painter const& head,
                                     shard_capacity const& room,
                                     pass_kind kind) {
    quantile_painter_pass pass;
    pass.head_ = head;
    pass.keep_ = decoder_activations<L>::carve(memory, head.sizes, room, kind);
    if (kind == pass_kind::training)
      pass.grads_ = decoder_gradients<L>::carve(memory, head.sizes, room);
    return pass;
  }

  /// losses (M), of each of the shard's targets. in.labels (M, P).
  void forward(head_input<L> const& in,
               decoder_operands<L> const& weights,
               std::span<T> losses) const {
    auto const predicted =
        decoder_forward(in.lane, context(in), weights, in.shard, in.tokens, keep_);
    in.lane.for_rows(
        predicted.rows,
        kernel::quantile_loss_row<T>{predicted, in.labels, losses.data(), head_.levels});
  }

  /// Writes the tokens' gradient, and adds those of all the decoder's weights.
  void backward(head_input<L> const& in,
                decoder_operands<L> const& weights,
                matrix_view<T> tokens_grad,
                decoder_weights<T> const& weights_grad) const {
    auto const predicted = keep_.prediction.middle_rows(0, in.shard.num_targets());
    in.lane.for_rows(
        predicted.rows,
        kernel::quantile_loss_row_grad<T>{predicted, in.labels, predicted, head_.levels});
    decoder_backward(in, context(in), weights, keep_, grads_, predicted, tokens_grad, weights_grad);
  }

 private:
  block_context<T> context(head_input<L> const& in) const {
    return {in.shard.decoder_offsets, head_.sizes.stack.heads, in.norm_epsilon, in.scratch};
  }

  quantile_painter head_;
  decoder_activations<L> keep_;
  decoder_gradients<L> grads_;
};

}  // namespace mae
