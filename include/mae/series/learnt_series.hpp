#pragma once

#include <mae/core/csv.hpp>
#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/series/frequency.hpp>
#include <mae/series/series.hpp>
#include <mae/series/time_axis.hpp>
#include <mae/series/time_stamp.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What a model of windows has learnt from, which its file says: so that values are not forecast by
/// a model of others, nor graded by one that has seen them, without a word.
struct learnt_series {
  std::vector<std::string> columns = {};
  std::vector<std::string> hashes = {};  // of each column's learnt values, 16 hexadecimal digits
  std::string step = "none";             // "1 hour"; none where there were no time stamps
  std::string first = "none";            // stamp of the first value
  index_t values = 0;                    // of each column, from that on
};

namespace detail {

inline std::string hash_text(std::span<double const> values) {
  constexpr char const* digits = "0123456789abcdef";
  xxh64 hash;
  hash.update(std::as_bytes(values));
  std::uint64_t left = hash.digest();
  std::string text(16, '0');
  for (auto letter = text.rbegin(); letter != text.rend(); ++letter, left >>= 4U)
    *letter = digits[left & 15U];
  return text;
}
inline std::string step_of(time_axis const& time) {
  return time.has_stamps() ? step_text(time.step) : "none";
}
inline std::string listed(std::vector<std::string> const& names) {
  std::string text;
  for (auto const& name : names) (text += text.empty() ? "" : ", ") += in_quotes(name);
  return text;
}

}  // namespace detail

/// Of the first `values` values of a series.
inline learnt_series learnt_from(series const& s, index_t values) {
  learnt_series learnt{.columns = s.names, .step = detail::step_of(s.time), .values = values};
  for (index_t v = 0; v < s.variables(); ++v)
    learnt.hashes.push_back(
        detail::hash_text(s.variable(v).first(static_cast<std::size_t>(values))));
  if (s.time.has_stamps()) learnt.first = stamp_of(s.time, 0);
  return learnt;
}

/// What a file says of it.
inline settings_list describe(learnt_series const& learnt) {
  return {{"series_columns", csv_line(learnt.columns)},
          {"series_hashes", csv_line(learnt.hashes)},
          {"series_step", learnt.step},
          {"series_first", learnt.first},
          {"series_values", std::to_string(learnt.values)},
          {"series_standardised", "context"}};
}

/// The inverse; nothing for a file that does not say. Throws format_error for entries that
/// contradict themselves, and for windows that are standardised otherwise than by their contexts.
inline std::optional<learnt_series> learnt_in(std::string const& path,
                                              safetensors_metadata const& description) {
  auto const entry = [&](char const* name) {
    auto const found = description.find(name);
    return found == description.end() ? std::string() : found->second;
  };
  if (!description.contains("series_columns")) return std::nullopt;
  if (entry("series_standardised") != "context")
    throw format_error(path,
                       8,
                       "metadata: series_standardised is " +
                           in_quotes(entry("series_standardised")) +
                           ", and windows standardised by their context are all that is known: a "
                           "later release reads the file");
  learnt_series learnt{.columns = csv_table(path, entry("series_columns")).names(),
                       .step = entry("series_step"),
                       .first = entry("series_first")};
  auto const hashes = entry("series_hashes");  // in which none repeats a comma or a quote
  for (std::size_t begin = 0; begin < hashes.size(); begin += 17)
    learnt.hashes.push_back(hashes.substr(begin, 16));
  auto const values = entry("series_values");
  auto const [end, problem] =
      std::from_chars(values.data(), values.data() + values.size(), learnt.values);
  if (problem != std::errc{} || end != values.data() + values.size() || learnt.values < 1 ||
      learnt.hashes.size() != learnt.columns.size() || learnt.step.empty())
    throw format_error(path, 8, "metadata: series_columns, _hashes, _step and _values disagree");
  return learnt;
}

/// How a series differs from what a model has learnt from, in a sentence; empty where it does not.
/// Where variables share a picture, all must be there, in the same order.
inline std::string misfit(learnt_series const& learnt, series const& s, bool is_joint) {
  if (is_joint && s.names != learnt.columns)
    return "its pictures show the columns " + detail::listed(learnt.columns) +
           " together, in this order, and these are " + detail::listed(s.names);
  for (auto const& name : s.names)
    if (std::find(learnt.columns.begin(), learnt.columns.end(), name) == learnt.columns.end())
      return "it has learnt from " + detail::listed(learnt.columns) + ", not from " +
             in_quotes(name);
  auto const step = detail::step_of(s.time);
  if (step != "none" && learnt.step != "none" && step != learnt.step)
    return "it has learnt from values that are " + learnt.step + " apart, and these are " + step +
           " apart";
  return {};
}

/// How many values of a series, from its first on, a model may have seen: those up to the last that
/// it has learnt from, where they are the same; 0 for another series. Nothing where that cannot be
/// told, since the series does not begin as early.
inline std::optional<index_t> values_seen(learnt_series const& learnt, series const& s) {
  index_t begin = 0;
  auto const first = parse_stamp(learnt.first);
  if (first && s.time.has_stamps()) {
    auto const& stamps = s.time.stamps;
    auto const at = std::lower_bound(stamps.begin(), stamps.end(), first->seconds);
    if (at == stamps.end()) return 0;
    if (*at != first->seconds) {
      bool const is_later =
          detail::step_of(s.time) == learnt.step && at == stamps.begin() &&
          detail::stamp_after(s.time, first->seconds, learnt.values - 1) < stamps.front();
      return is_later ? std::optional<index_t>(0) : std::nullopt;
    }
    begin = at - stamps.begin();
  }
  if (begin + learnt.values > s.length()) return std::nullopt;
  for (index_t v = 0; v < s.variables(); ++v) {
    auto const part = s.variable(v).subspan(static_cast<std::size_t>(begin),
                                            static_cast<std::size_t>(learnt.values));
    auto const& hashes = learnt.hashes;
    if (std::find(hashes.begin(), hashes.end(), detail::hash_text(part)) != hashes.end())
      return begin + learnt.values;
  }
  return 0;
}

}  // namespace mae
