#pragma once

#include <mae/core/types.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace mae {

/// How a file writes its time stamps, so that others can be written alike.
struct stamp_format {
  char separator = '-';           // between year, month and day
  char between = ' ';             // between day and time of day: ' ' or 'T'
  bool is_padded = true;          // 2016-07-01, not 2016-7-1
  bool has_time = true;           // hours and minutes
  bool has_seconds = true;        // seconds too
  std::string zone = {};          // as it is written: "", "Z", "+01:00"
  std::int64_t zone_seconds = 0;  // what is to be taken off for the time of Greenwich

  friend bool operator==(stamp_format const&, stamp_format const&) = default;
};

/// A moment: seconds since the beginning of 1970 by the clock of its zone.
struct time_stamp {
  std::int64_t seconds = 0;
  stamp_format format;
};

/// A day by the calendar.
struct civil_day {
  std::int64_t year = 1970;
  int month = 1;
  int day = 1;
};

inline constexpr std::int64_t day_seconds = 86'400;

namespace detail {

/// What is left of a stamp's text.
class stamp_reader {
 public:
  explicit stamp_reader(std::string_view text) : text_(text) {}

  bool is_done() const { return text_.empty(); }
  std::string_view rest() const { return text_; }
  bool take(char letter) {
    if (!text_.starts_with(letter)) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A number of `least` to `most` digits; nothing, and nothing taken, for anything else.
  std::optional<int> number(std::size_t least, std::size_t most) {
    std::size_t digits = 0;
    while (digits < most && digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9')
      ++digits;
    if (digits < least) return std::nullopt;
    int value = 0;
    std::from_chars(text_.data(), text_.data() + digits, value);
    text_.remove_prefix(digits);
    taken_ = digits;
    return value;
  }
  /// The digits of the last number.
  std::size_t taken() const { return taken_; }

 private:
  std::string_view text_;
  std::size_t taken_ = 0;
};

/// Days since the beginning of 1970; nothing for a day that is not there.
inline std::optional<std::int64_t> days_of(civil_day const& day) {
  std::chrono::year_month_day const date(std::chrono::year(static_cast<int>(day.year)),
                                         std::chrono::month(static_cast<unsigned>(day.month)),
                                         std::chrono::day(static_cast<unsigned>(day.day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

/// "Z", "+01:00", "+0100", "+01", or nothing.
inline bool take_zone(stamp_reader& reader, stamp_format& format) {
  format.zone = reader.rest();
  if (reader.is_done() || ((reader.take('Z') || reader.take('z')) && reader.is_done())) return true;
  bool const is_west = reader.rest().starts_with('-');
  if (!reader.take('+') && !reader.take('-')) return false;
  auto const hours = reader.number(2, 2);
  reader.take(':');
  auto const minutes = reader.is_done() ? std::optional(0) : reader.number(2, 2);
  if (!hours || !minutes || !reader.is_done() || *hours > 14 || *minutes > 59) return false;
  format.zone_seconds =
      (is_west ? -1 : 1) * (std::int64_t{3600} * *hours + std::int64_t{60} * *minutes);
  return true;
}

/// "19:30", "19:30:00", "19:30:00.000"; a fraction of a second must be 0.
inline std::optional<std::int64_t> take_time(stamp_reader& reader, stamp_format& format) {
  auto const hour = reader.number(1, 2);
  if (!hour || *hour > 23 || !reader.take(':')) return std::nullopt;
  auto const minute = reader.number(2, 2);
  if (!minute || *minute > 59) return std::nullopt;
  format.has_seconds = reader.take(':');
  auto const second = format.has_seconds ? reader.number(2, 2) : std::optional(0);
  if (!second || *second > 59) return std::nullopt;
  if (format.has_seconds && reader.take('.')) {
    auto const fraction = reader.number(1, 9);
    if (!fraction || *fraction != 0) return std::nullopt;
  }
  return *hour * 3600 + *minute * 60 + *second;
}

}  // namespace detail

/// The day of a moment.
inline civil_day day_of(std::int64_t seconds) {
  auto const days = std::chrono::floor<std::chrono::days>(std::chrono::seconds(seconds));
  std::chrono::year_month_day const date{std::chrono::sys_days(days)};
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<int>(static_cast<unsigned>(date.month())),
          .day = static_cast<int>(static_cast<unsigned>(date.day()))};
}
/// Seconds since midnight.
inline std::int64_t second_of_day(std::int64_t seconds) {
  return ((seconds % day_seconds) + day_seconds) % day_seconds;
}

/// A moment from a text like 2016-07-01 19:30:00, 2016-07-01T19:30Z, 2016/7/1 0:00 or 2016-07-01;
/// nothing for any other.
inline std::optional<time_stamp> parse_stamp(std::string_view text) {
  detail::stamp_reader reader(text);
  time_stamp found;
  auto& format = found.format;
  auto const year = reader.number(4, 4);
  if (!year || reader.is_done()) return std::nullopt;
  format.separator = reader.rest().front();
  if (!reader.take('-') && !reader.take('/')) return std::nullopt;
  auto const month = reader.number(1, 2);
  format.is_padded = reader.taken() == 2;
  if (!month || !reader.take(format.separator)) return std::nullopt;
  auto const day = reader.number(1, 2);
  format.is_padded = format.is_padded && reader.taken() == 2;
  if (!day) return std::nullopt;
  auto const days = detail::days_of({.year = *year, .month = *month, .day = *day});
  if (!days) return std::nullopt;
  found.seconds = *days * day_seconds;
  format.has_time = false;
  format.has_seconds = false;
  if (reader.is_done()) return found;
  format.between = reader.rest().front();
  if (!reader.take(' ') && !reader.take('T')) return std::nullopt;
  format.has_time = true;
  auto const time = detail::take_time(reader, format);
  if (!time) return std::nullopt;
  found.seconds += *time;
  if (!detail::take_zone(reader, format)) return std::nullopt;
  return found;
}

/// A moment as a file writes it.
inline std::string stamp_text(std::int64_t seconds, stamp_format const& format) {
  auto const padded = [](std::int64_t number, bool is_padded) {
    std::string text = std::to_string(number);
    if (is_padded && number < 10) text.insert(0, 1, '0');
    return text;
  };
  auto const day = day_of(seconds);
  std::string text = std::to_string(day.year);
  for (int const part : {day.month, day.day})
    (text += format.separator) += padded(part, format.is_padded);
  if (!format.has_time) return text;
  auto const second = second_of_day(seconds);
  (text += format.between) += padded(second / 3600, format.is_padded);
  (text += ':') += padded(second / 60 % 60, true);
  if (format.has_seconds) (text += ':') += padded(second % 60, true);
  return text += format.zone;
}

}  // namespace mae
