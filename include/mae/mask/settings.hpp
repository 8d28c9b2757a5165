#pragma once

#include <mae/mask/policy.hpp>

#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// The names and values of all that a mask policy was built from, {"mask", its name} first. They go
/// into a checkpoint, so that a resumed training can refuse another mask by name.
using mask_settings = std::vector<std::pair<std::string, std::string>>;

/// The settings of a policy, from its optional member `settings() const`; {"mask", "custom"} for a
/// policy without one.
template <MaskPolicy Mask>
mask_settings settings_of(Mask const& mask) {
  if constexpr (requires { static_cast<mask_settings>(mask.settings()); })
    return mask.settings();
  else
    return {{"mask", "custom"}};
}

/// The shortest decimal text that reads back as the same number.
inline std::string decimal_text(double value) {
  std::array<char, 32> text{};
  auto const written = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), written.ptr};
}

}  // namespace mae
