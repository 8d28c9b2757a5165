#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace mae {

/// How a head's weight moves during a training: a factor of its weight, linear between points of
/// progress, in [0, 1], and constant before the first and after the last. Two points of the same
/// progress are a jump, after which the second holds. At 0 the head has no part in a step: no pass
/// and no gradient. A step of which no head with a part finds a label is refused, as ever.
struct head_schedule {
  struct point {
    double factor = 1;
    double progress = 0;

    friend bool operator==(point const&, point const&) = default;
  };

  std::string head;           // its name
  std::vector<point> points;  // of progress that does not fall

  double operator()(double progress) const {
    std::size_t after = 0;
    while (after < points.size() && points[after].progress <= progress) ++after;
    if (after == 0) return points.front().factor;
    point const& last = points[after - 1];
    if (after == points.size()) return last.factor;
    point const& next = points[after];
    double const share = (progress - last.progress) / (next.progress - last.progress);
    return std::lerp(last.factor, next.factor, share);
  }

  friend bool operator==(head_schedule const&, head_schedule const&) = default;
};

/// Throws config_error for a schedule without points, factors that are negative or not finite, and
/// progress that falls or lies outside [0, 1].
inline void require_valid(head_schedule const& schedule) {
  auto const refuse = [&](std::string const& why) {
    throw config_error("the schedule of the head " + in_quotes(schedule.head) + " " + why);
  };
  if (schedule.points.empty()) refuse("has no point");
  double last = 0;
  for (auto const& [factor, progress] : schedule.points) {
    if (!(factor >= 0) || !std::isfinite(factor))
      refuse("has the factor " + decimal_text(factor) + ": it must be finite and not negative");
    if (!(progress >= last && progress <= 1))
      refuse("goes from progress " + decimal_text(last) + " to " + decimal_text(progress) +
             ": points ascend, in [0, 1]");
    last = progress;
  }
}

/// Throws likewise, and for a head that has two.
inline void require_valid(std::vector<head_schedule> const& schedules) {
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    require_valid(schedules[i]);
    for (std::size_t k = 0; k < i; ++k)
      if (schedules[k].head == schedules[i].head)
        throw config_error("the head " + in_quotes(schedules[i].head) +
                           " has two schedules: give it one");
  }
}

/// "contrast=0@0,1@0.3;decoder=1@0.8,0@0.9": contrast comes in over the first three tenths, the
/// decoder leaves between eight and nine tenths. The text of none is empty.
inline std::string to_text(std::vector<head_schedule> const& schedules) {
  std::string text;
  for (auto const& schedule : schedules) {
    text += (text.empty() ? "" : ";") + schedule.head;
    char separator = '=';
    for (auto const& [factor, progress] : schedule.points) {
      text += separator + decimal_text(factor) + "@" + decimal_text(progress);
      separator = ',';
    }
  }
  return text;
}

namespace detail {

inline double scheduled_number(std::string_view text, std::string_view in) {
  double value = 0;
  auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size())
    throw config_error("head schedule: " + in_quotes(text) + " is no number, in " + in_quotes(in) +
                       ": write NAME=FACTOR@PROGRESS,...;..., as contrast=0@0,1@0.3");
  return value;
}

/// Cuts off what comes before the next `separator`, or all.
inline std::string_view next_part(std::string_view& rest, char separator) {
  auto const end = std::min(rest.find(separator), rest.size());
  auto const part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace detail

/// Reads what to_text writes. Throws config_error for other text, for a head that is named twice,
/// and as require_valid.
inline std::vector<head_schedule> head_schedules_of(std::string_view text) {
  std::vector<head_schedule> schedules;
  while (!text.empty()) {
    auto const whole = detail::next_part(text, ';');
    auto rest = whole;
    head_schedule read{.head = std::string(detail::next_part(rest, '=')), .points = {}};
    while (!rest.empty()) {
      auto progress = detail::next_part(rest, ',');
      auto const factor = detail::next_part(progress, '@');
      read.points.push_back(
          {detail::scheduled_number(factor, whole), detail::scheduled_number(progress, whole)});
    }
    schedules.push_back(std::move(read));
  }
  require_valid(schedules);
  return schedules;
}

}  // namespace mae
