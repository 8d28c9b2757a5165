#pragma once

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace mae {

/// A strict reader of JSON (RFC 8259): of what a safetensors header may hold (objects, arrays,
/// strings and unsigned integers, which have digits alone), and of the numbers, truth values and
/// unknown members of a configuration. The caller asks for what must come next and anything else is
/// refused, so nothing recurses and no depth of nesting costs memory. Strings are UTF-8 without
/// U+0000. Every refusal is a format_error with the offset in the file.
class json_reader {
 public:
  /// Reads `text`, which lies at byte `offset` of `file` and outlives the reader.
  json_reader(std::string file, std::string_view text, std::uint64_t offset)
      : file_(std::move(file)), text_(text), offset_(offset) {}

  /// Skips white space; the offset in the file of what follows.
  std::uint64_t next() {
    while (position_ < text_.size() && is_space(text_[position_])) ++position_;
    return offset_ + position_;
  }
  [[noreturn]] void refuse(std::uint64_t offset, std::string const& what) const {
    throw format_error(file_, offset, what);
  }

  /// Reads an object; calls member(key, offset of the key), which must read the value. Equal keys
  /// are the caller's to find.
  template <class Member>
  void object(Member&& member) {
    take('{');
    if (accept('}')) return;
    do {
      std::uint64_t const at = next();
      std::size_t const first = position_;
      std::string key = string();
      take(':');
      auto const outer = std::exchange(member_, text_.substr(first, key.size() + 2));
      member(std::move(key), at);
      member_ = outer;
    } while (accept(','));
    take('}');
  }

  /// Reads an array; calls element(), which must read one.
  template <class Element>
  void array(Element&& element) {
    take('[');
    if (accept(']')) return;
    do element();
    while (accept(','));
    take(']');
  }

  std::string string() {
    take('"');
    std::string content;
    while (peek() != '"') {
      std::size_t const plain = plain_run();
      content.append(text_, position_, plain);
      position_ += plain;
      if (plain == 0) content += special();
    }
    ++position_;
    return content;
  }

  std::uint64_t unsigned_integer() {
    constexpr auto max = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t const at = next();
    if (!is_digit(peek())) refuse_value(at, "expected an unsigned integer");
    std::size_t const first = position_;
    std::uint64_t value = 0;
    for (; position_ < text_.size() && is_digit(text_[position_]); ++position_) {
      auto const digit = static_cast<std::uint64_t>(text_[position_] - '0');
      if (value > (max - digit) / 10) refuse_value(at, "the number exceeds 64 bits");
      value = value * 10 + digit;
    }
    if (text_[first] == '0' && position_ - first > 1)
      refuse_value(at, "the number has a leading zero");
    return value;
  }

  /// Any number that a double can hold.
  double number() {
    std::uint64_t const at = next();
    std::string_view const text = number_text();
    double value = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{}) refuse_value(at, "the number exceeds a double");
    return value;
  }
  bool boolean() {
    std::uint64_t const at = next();
    if (accept_word("true")) return true;
    if (!accept_word("false")) refuse_value(at, "expected true or false");
    return false;
  }
  /// Whether the value that comes next begins with this character.
  bool begins_with(char first) {
    next();
    return peek() == first;
  }
  /// Passes over a value of any kind. Its brackets are remembered, not recursed into.
  void skip() {
    std::string open;  // the closing brackets to come, the next one last
    do {
      if (open.ends_with('}')) {
        string();
        take(':');
      }
      if (char const bracket = opening_bracket(); bracket == 0) {
        skip_scalar();
      } else if (!accept(bracket)) {
        open += bracket;
        continue;
      }
      while (!open.empty() && !accept(',')) {
        take(open.back());
        open.pop_back();
      }
    } while (!open.empty());
  }

  /// Refuses anything but white space after the value.
  void finish_text() {
    next();
    if (position_ != text_.size()) refuse(offset_ + position_, "text follows the closing brace");
  }
  /// Refuses anything but spaces (0x20) after the value: a safetensors header is padded with them
  /// alone.
  void finish() {
    for (; position_ < text_.size(); ++position_)
      if (text_[position_] != ' ')
        refuse(offset_ + position_, "only spaces may follow the header's closing brace");
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

  char peek() const {
    if (position_ == text_.size()) refuse(offset_ + position_, "the text ends in the middle");
    return text_[position_];
  }
  bool accept_word(std::string_view word) {
    if (!text_.substr(position_).starts_with(word)) return false;
    position_ += word.size();
    return true;
  }
  bool accept(char wanted) {
    next();
    if (peek() != wanted) return false;
    ++position_;
    return true;
  }
  void take(char wanted) {
    if (!accept(wanted))
      refuse_value(offset_ + position_, std::string("expected '") + wanted + "'");
  }

  /// Says whose value it is.
  [[noreturn]] void refuse_value(std::uint64_t at, std::string const& what) const {
    constexpr std::size_t most = 64;
    if (member_.empty() || member_.size() > most) refuse(at, what);
    refuse(at, what + " for " + std::string(member_));
  }

  /// Takes the bracket that opens an object or an array; the one that closes it, 0 for neither.
  char opening_bracket() {
    if (accept('{')) return '}';
    return accept('[') ? ']' : '\0';
  }
  void skip_scalar() {
    if (peek() == '"') return void(string());
    if (accept_word("true") || accept_word("false") || accept_word("null")) return;
    if (!is_digit(peek()) && peek() != '-') refuse_value(next(), "expected a value");
    number_text();
  }
  /// The text of a number: std::from_chars takes more than JSON does.
  std::string_view number_text() {
    std::size_t const first = position_;
    auto const digits = [this, first] {
      std::size_t const start = position_;
      while (position_ < text_.size() && is_digit(text_[position_])) ++position_;
      if (position_ == start) refuse_value(offset_ + first, "expected a number");
    };
    accept_word("-");
    if (!accept_word("0")) digits();
    if (accept_word(".")) digits();
    if (accept_word("e") || accept_word("E")) {
      if (!accept_word("+")) accept_word("-");
      digits();
    }
    return text_.substr(first, position_ - first);
  }

  std::size_t plain_run() const {
    std::size_t end = position_;
    while (end < text_.size() && is_plain(text_[end])) ++end;
    return end - position_;
  }

  /// Reads one character that is not plain ASCII: an escape, or a UTF-8 sequence.
  std::string special() {
    if (text_[position_] == '\\') return escape();
    std::uint64_t const at = offset_ + position_;
    if (static_cast<unsigned char>(text_[position_]) < 0x20)
      refuse(at, "a control character in a string");
    std::string_view const rest = text_.substr(position_);
    std::size_t const length = utf8_sequence(rest);
    if (length == 0) refuse(at, "a string is not UTF-8");
    position_ += length;
    return std::string(rest.substr(0, length));
  }

  std::string escape() {
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    std::uint64_t const at = offset_ + position_;
    ++position_;
    char const letter = peek();
    ++position_;
    if (letter == 'u') return utf8(code_point(at));
    std::size_t const which = letters.find(letter);
    if (which == std::string_view::npos) refuse(at, "an unknown escape in a string");
    return {meanings[which]};
  }

  /// Reads what follows `\u`, and the low half of a surrogate pair after its high half.
  std::uint32_t code_point(std::uint64_t at) {
    std::uint32_t const unit = hexadecimal(at);
    if (unit == 0) refuse(at, "U+0000 in a string");
    if (unit < 0xD800 || unit > 0xDFFF) return unit;
    if (unit > 0xDBFF || text_.substr(position_, 2) != "\\u") refuse(at, "half a surrogate pair");
    position_ += 2;
    std::uint32_t const low = hexadecimal(at);
    if (low < 0xDC00 || low > 0xDFFF) refuse(at, "half a surrogate pair");
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  }

  std::uint32_t hexadecimal(std::uint64_t at) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      char const digit = peek();
      ++position_;
      value <<= 4;
      if (is_digit(digit))
        value += static_cast<std::uint32_t>(digit - '0');
      else if (digit >= 'a' && digit <= 'f')
        value += static_cast<std::uint32_t>(digit - 'a' + 10);
      else if (digit >= 'A' && digit <= 'F')
        value += static_cast<std::uint32_t>(digit - 'A' + 10);
      else
        refuse(at, "four hexadecimal digits must follow \\u");
    }
    return value;
  }

  static std::string utf8(std::uint32_t point) {
    auto const tail = [point](int shift) {
      return static_cast<char>(0x80 | (point >> shift & 0x3F));
    };
    if (point < 0x80) return {static_cast<char>(point)};
    if (point < 0x800) return {static_cast<char>(0xC0 | point >> 6), tail(0)};
    if (point < 0x10000) return {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
    return {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
  }

  std::string file_;
  std::string_view text_;
  std::uint64_t offset_;
  std::size_t position_ = 0;
  std::string_view member_ = {};  // whose value is read, in its quotes
};

}  // namespace mae
