#pragma once

#include <mae/core/random.hpp>
#include <mae/data/sampler.hpp>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// How the gradients of a step's heads become one on the encoder, whose tensors all of them change.
/// Heads' own tensors have one gradient alone, and keep it.
enum class conflict_rule : std::uint8_t {
  sum,      // as losses add up
  project,  // PCGrad: see projected_shares
  balance,  // of equal norms: see balanced_shares
};

// Templates, so that they are compiled where several heads are trained alone.

/// Projection of conflicting gradients (PCGrad: Yu et al. 2020, arXiv 2001.06782, Algorithm 1):
/// each of the heads' gradients loses, one other after the other in an order by chance, its
/// component along those to which it points the other way by then; the results are added up. All of
/// them lie in the gradients' span, so that the inner products product(a, b) tell all: returns by
/// how much each gradient counts in the sum, 1 where it conflicts with none.
template <std::size_t NumHeads, class Product>
std::array<double, NumHeads> projected_shares(std::bitset<NumHeads> const& heads,
                                              Product const& product,
                                              random_stream& random) {
  std::array<std::size_t, NumHeads> numbers{};
  std::size_t count = 0;
  for (std::size_t head = 0; head < NumHeads; ++head)
    if (heads[head]) numbers[count++] = head;
  std::array<double, NumHeads> shares{};
  for (std::size_t i = 0; i < count; ++i) {
    auto order = numbers;
    shuffle(std::span(order).first(count), random);
    std::array<double, NumHeads> one{};  // a gradient, in shares of all
    one[numbers[i]] = 1;
    for (std::size_t at = 0; at < count; ++at) {
      std::size_t const other = order[at];
      if (other == numbers[i]) continue;
      double along = 0;
      for (std::size_t k = 0; k < count; ++k) along += one[numbers[k]] * product(numbers[k], other);
      if (along < 0) one[other] -= along / product(other, other);
    }
    for (std::size_t head = 0; head < NumHeads; ++head) shares[head] += one[head];
  }
  return shares;
}

/// Equal norms (GradNorm's target without its rates: Chen et al. 2018, arXiv 1711.02257): takes the
/// norms of the heads' gradients into their moving averages, each of which begins with the first
/// norm above 0, and returns what the gradients are to be multiplied by, so that the averages would
/// be equal, and their mean what it is.
template <std::size_t NumHeads, class Averages>
std::array<double, NumHeads> balanced_shares(std::bitset<NumHeads> const& heads,
                                             std::array<double, NumHeads> const& norms,
                                             double momentum,
                                             Averages& averages) {
  double sum = 0;
  double counted = 0;
  for (std::size_t head = 0; head < NumHeads; ++head) {
    if (!heads[head]) continue;
    double& average = averages[head];
    average = average > 0 ? momentum * average + (1 - momentum) * norms[head] : norms[head];
    sum += average;
    if (average > 0) ++counted;
  }
  std::array<double, NumHeads> shares{};
  for (std::size_t head = 0; head < NumHeads; ++head)
    if (heads[head]) shares[head] = averages[head] > 0 ? sum / counted / averages[head] : 1;
  return shares;
}

}  // namespace mae
