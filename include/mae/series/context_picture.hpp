#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/resample.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mae {

/// What maps a series' values to a picture's: (value - mean) / scale.
struct value_range {
  double mean = 0;
  double scale = 1;
  bool is_constant = false;  // all known values are equal: the mean stands for them

  double pixel_of(double value) const { return is_constant ? 0 : (value - mean) / scale; }
  double value_of(double pixel) const { return is_constant ? mean : mean + pixel * scale; }
};

/// The range of a context's known values (those that are not NaN). Throws config_error where there
/// is none.
inline value_range range_of(std::span<double const> context, forecast_options const& o) {
  double sum = 0;
  double count = 0;
  double low = 0;
  double high = 0;
  for (double const value : context) {
    if (std::isnan(value)) continue;
    low = count == 0 ? value : std::min(low, value);
    high = count == 0 ? value : std::max(high, value);
    sum += value;
    ++count;
  }
  if (count == 0)
    throw config_error("all " + std::to_string(context.size()) +
                       " values of the context are missing: there is nothing to forecast from");
  double const mean = sum / count;
  double squares = 0;
  for (double const value : context)
    if (!std::isnan(value)) squares += (value - mean) * (value - mean);
  // A deviation that is rounding alone is none.
  double const rounding = 1e-12 * std::max(std::abs(low), std::abs(high));
  double const variance = squares / count;
  if (o.epsilon == 0 && std::sqrt(variance) <= rounding) return {.mean = mean, .is_constant = true};
  return {.mean = mean, .scale = std::sqrt(variance + o.epsilon) / o.contrast};
}

namespace detail {

/// A context as periods side by side, (period, periods): `value` is 0 where `known` is 0.
struct folded_context {
  std::vector<double> value;
  std::vector<double> known;
  bool is_whole = true;  // nothing is missing
};

/// Before the context its first value is repeated.
inline folded_context fold(std::span<double const> context,
                           value_range const& range,
                           forecast_layout const& layout) {
  auto const size = static_cast<std::size_t>(layout.period * layout.seen_periods);
  folded_context folded{std::vector<double>(size), std::vector<double>(size, 1.0)};
  for (index_t i = 0; i < layout.period * layout.seen_periods; ++i) {
    double const value = context[static_cast<std::size_t>(std::max(i - layout.padded, index_t{0}))];
    auto const at =
        static_cast<std::size_t>(i % layout.period * layout.seen_periods + i / layout.period);
    if (std::isnan(value)) {
      folded.known[at] = 0;
      folded.is_whole = false;
    } else {
      folded.value[at] = range.pixel_of(value);
    }
  }
  return folded;
}

}  // namespace detail

/// Draws a context into the left of a picture (H, W, C), equal in all channels; the rest is 0. What
/// is missing is resampled as absent: a pixel is known where at least half of what it is made of
/// is (`enough` of it). Returns for each patch whether it shows the context: none of its pixels is
/// unknown.
inline std::vector<std::uint8_t> draw_context(std::span<double const> context,
                                              value_range const& range,
                                              model_config const& sizes,
                                              forecast_layout const& layout,
                                              shrinking how,
                                              std::span<float> picture,
                                              double enough = 0.5) {
  auto const [height, width, channels] = sizes.image;
  auto const folded = detail::fold(context, range, layout);
  line_resampler const down(layout.period, height, how);
  line_resampler const right(layout.seen_periods, layout.seen_width, how);
  auto const drawn = [&](std::vector<double> const& plane) {
    return resample_columns(
        {plane.data(), layout.period, layout.seen_periods}, down, right, 0, layout.seen_width);
  };
  auto pixels = drawn(folded.value);
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(sizes.num_patches()));
  for (index_t row = 0; row < sizes.grid_rows(); ++row)
    for (index_t column = 0; column < layout.seen_patches; ++column)
      seen[static_cast<std::size_t>(row * sizes.grid_columns() + column)] = 1;
  if (!folded.is_whole) {
    auto const known = drawn(folded.known);
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      if (known[i] >= enough) {
        pixels[i] /= known[i];
        continue;
      }
      pixels[i] = 0;
      auto const at = static_cast<index_t>(i);
      index_t const row = at / layout.seen_width / sizes.patch.height;
      index_t const column = at % layout.seen_width / sizes.patch.width;
      seen[static_cast<std::size_t>(row * sizes.grid_columns() + column)] = 0;
    }
  }
  std::ranges::fill(picture, 0.0F);
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < layout.seen_width; ++x)
      for (index_t c = 0; c < channels; ++c)
        picture[static_cast<std::size_t>((y * width + x) * channels + c)] =
            static_cast<float>(pixels[static_cast<std::size_t>(y * layout.seen_width + x)]);
  return seen;
}

/// Plans one image: patches that are not seen are to be predicted, the missing ones among them.
/// Throws config_error where none is seen.
inline void show(mask_plan& plan, index_t image, std::span<std::uint8_t const> seen) {
  std::vector<float> scores;
  index_t visible = 0;
  for (auto const is_seen : seen) {
    visible += is_seen;
    scores.push_back(is_seen != 0 ? 0.0F : 1.0F);
  }
  if (visible == 0)
    throw config_error(
        "so many values of the context are missing that no patch of its picture is whole: a longer "
        "context shows more");
  plan.assign(image, {.visible = visible, .target = std::ssize(seen) - visible}, scores);
}

}  // namespace mae
