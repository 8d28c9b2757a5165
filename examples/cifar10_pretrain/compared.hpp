#pragma once

#include <array>
#include <limits>

namespace pretrain {

/// The heads that compare images, or what is painted with the true picture, or take noise away,
/// beside the painter and in the order of a task's network; their names are also those of their
/// flags and of metrics.
inline constexpr std::array<char const*, 5> comparing_heads{
    "contrast", "sigreg", "uniformity", "perceptual", "denoiser"};

/// A number for each of them.
using of_comparing = std::array<double, comparing_heads.size()>;

/// Losses of heads that have no part in a step.
constexpr of_comparing none_compared() {
  of_comparing none{};
  none.fill(std::numeric_limits<double>::quiet_NaN());
  return none;
}

}  // namespace pretrain
