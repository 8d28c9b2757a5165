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
#include <mae/series/value_runs.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
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
  std::vector<value_run> runs = {};      // of all columns; files of before have none
};

namespace detail {

inline std::string hex_text(std::uint64_t hash) {
  constexpr char const* digits = "0123456789abcdef";
  std::string text(16, '0');
  for (auto letter = text.rbegin(); letter != text.rend(); ++letter, hash >>= 4U)
    *letter = digits[hash & 15U];
  return text;
}
inline std::string hash_text(std::span<double const> values) {
  xxh64 hash;
  hash.update(std::as_bytes(values));
  return hex_text(hash.digest());
}

/// "0+64=00f3..., 64+..." without the space: first value, count and hash of each.
inline std::string runs_text(std::span<value_run const> runs) {
  std::string text;
  for (auto const& run : runs) {
    if (!text.empty()) text += ',';
    text += std::to_string(run.begin);
    text += '+';
    text += std::to_string(run.count);
    text += '=';
    text += hex_text(run.hash);
  }
  return text;
}
/// The inverse; nothing of another text, and of runs that are not among so many values.
inline std::optional<std::vector<value_run>> parse_runs(std::string_view text, index_t values) {
  std::vector<value_run> runs;
  bool is_whole = true;
  auto const number = [&](auto& found, char after, int base) {
    auto const [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), found, base);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    bool const ends = after == ',' && text.empty();
    is_whole = is_whole && problem == std::errc{} && (ends || text.starts_with(after));
    if (!text.empty()) text.remove_prefix(1);
  };
  while (is_whole && !text.empty()) {
    value_run run;
    number(run.begin, '+', 10);
    number(run.count, '=', 10);
    number(run.hash, ',', 16);
    is_whole = is_whole && run.begin >= 0 && run.count >= 1 && run.begin <= values &&
               run.count <= values - run.begin;
    runs.push_back(run);
  }
  if (!is_whole) return std::nullopt;
  return runs;
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
  for (index_t v = 0; v < s.variables(); ++v) {
    auto const own = s.variable(v).first(static_cast<std::size_t>(values));
    learnt.hashes.push_back(detail::hash_text(own));
    auto const runs = known_runs(own);
    learnt.runs.insert(learnt.runs.end(), runs.begin(), runs.end());
  }
  if (s.time.has_stamps()) learnt.first = stamp_of(s.time, 0);
  return learnt;
}

/// What a file says of it.
inline settings_list describe(learnt_series const& learnt) {
  return {{"series_columns", csv_line(learnt.columns)},
          {"series_hashes", csv_line(learnt.hashes)},
          {"series_runs", detail::runs_text(learnt.runs)},
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
  auto runs = detail::parse_runs(entry("series_runs"), learnt.values);
  if (!runs)
    throw format_error(path, 8, "metadata: series_runs are no runs of the series_values values");
  learnt.runs = std::move(*runs);
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

/// What a model may have seen of a series.
struct seen_values {
  index_t count = 0;       // the values up to the last that it may have seen, from the first on
  std::string doubt = {};  // why it may have seen none of them; empty where it has
};

namespace detail {

/// Where the model's first value lies in the series, by time stamps that are equal steps apart:
/// before its first, where that is negative, at most by as many as it has learnt. Nothing where it
/// lies between two.
inline std::optional<index_t> place_by_stamps(time_axis const& time,
                                              std::int64_t first,
                                              index_t values) {
  auto const& stamps = time.stamps;
  if (stamps.front() <= first) {
    auto const at = std::lower_bound(stamps.begin(), stamps.end(), first);
    if (at == stamps.end() || *at != first) return std::nullopt;
    return at - stamps.begin();
  }
  index_t low = 0;
  index_t high = values;
  while (low < high) {
    index_t const middle = (low + high) / 2;
    if (stamp_after(time, first, middle) < stamps.front())
      low = middle + 1;
    else
      high = middle;
  }
  if (low < values && stamp_after(time, first, low) != stamps.front()) return std::nullopt;
  return -low;
}

/// By the one hash of a column that files of before have: all must be there, and equal.
inline seen_values seen_by_hash(learnt_series const& learnt, series const& s, index_t begin) {
  index_t const end = std::min(begin + learnt.values, s.length());
  if (begin < 0 || begin + learnt.values > s.length())
    return {end, "what it has learnt is known again as a whole alone, and is not there as a whole"};
  for (index_t v = 0; v < s.variables(); ++v) {
    auto const part = s.variable(v).subspan(static_cast<std::size_t>(begin),
                                            static_cast<std::size_t>(learnt.values));
    auto const& hashes = learnt.hashes;
    if (!is_constant(part) &&
        std::find(hashes.begin(), hashes.end(), hash_text(part)) != hashes.end())
      return {end};
  }
  return {end, "its values at those times are constant, or not all those that it has learnt"};
}

/// Where the model's first value would be value `begin` of the series.
inline seen_values seen_at(learnt_series const& learnt, series const& s, index_t begin) {
  index_t const end = std::min(begin + learnt.values, s.length());
  if (end <= 0) return {};
  if (learnt.runs.empty()) return seen_by_hash(learnt, s, begin);
  bool is_compared = false;
  for (index_t v = 0; v < s.variables(); ++v) {
    run_hashes const hashes(s.variable(v));
    for (auto const& run : learnt.runs) {
      index_t const at = begin + run.begin;
      if (at < 0 || at + run.count > s.length()) continue;
      is_compared = true;
      if (hashes.of(at, run.count) == run.hash) return {end};
    }
  }
  return {end,
          is_compared ? "its values at those times are not those that it has learnt"
                      : "too few of the values that it has learnt are there to know them again"};
}

/// Where nothing says when the values were: as if both began together, else wherever runs are found
/// again.
inline seen_values seen_anywhere(learnt_series const& learnt, series const& s) {
  auto together = seen_at(learnt, s, 0);
  if (together.doubt.empty()) return together;
  std::map<index_t, std::unordered_map<std::uint64_t, index_t>> begins;  // by count and hash
  for (auto const& run : learnt.runs) {
    auto const [found, is_new] = begins[run.count].try_emplace(run.hash, run.begin);
    found->second = std::min(found->second, run.begin);
  }
  index_t end = 0;
  for (index_t v = 0; v < s.variables(); ++v) {
    run_hashes const hashes(s.variable(v));
    for (auto const& [count, of_hash] : begins)
      for (index_t at = 0; at + count <= s.length(); ++at) {
        auto const run = of_hash.find(hashes.of(at, count));
        if (run != of_hash.end()) end = std::max(end, at - run->second + learnt.values);
      }
  }
  if (end > 0) return {std::min(end, s.length())};
  return {s.length(),
          learnt.runs.empty()
              ? "without time stamps of both it is compared only as if both began together, and "
                "its values are then not all those that it has learnt"
              : "without time stamps of both its values are compared in every place, and no part "
                "that it has learnt is there as a whole"};
}

}  // namespace detail

/// How many values of a series, from its first on, a model may have seen: those up to the last that
/// it has learnt from, by time stamps, and without doubt where some of them are the same, though
/// others be changed, filled or not there. Without time stamps they are looked for in every place.
inline seen_values values_seen(learnt_series const& learnt, series const& s) {
  auto const first = parse_stamp(learnt.first);
  if (!first || !s.time.has_stamps()) return detail::seen_anywhere(learnt, s);
  if (s.time.stamps.back() < first->seconds) return {};
  auto const step = detail::step_of(s.time);
  if (step != learnt.step)
    return {s.length(),
            "its values are " + step + " apart, and those that it has learnt " + learnt.step};
  auto const begin = detail::place_by_stamps(s.time, first->seconds, learnt.values);
  if (!begin)
    return {s.length(), "its time stamps lie between those of the values that it has learnt"};
  return detail::seen_at(learnt, s, *begin);
}

}  // namespace mae
