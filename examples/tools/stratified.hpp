#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace tools {

namespace detail {

/// Leaves a share of some numbers, at least one, chosen by chance.
inline void thin(std::vector<mae::index_t>& numbers, double share, mae::random_stream random) {
  if (numbers.empty()) return;
  auto const count = std::max<std::size_t>(
      1, static_cast<std::size_t>(std::lround(share * static_cast<double>(numbers.size()))));
  for (std::size_t i = 0; i < count && i + 1 < numbers.size(); ++i) {
    auto const left = static_cast<double>(numbers.size() - i);
    auto const step = static_cast<std::size_t>(static_cast<double>(random.uniform()) * left);
    std::swap(numbers[i], numbers[std::min(i + step, numbers.size() - 1)]);
  }
  numbers.resize(count);
}

}  // namespace detail

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
    detail::thin(classes[k],
                 share,
                 mae::random_stream({.seed = seed, .use = mae::purpose::probe, .index = k}));
    chosen.insert(chosen.end(), classes[k].begin(), classes[k].end());
  }
  std::ranges::sort(chosen);
  return chosen;
}

/// The numbers, ascending, of a share of so many images, at least one.
inline std::vector<mae::index_t> choose_share(mae::index_t images,
                                              double share,
                                              std::uint64_t seed) {
  std::vector<mae::index_t> chosen(static_cast<std::size_t>(images));
  std::iota(chosen.begin(), chosen.end(), mae::index_t{0});
  detail::thin(chosen, share, mae::random_stream({.seed = seed, .use = mae::purpose::probe}));
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace tools
