#pragma once

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/series/cells.hpp>
#include <mae/series/csv_rows.hpp>
#include <mae/series/series.hpp>
#include <mae/series/time_axis.hpp>
#include <mae/series/time_stamp.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace mae {

/// What a gap between two time stamps is: an error, or values that are missing.
enum class gap_rule : std::uint8_t { refuse, missing };

/// What of a file of comma-separated values is read.
struct read_series_options {
  std::vector<std::string> columns = {};  // empty: all but that of the stamps
  std::string time_column = {};           // empty: the first, where its first field is a time stamp
  bool counts_values = false;             // there are no time stamps, whatever the first column is
  gap_rule gaps = gap_rule::refuse;
};

namespace detail {

/// Reads a table of numbers and time stamps, row after row.
class series_reader {
 public:
  series_reader(std::string const& path, read_series_options options)
      : rows_(path), options_(std::move(options)) {}

  series read() {
    take_names();
    std::vector<std::string> fields;
    while (rows_.next(fields)) {
      take_empty_lines();
      take_row(fields);
    }
    if (count_ == 0) rows_.refuse(": the table has names and no values");
    for (std::size_t k = 0; k < columns_.size(); ++k)
      if (known_[k] == 0)
        throw format_error(
            rows_.path(), 0, "the column " + in_quotes(found_.names[k]) + " has no value at all");
    finish_axis();
    for (auto& column : values_) {
      found_.values.insert(found_.values.end(), column.begin(), column.end());
      column = {};
    }
    return std::move(found_);
  }

 private:
  void take_names() {
    if (!rows_.next(names_))
      throw format_error(rows_.path(), 0, "the file is empty: it has no line of names");
    if (names_.size() == 1 && names_.front().find(';') != std::string::npos)
      rows_.refuse(
          ": the fields are separated by ';', as where decimals are written with a comma: write "
          "',' between fields and '.' in numbers");
    for (auto& name : names_) name = without_spaces(name);
    auto sorted = names_;
    std::sort(sorted.begin(), sorted.end());
    auto const twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end())
      rows_.refuse(": the column " + in_quotes(*twice) + " is there twice");
  }

  /// Which columns are read; known once the first row is there, which says whether it has a stamp.
  void choose_columns(std::vector<std::string> const& fields) {
    if (!options_.time_column.empty())
      time_ = column_of(options_.time_column);
    else if (!options_.counts_values && parse_stamp(without_spaces(fields.front())))
      time_ = 0;
    if (options_.columns.empty()) {
      for (std::size_t k = 0; k < names_.size(); ++k)
        if (k != time_) columns_.push_back(k);
      if (columns_.empty()) rows_.refuse(": there is no column of values beside the time stamps");
    }
    for (auto const& name : options_.columns) {
      columns_.push_back(column_of(name));
      if (columns_.back() == time_)
        throw config_error("the column " + in_quotes(name) + " holds the time stamps");
    }
    bool const reads_first = std::find(columns_.begin(), columns_.end(), 0) != columns_.end();
    watches_first_ = time_ == no_column && !reads_first && !options_.counts_values;
    values_.resize(columns_.size());
    known_.resize(columns_.size());
    for (std::size_t const k : columns_) found_.names.push_back(names_[k]);
  }
  std::size_t column_of(std::string const& name) const {
    for (std::size_t k = 0; k < names_.size(); ++k)
      if (names_[k] == name) return k;
    std::string all;
    for (auto const& known : names_) (all += all.empty() ? "" : ", ") += known;
    throw config_error(rows_.path() + ": there is no column " + in_quotes(name) + "; it has " +
                       all);
  }

  /// Of a table of one column an empty line is a missing value; of others it says nothing, which is
  /// harmless where stamps say when values were.
  void take_empty_lines() {
    auto const lines = rows_.empty_lines();
    if (lines == 0 || (names_.size() > 1 && (count_ == 0 || time_ != no_column))) return;
    if (names_.size() > 1)
      rows_.refuse(
          ": the line before it is empty, and there are no time stamps that say whether values are "
          "missing there: remove it, or write its commas");
    if (count_ == 0) choose_columns({""});
    for (std::uint64_t i = 0; i < lines; ++i) take_row({""});
  }
  void take_row(std::vector<std::string> const& fields) {
    if (fields.size() != names_.size()) refuse_count(fields);
    if (columns_.empty()) choose_columns(fields);
    if (time_ != no_column) take_stamp(without_spaces(fields[time_]));
    if (watches_first_) require_no_stamp(without_spaces(fields.front()));
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      double const value = number(fields[columns_[k]], names_[columns_[k]]);
      if (!std::isnan(value)) ++known_[k];
      values_[k].push_back(value);
    }
    ++count_;
  }
  /// A first column that is not asked for may number the values, but not date them: stamps that
  /// cannot be read would be passed over.
  void require_no_stamp(std::string_view text) const {
    if (says_missing(text) || is_number(text)) return;
    rows_.refuse(", column " + in_quotes(names_.front()) + ": " + in_quotes(text) +
                 " is no number, nor are the column's stamps read: write all of them as 2016-07-01 "
                 "19:30:00 or 2016-07-01, name their column (--time NAME; time_column in a "
                 "program), or count values without stamps (--time none; counts_values)");
  }
  [[noreturn]] void refuse_count(std::vector<std::string> const& fields) const {
    std::string what = " has " + std::to_string(fields.size()) + " fields, the line of names " +
                       std::to_string(names_.size());
    if (fields.size() == 2 * names_.size() - 1)
      what += ": are decimals written with a comma? Write them with a point";
    rows_.refuse(what);
  }
  double number(std::string_view text, std::string const& column) const {
    text = without_spaces(text);
    if (says_missing(text)) return missing_value;
    double value = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem == std::errc{} && end == text.data() + text.size() && std::isfinite(value))
      return value;
    rows_.refuse(", column " + in_quotes(column) + ": " + in_quotes(text) +
                 (has_decimal_comma(text)
                      ? " has a decimal comma: write it with a point"
                      : " is no number; a missing value is an empty field, NA or NaN"));
  }

  void take_stamp(std::string_view text) {
    auto const found = parse_stamp(text);
    auto const refuse = [&](std::string const& what) {
      rows_.refuse(", column " + in_quotes(names_[time_]) + ": " + in_quotes(text) + what);
    };
    if (!found)
      return refuse(
          " is no time stamp: they are written as 2016-07-01 19:30:00, with T or a zone (Z, "
          "+01:00) "
          "if need be, or 2016-07-01");
    if (stamps_.empty()) format_ = found->format;
    if (found->format.zone != format_.zone)
      return refuse(" is of " + zone_text(found->format) + ", the stamps before it of " +
                    zone_text(format_) + ": write all stamps in one zone");
    format_.is_padded = format_.is_padded && found->format.is_padded;
    format_.has_time = format_.has_time || found->format.has_time;
    format_.has_seconds = format_.has_seconds || found->format.has_seconds;
    if (!stamps_.empty() && found->seconds == stamps_.back())
      return refuse(
          " stands there twice: a value has a stamp of its own (where clocks are set back, "
          "write stamps in UTC)");
    if (!stamps_.empty() && found->seconds < stamps_.back())
      return refuse(" is before the stamp of the line above: sort the rows by time");
    stamps_.push_back(found->seconds);
    lines_.push_back(rows_.line());
  }
  static std::string zone_text(stamp_format const& format) {
    return format.zone.empty() ? "no zone" : "the zone " + format.zone;
  }

  /// Finds the step, and the gaps.
  void finish_axis() {
    if (time_ == no_column) return;
    auto axis = axis_of(stamps_, format_);
    std::vector<std::int64_t> expected{stamps_.front()};
    std::vector<std::size_t> places{0};  // of each row's value
    index_t const most_values = 1000 + 10 * count_;
    for (std::size_t i = 1; i < stamps_.size(); ++i) {
      auto next = stamp_after(axis, expected.back(), 1);
      if (next != stamps_[i]) refuse_gap(axis, i, next);
      while (next < stamps_[i]) {
        if (std::ssize(expected) > most_values) refuse_long_gap(i);
        expected.push_back(next);
        next = stamp_after(axis, next, 1);
      }
      if (next != stamps_[i]) refuse_step(axis, i);
      expected.push_back(next);
      places.push_back(expected.size() - 1);
    }
    if (expected.size() > stamps_.size())
      for (auto& column : values_) {
        std::vector<double> spread(expected.size(), missing_value);
        for (std::size_t i = 0; i < places.size(); ++i) spread[places[i]] = column[i];
        column = std::move(spread);
      }
    axis.stamps = std::move(expected);
    axis.name = names_[time_];
    found_.time = std::move(axis);
  }
  void refuse_gap(time_axis const& axis, std::size_t row, std::int64_t next) const {
    if (next > stamps_[row]) refuse_step(axis, row);
    if (options_.gaps == gap_rule::missing) return;
    throw format_error(
        rows_.path(),
        0,
        "line " + std::to_string(lines_[row]) + ", column " + in_quotes(names_[time_]) +
            ": after " + stamp_text(stamps_[row - 1], format_) + " comes " +
            stamp_text(stamps_[row], format_) + ", but values are " + step_text(axis.step) +
            " apart: --gaps missing takes what lies between for missing values "
            "(gap_rule::missing in a program)");
  }
  [[noreturn]] void refuse_long_gap(std::size_t row) const {
    throw format_error(
        rows_.path(),
        0,
        "line " + std::to_string(lines_[row]) + ", column " + in_quotes(names_[time_]) +
            ": after " + stamp_text(stamps_[row - 1], format_) + " comes " +
            stamp_text(stamps_[row], format_) +
            ", and with what lies between more than ten values would be missing for each of the " +
            std::to_string(count_) + " that are there: is the year mistyped?");
  }
  [[noreturn]] void refuse_step(time_axis const& axis, std::size_t row) const {
    throw format_error(rows_.path(),
                       0,
                       "line " + std::to_string(lines_[row]) + ", column " +
                           in_quotes(names_[time_]) + ": " + stamp_text(stamps_[row], format_) +
                           " is no whole number of steps after " +
                           stamp_text(stamps_[row - 1], format_) + "; most values are " +
                           step_text(axis.step) + " apart");
  }

  static constexpr std::size_t no_column = static_cast<std::size_t>(-1);

  csv_rows rows_;
  read_series_options options_;
  std::vector<std::string> names_;
  std::size_t time_ = no_column;
  std::vector<std::size_t> columns_;  // those that are read
  bool watches_first_ = false;        // the first column is none of them
  std::vector<std::vector<double>> values_;
  std::vector<index_t> known_;  // values of each that are not missing
  stamp_format format_;
  std::vector<std::int64_t> stamps_;
  std::vector<std::uint64_t> lines_;
  index_t count_ = 0;
  series found_;
};

}  // namespace detail

/// Reads a series from a file of comma-separated values with a line of names. Empty fields, NA and
/// NaN are missing values, and so are empty lines between those of a table of one column. Throws
/// io_error; format_error, which names file, line and column, for lines of another number of fields
/// than there are names, what is no number (a decimal comma among it), columns without a value,
/// stamps that are none (also where the first column is not asked for), repeat, go backwards, are
/// of several zones or have gaps, unless these are to be missing values (at most ten for each value
/// and a thousand), empty lines among values that are counted; config_error for columns that are
/// not there.
inline series read_series(std::string const& path, read_series_options const& options = {}) {
  return detail::series_reader(path, options).read();
}

}  // namespace mae
