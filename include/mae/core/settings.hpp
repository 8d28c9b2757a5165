#pragma once

#include <array>
#include <charconv>
#include <string>
#include <vector>

namespace mae {

/// The name and the value of one thing that a part of a model was built from.
struct setting {
  std::string name;
  std::string value;

  friend bool operator==(setting const&, setting const&) = default;
};

/// All of a part's settings in a fixed order, {its kind, its name} first: {"mask", "uniform"},
/// {"mask_ratio", "3/4"}. They go into a checkpoint, so that a resumed training can refuse another
/// part by name.
using settings_list = std::vector<setting>;

/// The settings of a mask policy or an objective, from its optional member `settings() const`;
/// {kind, "custom"} for a type without one.
template <class Part>
settings_list settings_of(std::string const& kind, Part const& part) {
  if constexpr (requires { static_cast<settings_list>(part.settings()); })
    return part.settings();
  else
    return {{kind, "custom"}};
}

/// The shortest decimal text that reads back as the same number.
inline std::string decimal_text(double value) {
  std::array<char, 32> text{};
  auto const written = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), written.ptr};
}

}  // namespace mae
