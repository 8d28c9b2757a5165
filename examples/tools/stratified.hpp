#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tools {

/// The numbers, ascending, of a share of the images of each class that has some, by chance: at
/// least one of each. What has no class is left out.
template <mae::Dataset D>
std::vector<mae::index_t> choose_stratified(D const& images, double share, std::uint64_t seed) {
  std::vector<std::vector<mae::index_t>> classes(static_cast<std::size_t>(images.num_classes()));
  for (mae::index_t i = 0; i < images.size(); ++i)
    if (mae::index_t const label = images.label(i); label >= 0)
      classes[static_cast<std::size_t>(label)].push_back(i);
  std::vector<mae::index_t> chosen;
  for (std::size_t k = 0; k < classes.size(); ++k) {
    auto& own = classes[k];
    if (own.empty()) continue;
    mae::random_stream random({.seed = seed, .use = mae::purpose::probe, .index = k});
    auto const count = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::lround(share * static_cast<double>(own.size()))));
    for (std::size_t i = 0; i < count && i + 1 < own.size(); ++i) {
      auto const left = static_cast<double>(own.size() - i);
      auto const step = static_cast<std::size_t>(static_cast<double>(random.uniform()) * left);
      std::swap(own[i], own[std::min(i + step, own.size() - 1)]);
    }
    chosen.insert(chosen.end(), own.begin(), own.begin() + static_cast<std::ptrdiff_t>(count));
  }
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace tools
