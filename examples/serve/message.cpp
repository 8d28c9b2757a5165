#include "message.hpp"

#include "flag_values.hpp"

#include <mae/core/text.hpp>
#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace serve {
namespace {

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  auto const first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The part before a separator, which is taken off `text` with it.
std::string_view take_part(std::string_view& text, char separator) {
  auto const end = std::min(text.find(separator), text.size());
  auto const part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

int hexadecimal(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  char const letter = lower(digit);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    int const high = i + 2 < text.size() ? hexadecimal(text[i + 1]) : -1;
    int const low = i + 2 < text.size() ? hexadecimal(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      throw request_error(400, "bad_request", "the query is not percent-encoded as it should be");
    result += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return result;
}

/// One range of an Accept header, "text/*;q=0.5".
struct media_range {
  std::string type;
  double quality = 1;
};

media_range parse_range(std::string_view text) {
  media_range range{.type = media_type(text)};
  take_part(text, ';');
  while (!text.empty()) {
    auto const parameter = trimmed(take_part(text, ';'));
    if (parameter.size() < 2 || lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    range.quality = pretrain::parse_number<double>(std::string(parameter.substr(2))).value_or(0);
  }
  return range;
}

/// How exactly a range names a type: 3 by its name, 2 "image/*", 1 "*/*", 0 not at all.
int exactness(std::string_view range, std::string_view type) {
  if (range == type) return 3;
  if (range == "*/*") return 1;
  return range.ends_with("/*") && type.starts_with(range.substr(0, range.size() - 1)) ? 2 : 0;
}

}  // namespace

std::string_view request_head::path() const {
  auto path = std::string_view(target).substr(0, target.find('?'));
  auto const authority = path.find("://");
  if (path.starts_with('/') || authority == std::string_view::npos) return path;
  path.remove_prefix(authority + 3);
  path.remove_prefix(std::min(path.find('/'), path.size()));
  return path.empty() ? "/" : path;
}

reply error_reply(int status, std::string const& code, std::string_view message) {
  mae::json_object error;
  error.add("code", code).add("message", mae::printable(message));
  mae::json_object whole;
  whole.add("error", error);
  return {.status = status, .body = whole.line() + '\n', .error_code = code};
}

std::map<std::string, std::string> parse_query(std::string_view target,
                                               std::vector<std::string_view> const& known) {
  std::map<std::string, std::string> values;
  take_part(target, '?');
  while (!target.empty()) {
    auto part = take_part(target, '&');
    if (part.empty()) continue;
    std::string const name = decoded(take_part(part, '='));
    if (std::ranges::find(known, name) == known.end()) {
      std::string all;
      for (auto const& one : known) (all += all.empty() ? "" : ", ") += one;
      throw request_error(422,
                          "unknown_parameter",
                          "the query has " + mae::in_quotes(name) +
                              ", known here: " + (all.empty() ? "none" : all));
    }
    if (!values.emplace(name, decoded(part)).second)
      throw request_error(422, "bad_parameter", "the query has " + mae::in_quotes(name) + " twice");
  }
  return values;
}

std::string media_type(std::string_view value) {
  std::string type(trimmed(take_part(value, ';')));
  std::ranges::transform(type, type.begin(), lower);
  return type;
}

std::string_view choose_media_type(std::string_view accept,
                                   std::vector<std::string_view> const& offered) {
  if (trimmed(accept).empty()) return offered.front();
  std::vector<media_range> ranges;
  while (!accept.empty()) ranges.push_back(parse_range(take_part(accept, ',')));
  std::string_view best;
  double best_quality = 0;
  for (auto const type : offered) {
    int most_exact = 0;
    double quality = 0;
    for (auto const& range : ranges) {
      int const exact = exactness(range.type, type);
      if (exact <= most_exact) continue;
      most_exact = exact;
      quality = range.quality;
    }
    if (quality <= best_quality) continue;
    best = type;
    best_quality = quality;
  }
  return best;
}

std::string_view reason_of(int status) {
  using known = std::pair<int, std::string_view>;
  constexpr std::array<known, 16> reasons{{{200, "OK"},
                                           {400, "Bad Request"},
                                           {401, "Unauthorized"},
                                           {404, "Not Found"},
                                           {405, "Method Not Allowed"},
                                           {406, "Not Acceptable"},
                                           {408, "Request Timeout"},
                                           {409, "Conflict"},
                                           {413, "Payload Too Large"},
                                           {415, "Unsupported Media Type"},
                                           {422, "Unprocessable Entity"},
                                           {429, "Too Many Requests"},
                                           {431, "Request Header Fields Too Large"},
                                           {500, "Internal Server Error"},
                                           {503, "Service Unavailable"},
                                           {505, "HTTP Version Not Supported"}}};
  for (auto const& [number, reason] : reasons)
    if (number == status) return reason;
  return "Unknown";
}

}  // namespace serve
