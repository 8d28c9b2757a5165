#include "multipart.hpp"

#include "message.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace serve {
namespace {

[[noreturn]] void refuse(std::string const& why) {
  throw request_error(400, "bad_multipart", "the body is no multipart/form-data: " + why);
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return lower;
}

/// The boundary, of 1 to 70 characters (RFC 2046, section 5.1.1).
std::string_view boundary_of(std::string_view content_type) {
  constexpr std::string_view name = "boundary=";
  constexpr std::size_t longest = 70;
  auto const at = in_lower_case(content_type).find(name);
  if (at == std::string::npos) refuse("its Content-Type names no boundary");
  auto value = content_type.substr(at + name.size());
  if (value.starts_with('"')) {
    value.remove_prefix(1);
    auto const end = value.find('"');
    if (end == std::string_view::npos) refuse("its boundary has no closing quote");
    value = value.substr(0, end);
  } else {
    value = value.substr(0, value.find_first_of("; \t"));
  }
  if (value.empty() || value.size() > longest)
    refuse("its boundary has " + std::to_string(value.size()) + " characters, not 1 to 70");
  return value;
}

struct part {
  std::string_view contents;
  bool is_file = false;
};

/// What lies between two delimiters: headers, an empty line, contents.
part parse_part(std::string_view text) {
  constexpr std::string_view empty_line = "\r\n\r\n";
  constexpr std::size_t most_headers = 4096;
  if (text.starts_with("\r\n")) return {.contents = text.substr(2)};  // no headers
  auto const end = text.substr(0, most_headers).find(empty_line);
  if (end == std::string_view::npos) refuse("the headers of a part do not end");
  return {.contents = text.substr(end + empty_line.size()),
          .is_file = in_lower_case(text.substr(0, end)).find("filename") != std::string::npos};
}

}  // namespace

std::vector<std::string_view> split_multipart(std::string_view content_type,
                                              std::string_view body,
                                              std::size_t most) {
  std::string const delimiter = "\r\n--" + std::string(boundary_of(content_type));
  auto const first = std::string_view(delimiter).substr(2);
  std::vector<part> parts;
  // The first delimiter may stand at the very beginning, without a line before it.
  std::size_t at = body.starts_with(first) ? first.size() : body.find(delimiter);
  if (at == std::string_view::npos) refuse("its boundary is not in it");
  if (!body.starts_with(first)) at += delimiter.size();
  for (auto rest = body.substr(at);;) {
    if (rest.starts_with("--")) break;
    rest = rest.substr(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!rest.starts_with("\r\n")) refuse("a boundary does not end its line");
    rest.remove_prefix(2);
    auto const end = rest.find(delimiter);
    if (end == std::string_view::npos) refuse("it is cut off: the last boundary is missing");
    if (parts.size() == most)
      throw request_error(
          422, "too_many_pictures", "more than " + std::to_string(most) + " parts (--max-batch)");
    parts.push_back(parse_part(rest.substr(0, end)));
    rest.remove_prefix(end + delimiter.size());
  }
  bool const has_files = std::ranges::any_of(parts, &part::is_file);
  std::vector<std::string_view> contents;
  for (auto const& one : parts)
    if (one.is_file || !has_files) contents.push_back(one.contents);
  return contents;
}

}  // namespace serve
