#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/painted_values.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// The sizes of the part of a picture that shows one variable: all of it, where each has a picture
/// of its own. Throws config_error for pictures that cannot be shared out.
inline model_config part_of_variable(model_config sizes, forecast_options const& o) {
  auto const say = [&](std::string const& what) {
    throw config_error("a picture of " + std::to_string(sizes.image.height) + " rows and " +
                       std::to_string(sizes.image.channels) + " channels cannot show " +
                       std::to_string(o.variables) + " variables as " + what);
  };
  if (o.variables < 1 || (o.together == variable_rule::each && o.variables > 1))
    throw config_error("a picture shows one variable at least, and several as rows or channels");
  if (o.together == variable_rule::rows) {
    if (sizes.image.height % (o.variables * sizes.patch.height) != 0)
      say("rows: patches of " + std::to_string(sizes.patch.height) +
          " rows must divide each one's share");
    sizes.image.height /= o.variables;
  }
  if (o.together == variable_rule::channels) {
    if (sizes.image.channels != o.variables) say("channels: it needs one for each");
    sizes.image.channels = 1;
  }
  return sizes;
}

namespace detail {

/// Copies between a picture (H, W, C) and a variable's part of it: put(pixel of the picture, pixel
/// of the part).
template <class Put>
void for_part(image_extent whole, forecast_options const& o, index_t variable, Put const& put) {
  bool const by_rows = o.together == variable_rule::rows;
  index_t const pixels = by_rows ? whole.values() / o.variables : whole.pixels();
  for (index_t i = 0; i < pixels; ++i)
    put(static_cast<std::size_t>(by_rows ? variable * pixels + i : i * whole.channels + variable),
        static_cast<std::size_t>(i));
}

/// As range_of; of a context without any value the mean is NaN.
inline value_range range_if_known(std::span<double const> context, forecast_options const& o) {
  bool const is_known =
      std::any_of(context.begin(), context.end(), [](double value) { return !std::isnan(value); });
  if (is_known) return range_of(context, o);
  return {.mean = std::numeric_limits<double>::quiet_NaN(), .is_constant = true};
}

}  // namespace detail

/// What was drawn of the variables of a window.
struct drawn_variables {
  std::vector<value_range> ranges;  // (variables); of one without any value the mean is NaN
  std::vector<std::uint8_t> seen;   // (patches): which show the context, as draw_context
};

/// Draws the contexts (variables, context) of a picture's variables into it (H, W, C), each
/// standardised by itself; as rows, one that is constant beside others is not seen. `enough`
/// as draw_context. Throws config_error where the only variable has no value.
inline drawn_variables draw_variables(matrix_view<double const> contexts,
                                      model_config const& sizes,
                                      forecast_options const& o,
                                      forecast_layout const& layout,
                                      std::span<float> picture,
                                      double enough = 0.5) {
  if (o.together == variable_rule::each) {
    auto const range = range_of(contexts.row(0), o);
    return {{range},
            draw_context(contexts.row(0), range, sizes, layout, o.shrinks, picture, enough)};
  }
  auto const part = part_of_variable(sizes, o);
  drawn_variables drawn;
  bool any_varies = false;
  for (index_t v = 0; v < o.variables; ++v) {
    drawn.ranges.push_back(detail::range_if_known(contexts.row(v), o));
    any_varies = any_varies || !drawn.ranges.back().is_constant;
  }
  std::vector<float> own(static_cast<std::size_t>(part.image.values()));
  for (index_t v = 0; v < o.variables; ++v) {
    auto const& range = drawn.ranges[static_cast<std::size_t>(v)];
    auto seen = draw_context(contexts.row(v), range, part, layout, o.shrinks, own, enough);
    detail::for_part(
        sizes.image, o, v, [&](std::size_t to, std::size_t from) { picture[to] = own[from]; });
    if (o.together == variable_rule::rows) {
      if (range.is_constant && any_varies) std::fill(seen.begin(), seen.end(), std::uint8_t{0});
      drawn.seen.insert(drawn.seen.end(), seen.begin(), seen.end());
    } else if (v == 0) {
      drawn.seen = std::move(seen);
    } else {
      for (std::size_t i = 0; i < seen.size(); ++i) drawn.seen[i] &= seen[i];
    }
  }
  return drawn;
}

/// Values [first, first + values.cols) of a painted picture's variables, (variables, values), in
/// their units; value 0 is the first of the padded context.
inline void read_variables(std::span<float const> painted,
                           model_config const& sizes,
                           forecast_options const& o,
                           forecast_layout const& layout,
                           std::span<value_range const> ranges,
                           index_t first,
                           matrix_view<double> values) {
  if (o.together == variable_rule::each)
    return detail::read_values(
        painted, sizes.image, layout, o.shrinks, ranges[0], first, values.row(0));
  auto const part = part_of_variable(sizes, o);
  std::vector<float> own(static_cast<std::size_t>(part.image.values()));
  for (index_t v = 0; v < o.variables; ++v) {
    detail::for_part(
        sizes.image, o, v, [&](std::size_t from, std::size_t to) { own[to] = painted[from]; });
    detail::read_values(own,
                        part.image,
                        layout,
                        o.shrinks,
                        ranges[static_cast<std::size_t>(v)],
                        first,
                        values.row(v));
  }
}

}  // namespace mae
