#pragma once

#include <mae/core/error.hpp>
#include <mae/io/description.hpp>
#include <mae/io/safetensors_header.hpp>

#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace mae {

/// Reads the counts and numbers of a training's metadata. Throws format_error for what is missing
/// or no number.
class progress_reader {
 public:
  progress_reader(std::string const& path, safetensors_metadata const& description)
      : path_(path), description_(description) {}

  std::int64_t count(std::string const& name) const {
    std::string const& text = entry(name);
    std::int64_t value = -1;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value < 0)
      throw format_error(path_, 8, "metadata: " + name + " is no count: " + text);
    return value;
  }
  double number(std::string const& name) const {
    auto const numbers = parse_numbers(path_, entry(name));
    if (numbers.size() != 1)
      throw format_error(path_, 8, "metadata: " + name + " is no number: " + entry(name));
    return numbers.front();
  }

 private:
  std::string const& entry(std::string const& name) const {
    auto const found = description_.find(name);
    if (found == description_.end())
      throw format_error(path_, 8, "metadata: " + name + " is missing: no training's checkpoint");
    return found->second;
  }

  std::string const& path_;
  safetensors_metadata const& description_;
};

}  // namespace mae
