#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/series.hpp>
#include <mae/series/window_mask.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What windows a model is trained on, and the picture of one.
struct window_options {
  index_t context = 0;  // values, a whole number of periods and patches
  index_t horizon = 0;  // likewise
  index_t period = 1;
  patch_extent patch = {};  // phases x periods
  index_t stride = 1;       // from the begin of a window to the next

  /// A picture of them: a row a phase, a column a period, one channel. Throws config_error where
  /// patches do not fit.
  image_extent image() const {
    index_t const columns = patch.width * period;
    if (context < 1 || horizon < 1 || period < 1 || patch.height < 1 || patch.width < 1 ||
        context % columns != 0 || horizon % columns != 0 || period % patch.height != 0)
      throw config_error(
          "windows of " + std::to_string(context) + " and " + std::to_string(horizon) +
          " values, by periods of " + std::to_string(period) + ", cannot be cut into patches of " +
          std::to_string(patch.height) + " phases and " + std::to_string(patch.width) +
          " periods: the patches must divide the period, and so many periods both parts");
    return {.height = period, .width = (context + horizon) / period, .channels = 1};
  }
  forecast_options options() const { return forecast_options::trained(context, horizon, period); }
};

/// All windows of a series, each of one variable, as pictures: a dataset to train on with a
/// `window_mask`. Each is standardised by its context. Patches with a missing value are absent
/// (absent_pixel). Windows whose context or horizon is missing as a whole are left out. Refers to
/// the series.
class series_windows {
 public:
  /// `length` values from the begin on are used; 0: all. Throws config_error where there is no
  /// window.
  series_windows(series const& s, window_options const& options, index_t length = 0)
      : series_(&s), options_(options), extent_(options.image()) {
    index_t const all = length > 0 ? std::min(length, s.length()) : s.length();
    for (index_t v = 0; v < s.variables(); ++v)
      for (index_t begin = 0; begin + window_length() <= all; begin += options.stride)
        if (has_both(values(v, begin))) windows_.push_back({v, begin});
    if (windows_.empty())
      throw config_error("the series of " + std::to_string(all) + " values has no window of " +
                         std::to_string(options.context) + " values and " +
                         std::to_string(options.horizon) +
                         " after them that can be learnt from: a shorter context or horizon");
  }
  series_windows(series const&& must_outlive_the_windows, window_options, index_t = 0) = delete;

  image_extent extent() const { return extent_; }
  index_t size() const { return std::ssize(windows_); }
  double pixel_scale() const { return 1; }
  index_t num_classes() const { return 0; }
  index_t label(index_t /*index*/) const { return -1; }
  /// Of all values.
  std::uint64_t fingerprint() const {
    return fingerprint_hash{}
        .add(extent_)
        .add(options_.context)
        .add(options_.stride)
        .add(size())
        .add(std::as_bytes(std::span(series_->values)))
        .value();
  }

  void read(index_t index, std::span<float> pixels) const {
    auto const [variable, begin] = windows_[static_cast<std::size_t>(index)];
    auto const window = values(variable, begin);
    auto const range =
        range_of(window.first(static_cast<std::size_t>(options_.context)), options_.options());
    index_t const columns = extent_.width;
    for (index_t row = 0; row < extent_.height; ++row)
      for (index_t column = 0; column < columns; ++column) {
        double const value = window[static_cast<std::size_t>(column * options_.period + row)];
        pixels[static_cast<std::size_t>(row * columns + column)] =
            std::isnan(value) ? absent_pixel : bounded(range.pixel_of(value));
      }
  }

 private:
  struct window_place {
    index_t variable = 0;
    index_t begin = 0;
  };

  index_t window_length() const { return options_.context + options_.horizon; }
  std::span<double const> values(index_t variable, index_t begin) const {
    return series_->variable(variable).subspan(static_cast<std::size_t>(begin),
                                               static_cast<std::size_t>(window_length()));
  }
  /// A horizon far outside of its context's range, as after a constant one, is cut off.
  static float bounded(double pixel) {
    constexpr double most = 20;
    return static_cast<float>(std::clamp(pixel, -most, most));
  }
  /// Whether a patch of the context and one of the horizon are whole.
  bool has_both(std::span<double const> window) const {
    auto const context = static_cast<std::size_t>(options_.context);
    return has_whole_patch(window.first(context)) && has_whole_patch(window.subspan(context));
  }
  bool has_whole_patch(std::span<double const> part) const {
    auto const [height, width] = options_.patch;
    index_t const periods = std::ssize(part) / options_.period;
    for (index_t column = 0; column < periods; column += width)
      for (index_t row = 0; row < options_.period; row += height) {
        bool is_whole = true;
        for (index_t i = 0; i < height * width && is_whole; ++i)
          is_whole = !std::isnan(part[static_cast<std::size_t>(
              (column + i / height) * options_.period + row + i % height)]);
        if (is_whole) return true;
      }
    return false;
  }

  series const* series_;
  window_options options_;
  image_extent extent_;
  std::vector<window_place> windows_;
};
static_assert(Dataset<series_windows>);

}  // namespace mae
