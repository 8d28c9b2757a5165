#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/resample.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

namespace detail {

/// The mean of a picture's channels: (H, W).
inline std::vector<double> grey_of(std::span<float const> picture, image_extent extent) {
  std::vector<double> grey(static_cast<std::size_t>(extent.pixels()));
  for (index_t i = 0; i < extent.pixels(); ++i) {
    double sum = 0;
    for (index_t c = 0; c < extent.channels; ++c)
      sum += static_cast<double>(picture[static_cast<std::size_t>(i * extent.channels + c)]);
    grey[static_cast<std::size_t>(i)] = sum / static_cast<double>(extent.channels);
  }
  return grey;
}

/// Values [first, first + values.size()) of a painted picture (H, W, C), in the series' units;
/// value 0 is the first of the padded context.
inline void read_values(std::span<float const> painted,
                        image_extent extent,
                        forecast_layout const& layout,
                        shrinking how,
                        value_range const& range,
                        index_t first,
                        std::span<double> values) {
  auto const grey = grey_of(painted, extent);
  line_resampler const down(extent.height, layout.period, how);
  line_resampler const right(extent.width, layout.all_periods, how);
  index_t const column = first / layout.period;
  index_t const columns = ceil_div(first + std::ssize(values), layout.period) - column;
  auto const read =
      resample_columns({grey.data(), extent.height, extent.width}, down, right, column, columns);
  for (std::size_t i = 0; i < values.size(); ++i) {
    index_t const at = first + static_cast<index_t>(i);
    values[i] = range.value_of(
        read[static_cast<std::size_t>(at % layout.period * columns + at / layout.period - column)]);
  }
}

/// The forecast of one step for some windows: `contexts` (windows, context), `to` (windows, h).
inline void forecast_step(pixel_painter const& painter,
                          forecast_options const& o,
                          matrix_view<double const> contexts,
                          matrix_view<double> to) {
  auto const layout = layout_for(painter.sizes, o, to.cols);
  auto const extent = painter.sizes.image;
  auto const size = static_cast<std::size_t>(extent.values());
  std::vector<float> images(size * static_cast<std::size_t>(contexts.rows));
  std::vector<value_range> ranges;
  mask_plan plan(contexts.rows, painter.sizes.num_patches());
  for (index_t i = 0; i < contexts.rows; ++i) {
    auto const image = std::span(images).subspan(static_cast<std::size_t>(i) * size, size);
    ranges.push_back(range_of(contexts.row(i), o));
    auto const seen =
        draw_context(contexts.row(i), ranges.back(), painter.sizes, layout, o.shrinks, image);
    show(plan, i, seen);
  }
  auto const painted = painter.paint(images, plan);
  for (index_t i = 0; i < contexts.rows; ++i)
    read_values(std::span(painted).subspan(static_cast<std::size_t>(i) * size, size),
                extent,
                layout,
                o.shrinks,
                ranges[static_cast<std::size_t>(i)],
                layout.seen_periods * layout.period,
                to.row(i));
}

}  // namespace detail

/// Forecasts windows of series, each by itself: `contexts` (windows, context), NaN where a value is
/// missing. Returns (windows, horizon). A context whose values are all equal goes on so. Throws
/// config_error for options that cannot be used, for contexts of another length, and for one of
/// which no patch can be seen.
inline std::vector<double> forecast(pixel_painter const& painter,
                                    matrix_view<double const> contexts,
                                    forecast_options const& options) {
  constexpr index_t most_windows = 64;  // at once: memory is bounded
  index_t const step = step_horizon(painter.sizes, options);
  if (contexts.cols != options.context)
    throw config_error("contexts of " + std::to_string(contexts.cols) + " values, not of " +
                       std::to_string(options.context) + " as the options say");
  std::vector<double> values(static_cast<std::size_t>(contexts.rows * options.horizon));
  matrix_view<double> const all(values.data(), contexts.rows, options.horizon);
  for (index_t first = 0; first < contexts.rows; first += most_windows) {
    index_t const count = std::min(most_windows, contexts.rows - first);
    index_t const length = options.context + options.horizon;
    std::vector<double> known(static_cast<std::size_t>(count * length));
    matrix_view<double> const so_far(known.data(), count, length);
    for (index_t i = 0; i < count; ++i)
      std::ranges::copy(contexts.row(first + i), so_far.row(i).begin());
    for (index_t done = 0; done < options.horizon; done += step) {
      index_t const now = std::min(step, options.horizon - done);
      detail::forecast_step(painter,
                            options,
                            so_far.middle_cols(done, options.context),
                            so_far.middle_cols(options.context + done, now));
    }
    for (index_t i = 0; i < count; ++i)
      std::ranges::copy(so_far.row(i).subspan(static_cast<std::size_t>(options.context)),
                        all.row(first + i).begin());
  }
  return values;
}

}  // namespace mae
