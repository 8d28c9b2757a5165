#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// The length of the UTF-8 sequence that `text` begins with: 1 to 4 bytes, 0 when it is not
/// well-formed (Unicode 15, table 3-7: no overlong form, no surrogate, nothing above U+10FFFF).
constexpr std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned const lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t const length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  unsigned const lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned const highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < lowest || byte(1) > highest) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  return length;
}

namespace detail {

/// Whether a UTF-8 sequence commands a terminal instead of being shown: a control character (C0,
/// DEL, C1), a line or paragraph separator, or one that turns the direction of what follows
/// (Unicode 15, Bidi_Control and U+2028, U+2029).
constexpr bool is_command(std::string_view sequence) {
  auto const first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first < 0x20 || first == 0x7F;
  auto const last = static_cast<unsigned char>(sequence.back());
  if (sequence.size() == 2) return (first == 0xC2 && last < 0xA0) || sequence == "\xD8\x9C";
  if (sequence.size() != 3 || first != 0xE2) return false;
  bool const in_20 = sequence[1] == '\x80';
  return (in_20 && (last == 0x8E || last == 0x8F || (last >= 0xA8 && last <= 0xAE))) ||
         (sequence[1] == '\x81' && last >= 0xA6 && last <= 0xA9);
}

}  // namespace detail

/// Text that is safe for a terminal and stays on its line, whoever wrote it: what commands a
/// terminal, and what is not UTF-8, becomes a question mark. All text of files, of their names and
/// of users goes through here before it is shown; every `error` does it for its message.
inline std::string printable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    std::size_t const length = utf8_sequence(text);
    auto const sequence = text.substr(0, length == 0 ? 1 : length);
    if (length == 0 || detail::is_command(sequence))
      shown += '?';
    else
      shown += sequence;
    text.remove_prefix(sequence.size());
  }
  return shown;
}

/// A name for a message, between quotes: printable, and cut short after 64 bytes.
inline std::string in_quotes(std::string_view name) {
  constexpr std::size_t most = 64;
  std::size_t kept = 0;
  while (kept < name.size()) {
    std::size_t const length = utf8_sequence(name.substr(kept));
    if (kept + (length == 0 ? 1 : length) > most) break;
    kept += length == 0 ? 1 : length;
  }
  return '\'' + printable(name.substr(0, kept)) + (kept < name.size() ? "...'" : "'");
}

/// A field of a table: RFC 4180, section 2.
inline std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (char const letter : text) quoted.append(letter == '"' ? 2 : 1, letter);
  return quoted + '"';
}

/// Fields of one line, without its end.
inline std::string csv_line(std::vector<std::string> const& fields) {
  std::string line;
  for (auto const& field : fields)
    (line += &field == &fields.front() ? "" : ",") += csv_field(field);
  return line;
}

}  // namespace mae
