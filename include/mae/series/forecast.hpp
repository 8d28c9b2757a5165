#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/series/at_once.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/painted_values.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/variable_parts.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace mae {

namespace detail {

/// Throws config_error for the range of a context without a value.
inline value_range const& with_values(value_range const& range, forecast_options const& o) {
  if (std::isnan(range.mean))
    throw config_error("all " + std::to_string(o.context) +
                       " values of a variable's context are missing: there is nothing to forecast "
                       "it from");
  return range;
}

/// Reads the first values after the contexts of a picture's variables.
inline void read_forecast(model_config const& sizes,
                          forecast_options const& o,
                          forecast_layout const& layout,
                          std::span<value_range const> ranges,
                          std::span<float const> painted,
                          matrix_view<double> values) {
  read_variables(painted, sizes, o, layout, ranges, layout.seen_periods * layout.period, values);
}

/// The forecast of one step by a painter of columns; as below, without levels.
inline void forecast_by_columns(pixel_painter const& painter,
                                forecast_options const& o,
                                matrix_view<double const> contexts,
                                matrix_view<double> to) {
  auto const layout = layout_for(painter.sizes, o, to.cols);
  auto sizes = painter.sizes;
  picture_stream stream;
  stream.pictures = contexts.rows / o.variables;
  stream.is_grey = o.together != variable_rule::channels;
  if (stream.is_grey) sizes.image.channels = 1;
  auto const pixels =
      columns_read(sizes.image, layout, o.shrinks, layout.seen_periods * layout.period, to.cols);
  stream.first = pixels.first / sizes.patch.width;
  stream.last = ceil_div(pixels.last, sizes.patch.width);
  std::vector<value_range> ranges(static_cast<std::size_t>(contexts.rows));
  auto const of_picture = [&](index_t i) {
    return std::span(ranges).subspan(static_cast<std::size_t>(i * o.variables),
                                     static_cast<std::size_t>(o.variables));
  };
  stream.draw = [&](index_t i, std::span<float> picture) {
    auto drawn = draw_variables(
        contexts.middle_rows(i * o.variables, o.variables), sizes, o, layout, picture);
    auto const own = of_picture(i);
    for (std::size_t v = 0; v < own.size(); ++v) own[v] = with_values(drawn.ranges[v], o);
    return std::move(drawn.seen);
  };
  stream.read = [&](index_t i, std::span<float const> painted) {
    read_forecast(
        sizes, o, layout, of_picture(i), painted, to.middle_rows(i * o.variables, o.variables));
  };
  painter.paint_columns(stream);
}

/// The forecast of one step for some windows: `contexts` (rows, context), the rows of a picture's
/// variables next to each other. Writes the median of a painter that knows quantiles, and these, to
/// `levels` of (rows, h).
inline void forecast_step(pixel_painter const& painter,
                          forecast_options const& o,
                          matrix_view<double const> contexts,
                          matrix_view<double> to,
                          std::span<matrix_view<double> const> levels) {
  if (levels.empty() && painter.paint_columns) return forecast_by_columns(painter, o, contexts, to);
  auto const layout = layout_for(painter.sizes, o, to.cols);
  auto const size = static_cast<std::size_t>(painter.sizes.image.values());
  index_t const pictures = contexts.rows / o.variables;
  std::vector<float> images(size * static_cast<std::size_t>(pictures));
  std::vector<value_range> ranges;
  mask_plan plan(pictures, painter.sizes.num_patches());
  for (index_t i = 0; i < pictures; ++i) {
    auto const image = std::span(images).subspan(static_cast<std::size_t>(i) * size, size);
    auto const drawn = draw_variables(
        contexts.middle_rows(i * o.variables, o.variables), painter.sizes, o, layout, image);
    for (auto const& range : drawn.ranges) ranges.push_back(with_values(range, o));
    show(plan, i, drawn.seen);
  }
  auto const read = [&](std::span<float const> painted, matrix_view<double> values) {
    for (index_t i = 0; i < pictures; ++i)
      read_forecast(painter.sizes,
                    o,
                    layout,
                    std::span(ranges).subspan(static_cast<std::size_t>(i * o.variables)),
                    painted.subspan(static_cast<std::size_t>(i) * size, size),
                    values.middle_rows(i * o.variables, o.variables));
  };
  if (levels.empty()) return read(painter.paint(images, plan), to);
  auto const painted = painter.paint_levels(images, plan);
  for (std::size_t k = 0; k < levels.size(); ++k) {
    auto const own = std::span(painted).subspan(k * images.size(), images.size());
    read(own, levels[k]);
    if (painter.levels[k] == 0.5) read(own, to);
    for (index_t i = 0; i < contexts.rows; ++i)  // what is constant says nothing of how far it goes
      if (ranges[static_cast<std::size_t>(i)].is_constant)
        std::ranges::fill(levels[k].row(i), std::numeric_limits<double>::quiet_NaN());
  }
}

}  // namespace detail

/// What is said of windows: values (windows, horizon), and of a painter that knows them quantiles
/// (levels, windows, horizon).
struct forecast_values {
  std::vector<double> values;
  std::vector<double> quantiles = {};
};

/// Forecasts windows of series: `contexts` (windows, context), NaN where a value is missing. Where
/// several variables share a picture, the rows of a window's variables stand next to each other,
/// (windows, variables, context), and so do those that are returned. A context whose values are all
/// equal goes on so, without quantiles (NaN). Those of later steps of a long horizon are around the
/// medians of the steps before. Throws config_error for options that cannot be used, for contexts
/// of another length or without a value, and for a picture of which no patch can be seen.
inline forecast_values forecast_with_quantiles(pixel_painter const& painter,
                                               matrix_view<double const> contexts,
                                               forecast_options const& options,
                                               bool wants_quantiles = true) {
  part_of_variable(painter.sizes, options);
  index_t const step = step_horizon(painter.sizes, options);
  if (contexts.cols != options.context || contexts.rows % options.variables != 0)
    throw config_error("contexts of " + std::to_string(contexts.rows) + " rows of " +
                       std::to_string(contexts.cols) + " values, not of " +
                       std::to_string(options.variables) + " rows a picture and " +
                       std::to_string(options.context) + " values as the options say");
  std::size_t const levels = wants_quantiles ? painter.levels.size() : 0;
  index_t const length = options.context + options.horizon;
  index_t const most_pictures = detail::windows_at_once(
      options.variables * length, levels == 0 && painter.paint_columns ? 1024 : 32);
  auto const size = static_cast<std::size_t>(contexts.rows * options.horizon);
  forecast_values found{std::vector<double>(size), std::vector<double>(levels * size)};
  matrix_view<double> const all(found.values.data(), contexts.rows, options.horizon);
  index_t const most_rows = most_pictures * options.variables;
  for (index_t first = 0; first < contexts.rows; first += most_rows) {
    index_t const count = std::min(most_rows, contexts.rows - first);
    std::vector<double> known(static_cast<std::size_t>(count * length));
    matrix_view<double> const so_far(known.data(), count, length);
    for (index_t i = 0; i < count; ++i)
      std::ranges::copy(contexts.row(first + i), so_far.row(i).begin());
    for (index_t done = 0; done < options.horizon; done += step) {
      index_t const now = std::min(step, options.horizon - done);
      std::vector<matrix_view<double>> of_levels;
      for (std::size_t k = 0; k < levels; ++k)
        of_levels.push_back(
            matrix_view<double>(found.quantiles.data() + k * size, contexts.rows, options.horizon)
                .middle_rows(first, count)
                .middle_cols(done, now));
      detail::forecast_step(painter,
                            options,
                            so_far.middle_cols(done, options.context),
                            so_far.middle_cols(options.context + done, now),
                            of_levels);
    }
    for (index_t i = 0; i < count; ++i)
      std::ranges::copy(so_far.row(i).subspan(static_cast<std::size_t>(options.context)),
                        all.row(first + i).begin());
  }
  return found;
}

/// The values alone: (windows, horizon).
inline std::vector<double> forecast(pixel_painter const& painter,
                                    matrix_view<double const> contexts,
                                    forecast_options const& options) {
  return forecast_with_quantiles(painter, contexts, options, false).values;
}

}  // namespace mae
