#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/variable_parts.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace mae {

namespace detail {

/// The values of a window that fills a picture: of a model of windows all of them, else a context.
inline index_t window_values(pixel_painter const& painter, forecast_options const& o) {
  return o.columns == column_rule::one_a_period ? painter.sizes.image.width * o.period : o.context;
}

/// Windows that are painted together, each drawn over the whole picture.
class window_batch {
 public:
  window_batch(pixel_painter const& painter, forecast_options const& o, index_t length)
      : painter_(&painter),
        options_(o),
        layout_(layout_of_window(painter.sizes, o.period, length)),
        length_(length) {}

  index_t size() const { return std::ssize(ranges_) / options_.variables; }
  forecast_layout const& layout() const { return layout_; }

  /// Adds a window (variables, length), NaN where a value is missing or hidden: of pixels that such
  /// a value has a part in the whole patch is hidden. False, and nothing added, where no patch is
  /// left to be seen, or none hidden.
  bool add(matrix_view<double const> window) {
    constexpr double all = 1 - 1e-9;
    auto const& sizes = painter_->sizes;
    if (options_.together == variable_rule::each &&
        std::isnan(range_if_known(window.row(0), options_).mean))
      return false;
    std::vector<float> image(static_cast<std::size_t>(sizes.image.values()));
    auto const drawn = draw_variables(window, sizes, options_, layout_, image, all);
    auto const visible = std::count(drawn.seen.begin(), drawn.seen.end(), 1);
    if (visible == 0 || visible == std::ssize(drawn.seen)) return false;
    ranges_.insert(ranges_.end(), drawn.ranges.begin(), drawn.ranges.end());
    images_.insert(images_.end(), image.begin(), image.end());
    seen_.insert(seen_.end(), drawn.seen.begin(), drawn.seen.end());
    return true;
  }

  /// The values of all windows as painted, (windows, variables, length), NaN of a variable without
  /// any; the batch is empty then.
  std::vector<double> paint() {
    auto const patches = static_cast<std::size_t>(painter_->sizes.num_patches());
    auto const pixels = static_cast<std::size_t>(painter_->sizes.image.values());
    index_t const rows = options_.variables;
    mask_plan plan(size(), painter_->sizes.num_patches());
    for (index_t i = 0; i < size(); ++i)
      show(plan, i, std::span(seen_).subspan(static_cast<std::size_t>(i) * patches, patches));
    auto const painted = painter_->paint(images_, plan);
    std::vector<double> values(static_cast<std::size_t>(size() * rows * length_));
    for (index_t i = 0; i < size(); ++i)
      read_variables(std::span(painted).subspan(static_cast<std::size_t>(i) * pixels, pixels),
                     painter_->sizes,
                     options_,
                     layout_,
                     std::span(ranges_).subspan(static_cast<std::size_t>(i * rows)),
                     layout_.padded,
                     {values.data() + i * rows * length_, rows, length_});
    ranges_.clear();
    images_.clear();
    seen_.clear();
    return values;
  }

 private:
  pixel_painter const* painter_;
  forecast_options options_;
  forecast_layout layout_;
  index_t length_;
  std::vector<value_range> ranges_;  // (windows, variables)
  std::vector<float> images_;
  std::vector<std::uint8_t> seen_;
};

/// Windows over a series that overlap by half, and which values each is asked for: those in its
/// middle, at the ends of the series also those at its ends.
struct covering_window {
  index_t begin = 0;
  index_t first = 0;  // of the values that it is asked for
  index_t last = 0;   // one past them
};
inline std::vector<covering_window> windows_over(index_t values, index_t length) {
  std::vector<covering_window> found;
  index_t const half = std::max<index_t>(1, length / 2);
  index_t asked = 0;
  for (index_t begin = 0; asked < values; begin += half) {
    bool const is_last = begin + length >= values;
    index_t const from = is_last ? std::max<index_t>(0, values - length) : begin;
    index_t const end = is_last ? values : from + length - length / 4;
    found.push_back({from, asked, end});
    asked = end;
  }
  return found;
}

/// The values (variables, length) of a window; before a series that is shorter they are missing.
inline std::vector<double> window_of(matrix_view<double const> values,
                                     index_t begin,
                                     index_t length) {
  std::vector<double> window(static_cast<std::size_t>(values.rows * length),
                             std::numeric_limits<double>::quiet_NaN());
  index_t const count = std::min(length, values.cols - begin);
  for (index_t v = 0; v < values.rows; ++v)
    std::copy_n(values.row(v).begin() + begin, count, window.begin() + (v + 1) * length - count);
  return window;
}

/// Throws config_error unless `values` has the rows of a picture's variables.
inline void require_variables(pixel_painter const& painter,
                              forecast_options const& o,
                              matrix_view<double const> values) {
  part_of_variable(painter.sizes, o);
  if (values.rows != o.variables)
    throw config_error("a series of " + std::to_string(values.rows) +
                       " variables for pictures that show " + std::to_string(o.variables));
}

}  // namespace detail

/// A series without missing values, where that can be.
struct imputed_values {
  std::vector<double> values;  // (variables, time)
  index_t filled = 0;
  index_t left = 0;  // that stay missing: no patch of their window is whole
};

namespace detail {

inline index_t num_missing(matrix_view<double const> values, index_t first, index_t last) {
  index_t missing = 0;
  for (index_t v = 0; v < values.rows; ++v)
    for (index_t i = first; i < last; ++i) missing += std::isnan(values(v, i)) ? 1 : 0;
  return missing;
}

/// Takes what is missing of `values` in the middle of a window from what was painted of it,
/// `painted` (variables, length). A window of a shorter series ends where the series does.
inline void fill_from(covering_window const& window,
                      matrix_view<double const> painted,
                      matrix_view<double const> values,
                      std::vector<double>& filled) {
  index_t const shift = std::max<index_t>(0, painted.cols - values.cols) - window.begin;
  for (index_t v = 0; v < values.rows; ++v)
    for (index_t i = window.first; i < window.last; ++i)
      if (std::isnan(values(v, i)))
        filled[static_cast<std::size_t>(v * values.cols + i)] = painted(v, i + shift);
}

}  // namespace detail

/// Fills what is missing (NaN) of `values` (variables of a picture, time) with what a model paints
/// there, from what lies before and after it, and from the picture's other variables. Other values
/// stay as they are. Throws config_error for another number of variables than the options say.
inline imputed_values impute(pixel_painter const& painter,
                             matrix_view<double const> values,
                             forecast_options const& options) {
  constexpr index_t most_windows = 32;
  detail::require_variables(painter, options, values);
  index_t const length = detail::window_values(painter, options);
  detail::window_batch batch(painter, options, length);
  imputed_values found;
  for (index_t v = 0; v < values.rows; ++v)
    found.values.insert(found.values.end(), values.row(v).begin(), values.row(v).end());
  std::vector<detail::covering_window> asked;
  auto const paint = [&] {
    auto const painted = batch.paint();
    double const* at = painted.data();
    for (auto const& window : asked) {
      detail::fill_from(window, {at, values.rows, length}, values, found.values);
      at += values.rows * length;
    }
    asked.clear();
  };
  index_t missing = 0;
  for (auto const& window : detail::windows_over(values.cols, length)) {
    index_t const here = detail::num_missing(values, window.first, window.last);
    missing += here;
    if (here == 0) continue;
    auto const shown = detail::window_of(values, window.begin, length);
    if (batch.add({shown.data(), values.rows, length})) asked.push_back(window);
    if (batch.size() == most_windows) paint();
  }
  if (batch.size() > 0) paint();
  for (double const value : found.values) found.left += std::isnan(value) ? 1 : 0;
  found.filled = missing - found.left;
  return found;
}
inline imputed_values impute(pixel_painter const& painter,
                             std::span<double const> values,
                             forecast_options const& options) {
  return impute(painter, matrix_view<double const>(values.data(), 1, std::ssize(values)), options);
}

namespace detail {

/// In which of `turns` each value of a window is hidden: with the periods whose middle is in every
/// `turns`-th column of patches.
inline std::vector<index_t> turns_of_values(pixel_painter const& painter,
                                            forecast_layout const& layout,
                                            index_t length,
                                            index_t turns) {
  double const columns =
      static_cast<double>(painter.sizes.grid_columns()) / static_cast<double>(layout.seen_periods);
  std::vector<index_t> found;
  for (index_t i = 0; i < length; ++i) {
    index_t const period = (i + layout.padded) / layout.period;
    found.push_back(static_cast<index_t>((static_cast<double>(period) + 0.5) * columns) % turns);
  }
  return found;
}

}  // namespace detail

/// How far each value of `values` (variables of a picture, time) is from what a model paints in its
/// place when it is hidden, in deviations of its window: of the windows over the series every
/// `turns`-th column of patches is hidden in turn, of all variables of a picture, and whatever else
/// of it a hidden value has a part in. NaN where a value is missing, or nothing of its window can
/// be seen. Throws config_error unless 2 <= turns, and for another number of variables than the
/// options say.
inline std::vector<double> anomaly_scores(pixel_painter const& painter,
                                          matrix_view<double const> values,
                                          forecast_options const& options,
                                          index_t turns = 4) {
  constexpr double missing = std::numeric_limits<double>::quiet_NaN();
  detail::require_variables(painter, options, values);
  if (turns < 2)
    throw config_error("anomalies need two turns at least: what is seen must be there");
  index_t const length = detail::window_values(painter, options);
  detail::window_batch batch(painter, options, length);
  std::vector<double> scores(static_cast<std::size_t>(values.size()), missing);
  auto const turn_of = detail::turns_of_values(painter, batch.layout(), length, turns);
  for (auto const& window : detail::windows_over(values.cols, length)) {
    auto const whole = detail::window_of(values, window.begin, length);
    std::vector<index_t> window_of_turn(static_cast<std::size_t>(turns), -1);  // in the batch
    for (index_t turn = 0; turn < turns; ++turn) {
      auto shown = whole;
      for (std::size_t i = 0; i < shown.size(); ++i)
        if (turn_of[i % static_cast<std::size_t>(length)] == turn) shown[i] = missing;
      index_t const number = batch.size();
      if (batch.add({shown.data(), values.rows, length}))
        window_of_turn[static_cast<std::size_t>(turn)] = number;
    }
    if (batch.size() == 0) continue;
    auto const painted = batch.paint();
    index_t const shift = std::max<index_t>(0, length - values.cols) - window.begin;
    for (index_t v = 0; v < values.rows; ++v) {
      std::span const own(whole.data() + v * length, static_cast<std::size_t>(length));
      double const deviation = detail::range_if_known(own, options).scale * options.contrast;
      for (index_t i = window.first; i < window.last; ++i) {
        index_t const number =
            window_of_turn[static_cast<std::size_t>(turn_of[static_cast<std::size_t>(i + shift)])];
        if (number < 0) continue;
        auto const at = static_cast<std::size_t>((number * values.rows + v) * length + i + shift);
        scores[static_cast<std::size_t>(v * values.cols + i)] =
            std::abs(values(v, i) - painted[at]) / deviation;
      }
    }
  }
  return scores;
}
inline std::vector<double> anomaly_scores(pixel_painter const& painter,
                                          std::span<double const> values,
                                          forecast_options const& options,
                                          index_t turns = 4) {
  return anomaly_scores(
      painter, matrix_view<double const>(values.data(), 1, std::ssize(values)), options, turns);
}

}  // namespace mae
