#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/series/context_picture.hpp>
#include <mae/series/forecast.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/pixel_painter.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
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

  index_t size() const { return std::ssize(ranges_); }
  forecast_layout const& layout() const { return layout_; }

  /// Adds a window (length), NaN where a value is missing or hidden: of pixels that such a value
  /// has a part in the whole patch is hidden. False, and nothing added, where no patch is left to
  /// be seen, or none hidden.
  bool add(std::span<double const> window) {
    constexpr double all = 1 - 1e-9;
    if (std::all_of(window.begin(), window.end(), [](double x) { return std::isnan(x); }))
      return false;
    auto const& sizes = painter_->sizes;
    auto const range = range_of(window, options_);
    std::vector<float> image(static_cast<std::size_t>(sizes.image.values()));
    auto const seen = draw_context(window, range, sizes, layout_, options_.shrinks, image, all);
    auto const visible = std::count(seen.begin(), seen.end(), 1);
    if (visible == 0 || visible == std::ssize(seen)) return false;
    ranges_.push_back(range);
    images_.insert(images_.end(), image.begin(), image.end());
    seen_.insert(seen_.end(), seen.begin(), seen.end());
    return true;
  }

  /// The values of all windows as painted, (windows, length); the batch is empty then.
  std::vector<double> paint() {
    auto const patches = static_cast<std::size_t>(painter_->sizes.num_patches());
    auto const pixels = static_cast<std::size_t>(painter_->sizes.image.values());
    mask_plan plan(size(), painter_->sizes.num_patches());
    for (index_t i = 0; i < size(); ++i)
      show(plan, i, std::span(seen_).subspan(static_cast<std::size_t>(i) * patches, patches));
    auto const painted = painter_->paint(images_, plan);
    std::vector<double> values(static_cast<std::size_t>(size() * length_));
    for (index_t i = 0; i < size(); ++i)
      read_values(std::span(painted).subspan(static_cast<std::size_t>(i) * pixels, pixels),
                  painter_->sizes.image,
                  layout_,
                  options_.shrinks,
                  ranges_[static_cast<std::size_t>(i)],
                  layout_.padded,
                  std::span(values).subspan(static_cast<std::size_t>(i * length_),
                                            static_cast<std::size_t>(length_)));
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
  std::vector<value_range> ranges_;
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

/// The values of a window; before a series that is shorter they are missing.
inline std::vector<double> window_of(std::span<double const> values,
                                     index_t begin,
                                     index_t length) {
  std::vector<double> window(static_cast<std::size_t>(length),
                             std::numeric_limits<double>::quiet_NaN());
  index_t const count = std::min(length, std::ssize(values) - begin);
  std::copy_n(values.begin() + begin, count, window.end() - count);
  return window;
}

}  // namespace detail

/// A series without missing values, where that can be.
struct imputed_values {
  std::vector<double> values;
  index_t filled = 0;
  index_t left = 0;  // that stay missing: no patch of their window is whole
};

/// Fills what is missing (NaN) of `values` (time) with what a model paints there, from what lies
/// before and after it. Other values stay as they are.
inline imputed_values impute(pixel_painter const& painter,
                             std::span<double const> values,
                             forecast_options const& options) {
  constexpr index_t most_windows = 32;
  index_t const length = detail::window_values(painter, options);
  detail::window_batch batch(painter, options, length);
  imputed_values found{.values = {values.begin(), values.end()}};
  std::vector<detail::covering_window> asked;
  auto const paint = [&] {
    auto const painted = batch.paint();
    for (std::size_t w = 0; w < asked.size(); ++w) {
      // A window of a shorter series ends where the series does.
      index_t const shift = std::max<index_t>(0, length - std::ssize(values)) - asked[w].begin;
      for (index_t i = asked[w].first; i < asked[w].last; ++i)
        if (std::isnan(values[static_cast<std::size_t>(i)]))
          found.values[static_cast<std::size_t>(i)] =
              painted[w * static_cast<std::size_t>(length) + static_cast<std::size_t>(i + shift)];
    }
    asked.clear();
  };
  for (auto const& window : detail::windows_over(std::ssize(values), length)) {
    auto const part = values.subspan(static_cast<std::size_t>(window.first),
                                     static_cast<std::size_t>(window.last - window.first));
    auto const missing =
        std::count_if(part.begin(), part.end(), [](double x) { return std::isnan(x); });
    if (missing == 0) continue;
    if (batch.add(detail::window_of(values, window.begin, length))) {
      asked.push_back(window);
      found.filled += missing;
    } else {
      found.left += missing;
    }
    if (batch.size() == most_windows) paint();
  }
  if (batch.size() > 0) paint();
  return found;
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

/// How far each value of `values` (time) is from what a model paints in its place when it is
/// hidden, in deviations of its window: of the windows over the series every `turns`-th column of
/// patches is hidden in turn, and whatever else of the picture a hidden value has a part in. NaN
/// where a value is missing, or nothing of its window can be seen. Throws config_error unless
/// 2 <= turns.
inline std::vector<double> anomaly_scores(pixel_painter const& painter,
                                          std::span<double const> values,
                                          forecast_options const& options,
                                          index_t turns = 4) {
  constexpr double missing = std::numeric_limits<double>::quiet_NaN();
  if (turns < 2)
    throw config_error("anomalies need two turns at least: what is seen must be there");
  index_t const length = detail::window_values(painter, options);
  detail::window_batch batch(painter, options, length);
  std::vector<double> scores(values.size(), missing);
  auto const turn_of = detail::turns_of_values(painter, batch.layout(), length, turns);
  for (auto const& window : detail::windows_over(std::ssize(values), length)) {
    auto const whole = detail::window_of(values, window.begin, length);
    index_t const shift = std::max<index_t>(0, length - std::ssize(values)) - window.begin;
    std::vector<index_t> row_of(static_cast<std::size_t>(turns), -1);  // in the batch
    for (index_t turn = 0; turn < turns; ++turn) {
      auto shown = whole;
      for (std::size_t i = 0; i < shown.size(); ++i)
        if (turn_of[i] == turn) shown[i] = missing;
      index_t const row = batch.size();
      if (batch.add(shown)) row_of[static_cast<std::size_t>(turn)] = row;
    }
    if (batch.size() == 0) continue;
    auto const painted = batch.paint();
    double const scale =
        range_of(whole, options).scale * options.contrast;  // the window's deviation
    for (index_t i = window.first; i < window.last; ++i) {
      auto const at = static_cast<std::size_t>(i + shift);
      index_t const row = row_of[static_cast<std::size_t>(turn_of[at])];
      if (row < 0) continue;
      scores[static_cast<std::size_t>(i)] =
          std::abs(values[static_cast<std::size_t>(i)] -
                   painted[static_cast<std::size_t>(row * length) + at]) /
          scale;
    }
  }
  return scores;
}

}  // namespace mae
