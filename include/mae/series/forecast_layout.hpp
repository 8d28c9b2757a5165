#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/series/resample.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

namespace mae {

/// How wide a period is drawn: stretched, so that any context fits into the left of any picture, as
/// VisionTS does; or as one column of pixels, for a model whose picture has a column for each
/// period of context and horizon, as one that was trained on windows has.
enum class column_rule : std::uint8_t { stretched, one_a_period };

/// How the variables of a series share pictures: each has its own; or one picture shows all of a
/// window, below each other as rows of pixels, or as its channels.
enum class variable_rule : std::uint8_t { each, rows, channels };

/// How a series becomes a picture and a picture a forecast. The defaults differ from VisionTS (Chen
/// et al. 2024, arXiv 2408.17253; the package visionts 1.0.1) where it is the worse.
struct forecast_options {
  index_t context = 0;  // values that are looked at
  index_t horizon = 0;  // values that are forecast
  index_t period = 1;   // values a period: the rows of the picture
  /// What a context's deviation becomes in the picture.
  double contrast = 0.4;
  /// How much of the picture's width the context takes, of its share of context and horizon.
  double alignment = 0.4;
  /// Added to a context's variance. VisionTS has 1e-5, which flattens a series of small numbers.
  double epsilon = 0;
  /// VisionTS picks; of a long context it then reads two periods of many for each pixel.
  shrinking shrinks = shrinking::averaged;
  column_rule columns = column_rule::stretched;
  /// Whether a horizon that does not fit beside the context is forecast in steps, each from the
  /// ones before; otherwise it is refused. VisionTS returns fewer values.
  bool in_steps = true;
  variable_rule together = variable_rule::each;
  index_t variables = 1;  // of a picture

  /// For a model that was trained on windows (series_windows).
  static forecast_options trained(index_t context, index_t horizon, index_t period) {
    return {.context = context,
            .horizon = horizon,
            .period = period,
            .contrast = 1,
            .columns = column_rule::one_a_period};
  }
  /// As the package visionts 1.0.1 does.
  static forecast_options visionts(index_t context, index_t horizon, index_t period) {
    return {.context = context,
            .horizon = horizon,
            .period = period,
            .epsilon = 1e-5,
            .shrinks = shrinking::picked,
            .in_steps = false};
  }
};

/// Where the values of a context and of the horizon after it lie in a picture: a column a period,
/// a row a phase.
struct forecast_layout {
  index_t period = 1;
  index_t padded = 0;        // values before the context, to a whole number of periods
  index_t seen_periods = 0;  // of the context, padded
  index_t seen_patches = 0;  // columns of patches that show the context
  index_t seen_width = 0;    // the same in pixels
  index_t all_periods = 0;   // that the whole picture has room for
  /// The longest horizon that the picture has room for.
  index_t room() const { return (all_periods - seen_periods) * period; }
};

/// Throws config_error for options that cannot be used, whatever the model.
inline void require_valid(forecast_options const& o) {
  auto const require = [](bool holds, std::string const& sentence) {
    if (!holds) throw config_error(sentence);
  };
  require(o.context > 0, "a forecast needs a context of one value at least");
  require(o.horizon > 0, "a forecast needs a horizon of one value at least");
  require(o.period > 0, "a period has one value at least");
  require(o.period <= o.context,
          "the period, " + std::to_string(o.period) + " values, is longer than the context, " +
              std::to_string(o.context) + ": a longer context, or a shorter period");
  require(o.contrast > 0 && std::isfinite(o.contrast), "the contrast must be a number above 0");
  require(o.alignment > 0 && o.alignment <= 1, "the alignment must lie in (0, 1]");
  require(o.epsilon >= 0 && std::isfinite(o.epsilon), "the epsilon must not be below 0");
}

/// The layout of a context and the first `horizon` values after it, whether they fit or not: the
/// arithmetic of stretched columns is VisionTS' own. Throws config_error where columns are not
/// stretched, and the context's do not end with a patch within the picture.
inline forecast_layout layout_for(model_config const& sizes,
                                  forecast_options const& o,
                                  index_t horizon) {
  forecast_layout found{.period = o.period,
                        .padded = round_up(o.context, o.period) - o.context,
                        .seen_periods = ceil_div(o.context, o.period)};
  if (o.columns == column_rule::one_a_period) {
    if (found.seen_periods % sizes.patch.width != 0 || found.seen_periods >= sizes.image.width)
      throw config_error("a context of " + std::to_string(found.seen_periods) +
                         " periods, of a picture of " + std::to_string(sizes.image.width) +
                         " columns: it must be a multiple of the patches' width, " +
                         std::to_string(sizes.patch.width) + ", and leave columns to forecast");
    found.seen_width = found.seen_periods;
    found.seen_patches = found.seen_width / sizes.patch.width;
    found.all_periods = sizes.image.width;
    return found;
  }
  auto const seen = static_cast<double>(found.seen_periods * o.period);
  auto const all = seen + static_cast<double>(round_up(horizon, o.period));
  auto const columns = static_cast<double>(sizes.grid_columns());
  found.seen_patches = std::clamp(static_cast<index_t>(seen / all * columns * o.alignment),
                                  index_t{1},
                                  std::max(sizes.grid_columns() - 1, index_t{1}));
  found.seen_width = found.seen_patches * sizes.patch.width;
  double const periods_a_pixel =
      static_cast<double>(found.seen_periods) / static_cast<double>(found.seen_width);
  found.all_periods = static_cast<index_t>(
      std::nearbyint(static_cast<double>(sizes.image.width) * periods_a_pixel));
  return found;
}

/// The layout of `length` values over the whole of a picture.
inline forecast_layout layout_of_window(model_config const& sizes, index_t period, index_t length) {
  return {.period = period,
          .padded = round_up(length, period) - length,
          .seen_periods = ceil_div(length, period),
          .seen_patches = sizes.grid_columns(),
          .seen_width = sizes.image.width,
          .all_periods = ceil_div(length, period)};
}

/// The horizon of a step: all of it where it fits. Throws config_error where not and `in_steps` is
/// false, or where there is no room for a single period.
inline index_t step_horizon(model_config const& sizes, forecast_options const& o) {
  require_valid(o);
  index_t horizon = o.horizon;
  while (true) {
    auto const layout = layout_for(sizes, o, horizon);
    if (layout.room() >= horizon) return horizon;
    if (!o.in_steps || layout.room() < 1)
      throw config_error("a horizon of " + std::to_string(horizon) + " values needs " +
                         std::to_string(ceil_div(horizon, o.period)) + " periods of " +
                         std::to_string(o.period) +
                         " beside the context, whose picture has room for " +
                         std::to_string(layout.room() / o.period) +
                         (layout.room() < 1 ? ": a longer context or a lower alignment makes room"
                                            : ": a longer context, a shorter horizon, or steps"));
    horizon = layout.room();
  }
}

}  // namespace mae
