#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/time_stamp.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// When the values of a series were: stamps in equal steps (of a calendar, where they are months or
/// business days), or none at all: then values are counted.
struct time_axis {
  std::string name = "step";              // of the column
  std::vector<std::int64_t> stamps = {};  // seconds; empty: values are counted from 0
  stamp_format format = {};
  series_step step = {};
  bool ends_months = false;  // steps of months whose stamps are the months' last days

  bool has_stamps() const { return !stamps.empty(); }
};

namespace detail {

inline std::int64_t unit_seconds(step_unit unit) {
  switch (unit) {
    case step_unit::minute:
      return 60;
    case step_unit::hour:
      return 3600;
    case step_unit::day:
      return day_seconds;
    case step_unit::week:
      return 7 * day_seconds;
    default:
      return 1;
  }
}
inline bool is_months(step_unit unit) {
  return unit == step_unit::month || unit == step_unit::quarter || unit == step_unit::year;
}
inline index_t unit_months(step_unit unit) {
  return unit == step_unit::year ? 12 : unit == step_unit::quarter ? 3 : 1;
}

/// Months since the year 0.
inline std::int64_t month_number(std::int64_t seconds) {
  auto const day = day_of(seconds);
  return day.year * 12 + day.month - 1;
}
inline bool is_month_end(std::int64_t seconds) {
  return day_of(seconds + day_seconds).day == 1;
}
/// Monday is 0; 1970 began on a Thursday.
inline int weekday(std::int64_t seconds) {
  auto const days = (seconds - second_of_day(seconds)) / day_seconds;
  return static_cast<int>(((days + 3) % 7 + 7) % 7);
}

/// So many months later, at the same time of day; a day that the month does not have is its last.
inline std::int64_t plus_months(std::int64_t seconds, std::int64_t months, bool ends_months) {
  auto const day = day_of(seconds);
  std::int64_t const number = day.year * 12 + day.month - 1 + months;
  for (int wanted = ends_months ? 31 : day.day;; --wanted) {
    auto const found =
        days_of({.year = number / 12, .month = static_cast<int>(number % 12) + 1, .day = wanted});
    if (found) return *found * day_seconds + second_of_day(seconds);
  }
}

/// The largest unit that a number of seconds is whole multiples of.
inline series_step step_of_seconds(std::int64_t seconds) {
  for (auto const unit : {step_unit::week, step_unit::day, step_unit::hour, step_unit::minute})
    if (seconds % unit_seconds(unit) == 0) return {unit, seconds / unit_seconds(unit)};
  return {step_unit::second, seconds};
}
inline series_step step_of_months(std::int64_t months) {
  for (auto const unit : {step_unit::year, step_unit::quarter})
    if (months % unit_months(unit) == 0) return {unit, months / unit_months(unit)};
  return {step_unit::month, months};
}

/// The stamp `steps` after one.
inline std::int64_t stamp_after(time_axis const& axis, std::int64_t stamp, index_t steps) {
  auto const [unit, count] = axis.step;
  if (is_months(unit))
    return plus_months(stamp, steps * count * unit_months(unit), axis.ends_months);
  if (unit != step_unit::business_day) return stamp + steps * count * unit_seconds(unit);
  for (index_t i = 0; i < steps * count;) {
    stamp += day_seconds;
    if (weekday(stamp) < 5) ++i;
  }
  return stamp;
}

/// The most frequent difference of neighbours; ties go to the shorter.
inline std::int64_t usual_difference(std::span<std::int64_t const> stamps) {
  std::map<std::int64_t, index_t> counts;
  for (std::size_t i = 1; i < stamps.size(); ++i) ++counts[stamps[i] - stamps[i - 1]];
  std::int64_t usual = 1;
  index_t most = 0;
  for (auto const& [difference, count] : counts)
    if (count > most) {
      usual = difference;
      most = count;
    }
  return usual;
}

/// Steps of months, where stamps are of one day of the month (or its last) and one time of day.
inline std::optional<time_axis> by_months(std::span<std::int64_t const> stamps) {
  constexpr std::int64_t least = 28 * day_seconds;
  std::int64_t const first = stamps.front();
  bool ends = true;
  bool same_day = true;
  std::vector<std::int64_t> months;
  for (std::int64_t const stamp : stamps) {
    if (second_of_day(stamp) != second_of_day(first)) return std::nullopt;
    ends = ends && is_month_end(stamp);
    same_day = same_day && day_of(stamp).day == day_of(first).day;
    months.push_back(month_number(stamp));
  }
  if ((!ends && !same_day) || usual_difference(stamps) < least) return std::nullopt;
  time_axis axis;
  axis.step = step_of_months(usual_difference(months));
  axis.ends_months = ends && !(same_day && day_of(first).day <= 28);
  return axis;
}

/// Business days: no weekend has a stamp, and Fridays are followed by Mondays.
inline bool are_business_days(std::span<std::int64_t const> stamps) {
  bool skips = false;
  for (std::size_t i = 0; i < stamps.size(); ++i) {
    if (weekday(stamps[i]) >= 5) return false;
    if (i == 0) continue;
    auto const difference = stamps[i] - stamps[i - 1];
    skips = skips || (difference == 3 * day_seconds && weekday(stamps[i]) == 0);
    if (difference % day_seconds != 0) return false;
  }
  return skips && usual_difference(stamps) == day_seconds;
}

}  // namespace detail

/// The steps of stamps that rise, of which there may be fewer than steps: gaps. One stamp alone has
/// a step of a second.
inline time_axis axis_of(std::span<std::int64_t const> stamps, stamp_format const& format) {
  time_axis axis;
  if (stamps.size() > 1) {
    if (auto const months = detail::by_months(stamps))
      axis = *months;
    else if (detail::are_business_days(stamps))
      axis.step = {step_unit::business_day, 1};
    else
      axis.step = detail::step_of_seconds(detail::usual_difference(stamps));
  }
  axis.stamps.assign(stamps.begin(), stamps.end());
  axis.format = format;
  return axis;
}

/// The texts of the `count` stamps after the last, or the numbers of values.
inline std::vector<std::string> stamps_after(time_axis const& axis, index_t length, index_t count) {
  std::vector<std::string> texts;
  for (index_t i = 1; i <= count; ++i)
    texts.push_back(axis.has_stamps()
                        ? stamp_text(detail::stamp_after(axis, axis.stamps.back(), i), axis.format)
                        : std::to_string(length - 1 + i));
  return texts;
}
/// The text of a value's stamp, or its number.
inline std::string stamp_of(time_axis const& axis, index_t value) {
  if (!axis.has_stamps()) return std::to_string(value);
  return stamp_text(axis.stamps[static_cast<std::size_t>(value)], axis.format);
}

}  // namespace mae
