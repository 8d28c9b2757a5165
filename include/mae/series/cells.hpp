#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

// What the cells of a table of numbers say.

namespace mae::detail {

inline constexpr double missing_value = std::numeric_limits<double>::quiet_NaN();

inline std::string_view without_spaces(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}
/// Texts that stand for a missing value.
inline bool says_missing(std::string_view text) {
  constexpr std::array<std::string_view, 9> words{
      "", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None"};
  return std::find(words.begin(), words.end(), text) != words.end();
}
/// Whether a text is a number and nothing else.
inline bool is_number(std::string_view text) {
  double value = 0;
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc{} && end == text.data() + text.size();
}
/// Whether a comma stands where a decimal point should.
inline bool has_decimal_comma(std::string_view text) {
  auto const comma = text.find(',');
  if (comma == std::string_view::npos) return false;
  std::string with_point(text);
  with_point[comma] = '.';
  return is_number(with_point);
}

}  // namespace mae::detail
