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
#include <mae/series/variable_parts.hpp>
#include <mae/series/window_mask.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
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
  variable_rule together = variable_rule::each;
  index_t variables = 1;  // of a picture

  /// A picture of them: a row a phase, a column a period; variables that share it are below each
  /// other, or its channels. Throws config_error where patches do not fit.
  image_extent image() const {
    index_t const columns = patch.width * period;
    if (context < 1 || horizon < 1 || period < 1 || patch.height < 1 || patch.width < 1 ||
        context % columns != 0 || horizon % columns != 0 || period % patch.height != 0)
      throw config_error(
          "windows of " + std::to_string(context) + " and " + std::to_string(horizon) +
          " values, by periods of " + std::to_string(period) + ", cannot be cut into patches of " +
          std::to_string(patch.height) + " phases and " + std::to_string(patch.width) +
          " periods: the patches must divide the period, and so many periods both parts");
    if (variables < 1 || (together == variable_rule::each && variables != 1))
      throw config_error("windows of " + std::to_string(variables) +
                         " variables: several share a picture as rows or channels");
    bool const by_rows = together == variable_rule::rows;
    return {.height = by_rows ? variables * period : period,
            .width = (context + horizon) / period,
            .channels = by_rows ? 1 : variables};
  }
  forecast_options options() const {
    auto o = forecast_options::trained(context, horizon, period);
    o.together = together;
    o.variables = variables;
    return o;
  }
};

/// All windows of a series as pictures, of one variable or of all together: a dataset to train on
/// with a `window_mask`. Each variable is standardised by its context. Patches with a missing value
/// are absent (absent_pixel). Windows whose context or horizon is missing as a whole are left out,
/// and so are those whose context is constant: no deviation says how far a horizon is from it.
/// Where variables share a picture, one that is constant in the context is absent from its rows; as
/// a channel it is left out with the window unless it stays so in the horizon. Refers to the
/// series.
class series_windows {
 public:
  /// `length` values from the begin on are used; 0: all. Throws config_error where there is no
  /// window, for a stride below 1, and for a series that has not the variables of a picture.
  series_windows(series const& s, window_options const& options, index_t length = 0)
      : series_(&s), options_(options), extent_(options.image()) {
    if (options.stride < 1)
      throw config_error("windows that begin " + std::to_string(options.stride) +
                         " values after each other: their stride must be 1 or more");
    index_t const all = length > 0 ? std::min(length, s.length()) : s.length();
    index_t const most = std::max<index_t>(0, (all - window_length()) / options.stride + 1);
    places_.reserve(static_cast<std::size_t>((is_joint() ? 1 : s.variables()) * most));
    if (is_joint() && s.variables() != options.variables)
      throw config_error("a series of " + std::to_string(s.variables()) +
                         " variables for pictures that show " + std::to_string(options.variables));
    for (index_t v = 0; v < (is_joint() ? 1 : s.variables()); ++v)
      for (index_t begin = 0; begin + window_length() <= all; begin += options.stride) {
        if (!varies({v, begin}))
          ++constant_;
        else if (has_both({v, begin}))
          places_.push_back(v * s.length() + begin);
      }
    if (places_.empty()) refuse(all);
  }
  series_windows(series const&& must_outlive_the_windows, window_options, index_t = 0) = delete;

  image_extent extent() const { return extent_; }
  index_t size() const { return std::ssize(places_); }
  /// Windows that are left out since their context is constant.
  index_t constant() const { return constant_; }
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
    index_t const place = places_[static_cast<std::size_t>(index)];
    read({place / series_->length(), place % series_->length()}, pixels);
  }

 private:
  struct window_place {
    index_t variable = 0;  // the first of the picture
    index_t begin = 0;
  };

  bool is_joint() const { return options_.together != variable_rule::each; }
  index_t window_length() const { return options_.context + options_.horizon; }
  std::span<double const> values(index_t variable, index_t begin) const {
    return series_->variable(variable).subspan(static_cast<std::size_t>(begin),
                                               static_cast<std::size_t>(window_length()));
  }
  value_range range(std::span<double const> window) const {
    return detail::range_if_known(window.first(static_cast<std::size_t>(options_.context)),
                                  options_.options());
  }
  void read(window_place const& place, std::span<float> pixels) const {
    bool const by_channels = options_.together == variable_rule::channels;
    index_t const columns = extent_.width;
    for (index_t v = 0; v < options_.variables; ++v) {
      auto const window = values(place.variable + v, place.begin);
      auto const own = range(window);
      bool const is_absent = options_.together == variable_rule::rows && own.is_constant;
      for (index_t row = 0; row < options_.period; ++row)
        for (index_t column = 0; column < columns; ++column) {
          double const value = window[static_cast<std::size_t>(column * options_.period + row)];
          index_t const pixel = row * columns + column;
          pixels[static_cast<std::size_t>(by_channels ? pixel * options_.variables + v
                                                      : v * options_.period * columns + pixel)] =
              is_absent || std::isnan(value) ? absent_pixel : bounded(own.pixel_of(value));
        }
    }
  }
  /// A horizon far outside of its context's range is cut off.
  static float bounded(double pixel) {
    constexpr double most = 20;
    return static_cast<float>(std::clamp(pixel, -most, most));
  }

  /// Whether a context says how far values are from each other: that of any variable as rows, as
  /// channels of each, but for those that stay as they are.
  bool varies(window_place const& place) const {
    bool any = false;
    for (index_t v = 0; v < options_.variables; ++v) {
      auto const window = values(place.variable + v, place.begin);
      bool const is_constant = !differs(window.first(static_cast<std::size_t>(options_.context)));
      any = any || !is_constant;
      if (is_constant && options_.together == variable_rule::channels && differs(window))
        return false;
    }
    return any;
  }
  /// Whether values differ by more than rounding; true where none is known, which others see to.
  bool differs(std::span<double const> part) const {
    constexpr double much = 1e-6;  // what makes a deviation for certain
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (double const value : part) {
      if (std::isnan(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
      if (high - low > much * std::max(std::abs(low), std::abs(high))) return true;
    }
    auto const found = detail::range_if_known(part, options_.options());
    return std::isnan(found.mean) || !found.is_constant;
  }
  /// Whether a patch of the context and one of the horizon are whole.
  bool has_both(window_place const& place) const {
    if (is_joint()) return has_both_drawn(place);
    auto const window = values(place.variable, place.begin);
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
  /// The same of a picture that several variables share.
  bool has_both_drawn(window_place const& place) const {
    auto const [height, width] = options_.patch;
    std::vector<float> pixels(static_cast<std::size_t>(extent_.values()));
    read(place, pixels);
    index_t const row_values = extent_.width * extent_.channels;
    bool before = false;
    bool after = false;
    for (index_t row = 0; row < extent_.height; row += height)
      for (index_t column = 0; column < extent_.width; column += width) {
        bool is_whole = true;
        for (index_t y = row; y < row + height && is_whole; ++y) {
          auto const line = std::span<float const>(pixels).subspan(
              static_cast<std::size_t>(y * row_values + column * extent_.channels),
              static_cast<std::size_t>(width * extent_.channels));
          is_whole = std::find(line.begin(), line.end(), absent_pixel) == line.end();
        }
        if (is_whole) (column * options_.period < options_.context ? before : after) = true;
      }
    return before && after;
  }
  [[noreturn]] void refuse(index_t length) const {
    std::string what = "the series of " + std::to_string(length) + " values has no window of " +
                       std::to_string(options_.context) + " values and " +
                       std::to_string(options_.horizon) + " after them that can be learnt from";
    if (constant_ > 0)
      what.append(": ")
          .append(std::to_string(constant_))
          .append(" have a constant context; a longer context, or other columns");
    else
      what += ": a shorter context or horizon";
    throw config_error(what);
  }

  series const* series_;
  window_options options_;
  image_extent extent_;
  std::vector<index_t> places_;  // of each window's first value among all of the series
  index_t constant_ = 0;
};
static_assert(Dataset<series_windows>);

}  // namespace mae
