#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/resample.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace mae::detail {

/// The columns of pixels [first, last) that values [first, first + count) of a painted picture are
/// read from.
struct pixel_columns {
  index_t first = 0;
  index_t last = 0;
};
inline pixel_columns columns_read(image_extent extent,
                                  forecast_layout const& layout,
                                  shrinking how,
                                  index_t first,
                                  index_t count) {
  line_resampler const right(extent.width, layout.all_periods, how);
  index_t const begin = first / layout.period;
  index_t const end = ceil_div(first + count, layout.period);
  pixel_columns found{extent.width, 0};
  for (index_t i = begin; i < end; ++i) {
    found.first = std::min(found.first, right.start(i));
    found.last = std::max(found.last, right.start(i) + right.taps());
  }
  return found;
}

/// The mean of a picture's channels, of the columns [first, last): (H, last - first).
inline std::vector<double> grey_of(std::span<float const> picture,
                                   image_extent extent,
                                   pixel_columns const& columns) {
  std::vector<double> grey;
  grey.reserve(static_cast<std::size_t>(extent.height * (columns.last - columns.first)));
  for (index_t y = 0; y < extent.height; ++y)
    for (index_t x = columns.first; x < columns.last; ++x) {
      index_t const pixel = y * extent.width + x;
      double sum = 0;
      for (index_t c = 0; c < extent.channels; ++c)
        sum += static_cast<double>(picture[static_cast<std::size_t>(pixel * extent.channels + c)]);
      grey.push_back(sum / static_cast<double>(extent.channels));
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
  auto const read_columns = columns_read(extent, layout, how, first, std::ssize(values));
  auto const grey = grey_of(painted, extent, read_columns);
  line_resampler const down(extent.height, layout.period, how);
  line_resampler const right(extent.width, layout.all_periods, how);
  index_t const column = first / layout.period;
  index_t const columns = ceil_div(first + std::ssize(values), layout.period) - column;
  auto const read =
      resample_columns({grey.data(), extent.height, read_columns.last - read_columns.first},
                       down,
                       right,
                       column,
                       columns,
                       read_columns.first);
  for (std::size_t i = 0; i < values.size(); ++i) {
    index_t const at = first + static_cast<index_t>(i);
    values[i] = range.value_of(
        read[static_cast<std::size_t>(at % layout.period * columns + at / layout.period - column)]);
  }
}

}  // namespace mae::detail
