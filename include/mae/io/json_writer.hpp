#pragma once

#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// A string as JSON (RFC 8259), quotes included; what is not UTF-8 becomes U+FFFD.
inline std::string json_string(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    std::size_t const length = utf8_sequence(text);
    auto const first = static_cast<unsigned char>(text.front());
    if (length == 0) {
      result += "\xEF\xBF\xBD";
    } else if (length == 1 && first < 0x20) {
      result += "\\u00";
      result += "01"[first >> 4U];
      result += "0123456789abcdef"[first & 0xFU];
    } else {
      if (first == '"' || first == '\\') result += '\\';
      result += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result += '"';
}

/// A number as JSON that stays a floating-point one for readers who tell those from whole numbers,
/// as Python does: "1.0", "0.25", "1e-12". `value` is finite.
inline std::string json_number(double value) {
  std::string text = decimal_text(value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// The text of a JSON object, built member by member in their order. Numbers that are absent or not
/// finite are null.
class json_object {
 public:
  json_object& add(std::string_view name, std::string_view text) {
    return add_text(name, json_string(text));
  }
  json_object& add(std::string_view name, char const* text) {
    return add(name, std::string_view(text));
  }
  json_object& add(std::string_view name, bool value) {
    return add_text(name, value ? "true" : "false");
  }
  template <std::integral Number>
  json_object& add(std::string_view name, Number value) {
    return add_text(name, std::to_string(value));
  }
  json_object& add(std::string_view name, double value) {
    return add_text(name, std::isfinite(value) ? json_number(value) : "null");
  }
  json_object& add(std::string_view name, std::optional<double> const& value) {
    return value ? add(name, *value) : add_text(name, "null");
  }
  json_object& add(std::string_view name, std::vector<double> const& values) {
    std::string text = "[";
    for (double const value : values) {
      text += text.size() > 1 ? ", " : "";
      text += std::isfinite(value) ? json_number(value) : "null";
    }
    return add_text(name, text + "]");
  }
  template <std::integral Number>
  json_object& add(std::string_view name, std::vector<Number> const& values) {
    std::string text = "[";
    for (Number const value : values) text += (text.size() > 1 ? ", " : "") + std::to_string(value);
    return add_text(name, text + "]");
  }
  json_object& add(std::string_view name, json_object const& value) {
    return add_text(name, value.line());
  }
  /// What is JSON already.
  json_object& add_json(std::string_view name, std::string json) {
    return add_text(name, std::move(json));
  }

  /// The members of another, with this before their names.
  json_object& add_all(std::string_view prefix, json_object const& other) {
    std::string begin = json_string(prefix);
    begin.pop_back();
    for (auto const& [name, value] : other.members_)
      members_.emplace_back(begin + name.substr(1), value);
    return *this;
  }

  /// All in one line, without spaces between members.
  std::string line() const { return joined("{", ":", ",", "}"); }
  /// A member a line, the last line ended.
  std::string lines() const { return joined("{\n  ", ": ", ",\n  ", "\n}\n"); }

 private:
  /// Compiled once, not within each of the many calls.
  [[gnu::noinline]] json_object& add_text(std::string_view name, std::string value) {
    members_.emplace_back(json_string(name), std::move(value));
    return *this;
  }
  std::string joined(std::string_view begin,
                     std::string_view between,
                     std::string_view separator,
                     std::string_view end) const {
    std::string text(begin);
    for (auto const& [name, value] : members_) {
      if (&name != &members_.front().first) text += separator;
      text += name;
      text += between;
      text += value;
    }
    return text += end;
  }

  std::vector<std::pair<std::string, std::string>> members_;
};

}  // namespace mae
