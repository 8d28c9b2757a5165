#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// The rows of a file of comma-separated values, one after the other: no more of it is in memory
/// than a row. Fields may stand between quotes (RFC 4180), but hold no line's end; lines end with
/// LF or CR LF; a byte order mark before the first is passed over, empty lines are counted.
class csv_rows {
 public:
  /// Throws io_error.
  explicit csv_rows(std::string path) : path_(std::move(path)), file_(open_for_reading(path_)) {}

  std::string const& path() const { return path_; }
  /// Of the last row, from 1.
  std::uint64_t line() const { return line_; }
  /// Lines without a letter between the last row and the one before it.
  std::uint64_t empty_lines() const { return empty_; }

  /// The fields of the next row; false where there is none. Throws io_error, and format_error for a
  /// quote that is not closed or stands within a field.
  bool next(std::vector<std::string>& fields) {
    std::string row;
    for (empty_ = 0;; ++empty_) {
      begin_ = read_;
      if (!take_line(row)) return false;
      ++line_;
      constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
      if (line_ == 1 && row.starts_with(byte_order_mark)) row.erase(0, byte_order_mark.size());
      if (row.ends_with('\r')) row.pop_back();
      if (!row.empty()) break;
    }
    split(row, fields);
    return true;
  }

  /// Throws format_error: what is wrong with the last row.
  [[noreturn]] void refuse(std::string const& what) const {
    throw format_error(path_, begin_, "line " + std::to_string(line_) + what);
  }

 private:
  bool take_line(std::string& row) {
    row.clear();
    while (true) {
      auto const end = buffer_.find('\n', at_);
      if (end != std::string::npos) {
        row.append(buffer_, at_, end - at_);
        read_ += end + 1 - at_;
        at_ = end + 1;
        return true;
      }
      row.append(buffer_, at_);
      read_ += buffer_.size() - at_;
      if (!fill()) return !row.empty();
    }
  }
  bool fill() {
    constexpr std::size_t block = std::size_t{1} << 16U;
    buffer_.resize(block);
    at_ = 0;
    ::ssize_t count = 0;
    do {
      count = ::read(file_.descriptor.number(), buffer_.data(), block);
    } while (count < 0 && errno == EINTR);
    if (count < 0) throw io_error(path_, "read", errno);
    buffer_.resize(static_cast<std::size_t>(count));
    return count > 0;
  }

  void split(std::string_view row, std::vector<std::string>& fields) const {
    fields.clear();
    while (true) {
      fields.push_back(take_field(row));
      if (row.empty()) return;
      row.remove_prefix(1);  // the comma
    }
  }
  std::string take_field(std::string_view& row) const {
    std::string field;
    if (!row.starts_with('"')) {
      field = row.substr(0, row.find(','));
      row.remove_prefix(field.size());
      if (field.find('"') != std::string::npos) refuse(": a quote within a field");
      return field;
    }
    row.remove_prefix(1);
    while (true) {
      auto const quote = row.find('"');
      if (quote == std::string_view::npos) refuse(": a quote that is not closed");
      field += row.substr(0, quote);
      row.remove_prefix(quote + 1);
      if (!row.starts_with('"')) break;
      field += '"';
      row.remove_prefix(1);
    }
    if (!row.empty() && row.front() != ',') refuse(": text after a quoted field");
    return field;
  }

  std::string path_;
  readable_file file_;
  std::string buffer_;
  std::size_t at_ = 0;       // in the buffer
  std::uint64_t read_ = 0;   // bytes of the file that were given out
  std::uint64_t begin_ = 0;  // of the last row
  std::uint64_t line_ = 0;
  std::uint64_t empty_ = 0;  // lines before the last row
};

}  // namespace mae
