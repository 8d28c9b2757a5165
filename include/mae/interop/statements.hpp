#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/io/safetensors_header.hpp>

#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace mae::detail {

/// A number, "0.75" or "3/4"; nothing for other text.
inline std::optional<double> parse_share(std::string_view text) {
  auto const number = [](std::string_view digits) -> std::optional<double> {
    double value = 0;
    auto const read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  auto const slash = text.find('/');
  auto const first = number(text.substr(0, slash));
  if (slash == std::string_view::npos || !first) return first;
  auto const second = number(text.substr(slash + 1));
  if (!second) return second;
  return *first / *second;
}

/// What several places say of one model, in the words of this library's metadata. Two that differ
/// are refused with both names, so that none is believed in silence.
class model_statements {
 public:
  explicit model_statements(std::string path) : path_(std::move(path)) {}

  /// `where` is a file beside the checkpoint, "its metadata", "its tensors", or a flag. Throws
  /// config_error where a flag differs from what a file says, format_error where two files differ.
  void add(std::string const& where, std::string const& name, std::string const& value) {
    auto const [found, is_new] = said_.emplace(name, statement{value, where});
    if (is_new || are_equal(found->second.value, value)) return;
    std::string const what = name + " is " + printable(found->second.value) + " in " +
                             found->second.where + ", but " + printable(value) + " in " + where;
    if (where.starts_with("--")) throw config_error(path_ + ": " + what);
    throw format_error(path_, 8, what + ": one of them is another model's");
  }
  void add(std::string const& where, settings_list const& entries) {
    for (auto const& [name, value] : entries) add(where, name, value);
  }
  /// For what is better known elsewhere: kept where nothing is said yet.
  void add_fallback(std::string const& where, settings_list const& entries) {
    for (auto const& [name, value] : entries) said_.emplace(name, statement{value, where});
  }

  bool contains(std::string const& name) const { return said_.contains(name); }
  void erase(std::string const& name) { said_.erase(name); }
  safetensors_metadata entries() const {
    safetensors_metadata all;
    for (auto const& [name, said] : said_) all[name] = said.value;
    return all;
  }

 private:
  struct statement {
    std::string value;
    std::string where;
  };

  /// The same text, or the same number: "4/1" and "8/2".
  static bool are_equal(std::string const& one, std::string const& other) {
    if (one == other) return true;
    auto const number = parse_share(one);
    return number && number == parse_share(other);
  }

  std::string path_;
  std::map<std::string, statement> said_;
};

}  // namespace mae::detail
