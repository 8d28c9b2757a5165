#pragma once

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// What lies between two values of a series, of `count` of which a step is.
enum class step_unit : std::uint8_t {
  second,
  minute,
  hour,
  day,
  week,
  business_day,
  month,
  quarter,
  year
};

struct series_step {
  step_unit unit = step_unit::second;
  index_t count = 1;

  friend bool operator==(series_step const&, series_step const&) = default;
};

namespace detail {

/// Names of a unit in pandas, today's first, and the seasons that it may have, in units: those of
/// VisionTS' table.
struct unit_entry {
  step_unit unit = step_unit::second;
  char const* word = "";
  std::array<std::string_view, 5> names = {};
  std::array<index_t, 3> seasons = {};  // 0: none
};
inline constexpr std::array<unit_entry, 9> unit_table{{
    {step_unit::second, "second", {"s", "S"}, {3600}},
    {step_unit::minute, "minute", {"min", "T"}, {1440, 10'080}},
    {step_unit::hour, "hour", {"h", "H"}, {24, 168}},
    {step_unit::day, "day", {"D"}, {7, 30, 365}},
    {step_unit::week, "week", {"W"}, {52, 4}},
    {step_unit::business_day, "business day", {"B"}, {5}},
    {step_unit::month, "month", {"ME", "M", "MS", "BME", "BMS"}, {12, 6, 3}},
    {step_unit::quarter, "quarter", {"QE", "Q", "QS", "BQE", "BQS"}, {4, 2}},
    {step_unit::year, "year", {"YE", "A", "Y", "YS", "AS"}, {}},
}};
inline unit_entry const& entry_of(step_unit unit) {
  return unit_table[static_cast<std::size_t>(unit)];
}

}  // namespace detail

/// A step by the name that pandas gives it, of today (h, min, s, ME, QE, YE) or before 2.2 (H, T,
/// S, M, Q, A), after a count where it is not 1 and before an anchor: "15min", "QE-DEC", "W-SUN".
/// Throws config_error for another name.
inline series_step parse_step(std::string_view name) {
  std::string_view left = name.substr(0, name.find('-'));
  index_t count = 1;
  if (!left.empty() && left.front() >= '0' && left.front() <= '9') {
    auto const [end, problem] = std::from_chars(left.data(), left.data() + left.size(), count);
    if (problem != std::errc{} || count < 1)
      throw config_error("the frequency " + in_quotes(name) + " has no step");
    left.remove_prefix(static_cast<std::size_t>(end - left.data()));
  }
  for (auto const& entry : detail::unit_table)
    for (auto const& known : entry.names)
      if (!known.empty() && left == known) return {entry.unit, count};
  throw config_error("the frequency " + in_quotes(name) +
                     " is not known: s, min, h, D, B, W, ME, QE or YE, after a count if need be");
}

/// "1 hour", "15 minutes".
inline std::string step_text(series_step const& step) {
  std::string text = std::to_string(step.count);
  text.append(" ").append(detail::entry_of(step.unit).word);
  if (step.count > 1) text += 's';
  return text;
}

/// The seasons that a series of this step may have, in values, the likeliest first; without the
/// season of one value. VisionTS' table; where its count divides.
inline std::vector<index_t> seasons_of(series_step const& step) {
  std::vector<index_t> seasons;
  for (index_t const season : detail::entry_of(step.unit).seasons)
    if (season % step.count == 0 && season / step.count > 1) seasons.push_back(season / step.count);
  return seasons;
}

}  // namespace mae
