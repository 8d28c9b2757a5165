#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// A table of comma-separated values with a line of names (RFC 4180): fields between quotes, lines
/// that end with LF or CR LF, a byte order mark before the first; empty lines are passed over.
class csv_table {
 public:
  /// Throws io_error, and format_error for a line with another number of fields than there are
  /// names, a name that is there twice, a quote that is not closed or stands within a field.
  static csv_table read(std::string const& path,
                        std::uint64_t most_bytes = std::uint64_t{1} << 28U) {
    auto const bytes = read_file(path, most_bytes);
    return {path, std::string(memory_as<char const>(bytes.data()), bytes.size())};
  }
  csv_table(std::string path, std::string_view text) : path_(std::move(path)) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    all_ = text.size();
    while (!text.empty()) take_line(text);
    if (names_.empty()) refuse(0, "a table without a line of names");
  }

  std::string const& path() const { return path_; }
  std::vector<std::string> const& names() const { return names_; }
  index_t size() const { return std::ssize(rows_); }
  std::string const& at(index_t row, index_t column) const {
    return rows_[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
  }
  /// The column of this name; -1 without one.
  index_t find(std::string_view name) const {
    auto const found = std::ranges::find(names_, name);
    return found == names_.end() ? -1 : found - names_.begin();
  }
  /// The same. Throws format_error without one.
  index_t column(std::string_view name) const {
    index_t const found = find(name);
    if (found < 0) refuse(0, "the table has no column " + std::string(name));
    return found;
  }
  /// A number, nothing where the field is empty. Throws format_error for another text and for what
  /// is not finite.
  std::optional<double> number(index_t row, index_t column) const {
    std::string_view text = at(row, column);
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.empty()) return std::nullopt;
    double value = 0;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      refuse_field(row, column, "is no number");
    return value;
  }
  /// Throws format_error: what is wrong with a field.
  [[noreturn]] void refuse_field(index_t row, index_t column, std::string const& what) const {
    refuse(offsets_[static_cast<std::size_t>(row)],
           "line " + std::to_string(lines_[static_cast<std::size_t>(row)]) + ", " +
               names_[static_cast<std::size_t>(column)] + ": \"" + printable(at(row, column)) +
               "\" " + what);
  }

 private:
  [[noreturn]] void refuse(std::uint64_t offset, std::string const& what) const {
    throw format_error(path_, offset, what);
  }

  void take_line(std::string_view& text) {
    std::uint64_t const offset = all_ - text.size();
    ++line_;
    index_t const line = line_;
    if (text.starts_with('\n') || text.starts_with("\r\n"))
      return text.remove_prefix(text.front() == '\n' ? 1 : 2);
    std::vector<std::string> fields;
    while (true) {
      fields.push_back(take_field(text, offset));
      if (!text.starts_with(',')) break;
      text.remove_prefix(1);
    }
    text.remove_prefix(std::min<std::size_t>(text.size(), text.starts_with("\r\n") ? 2 : 1));
    if (names_.empty()) return take_names(std::move(fields));
    if (fields.size() != names_.size())
      refuse(offset,
             "line " + std::to_string(line) + " has " + std::to_string(fields.size()) +
                 " fields, the first line " + std::to_string(names_.size()));
    rows_.push_back(std::move(fields));
    offsets_.push_back(offset);
    lines_.push_back(line);
  }

  std::string take_field(std::string_view& text, std::uint64_t offset) {
    std::string field;
    if (!text.starts_with('"')) {
      auto const end = std::min(text.find_first_of(",\n"), text.size());
      field = text.substr(0, end);
      text.remove_prefix(end);
      if (field.ends_with('\r') && !text.starts_with(',')) field.pop_back();
      if (field.find('"') != std::string::npos)
        refuse(offset, "line " + std::to_string(line_) + ": a quote within a field");
      return field;
    }
    text.remove_prefix(1);
    while (true) {
      auto const quote = text.find('"');
      if (quote == std::string_view::npos)
        refuse(offset, "line " + std::to_string(line_) + ": a quote that is not closed");
      line_ += std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(quote), '\n');
      field += text.substr(0, quote);
      text.remove_prefix(quote + 1);
      if (!text.starts_with('"')) break;
      field += '"';
      text.remove_prefix(1);
    }
    if (!text.empty() && !text.starts_with(',') && !text.starts_with('\n') &&
        !text.starts_with("\r\n"))
      refuse(offset, "line " + std::to_string(line_) + ": text after a quoted field");
    return field;
  }

  void take_names(std::vector<std::string> names) {
    auto sorted = names;
    std::ranges::sort(sorted);
    auto const twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end()) refuse(0, "the column " + *twice + " is there twice");
    names_ = std::move(names);
  }

  std::string path_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::uint64_t> offsets_;  // (rows), in the file
  std::vector<index_t> lines_;          // (rows), from 1
  std::uint64_t all_ = 0;
  index_t line_ = 0;
};

}  // namespace mae
