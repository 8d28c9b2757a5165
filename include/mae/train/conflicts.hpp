#pragma once

#include <mae/core/random.hpp>
#include <mae/data/sampler.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace mae {

/// How the gradients of a step's heads become one on the encoder, whose tensors all of them change.
/// Heads' own tensors have one gradient alone, and keep it.
enum class conflict_rule : std::uint8_t {
  sum,      // as losses add up
  project,  // PCGrad: see projected_shares
  balance,  // of equal norms: see norm_balance
};

/// Projection of conflicting gradients (PCGrad: Yu et al. 2020, arXiv 2001.06782, Algorithm 1):
/// each of n gradients loses, one other after the other in an order by chance, its component along
/// those to which it points the other way by then; the results are added up. All of them lie in the
/// span of the n, so that their inner products (n, n) tell all: returns by how much each gradient
/// counts in the sum, 1 where nothing conflicts.
inline std::vector<double> projected_shares(std::span<double const> products,
                                            std::size_t count,
                                            random_stream& random) {
  std::vector<double> shares(count);
  std::vector<double> one(count);  // a gradient, in shares of the n
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) {
    one.assign(count, 0.0);
    one[i] = 1;
    std::iota(order.begin(), order.end(), std::size_t{0});
    shuffle(std::span(order), random);
    for (std::size_t const other : order) {
      if (other == i) continue;
      auto const along = products.subspan(other * count, count);
      double const product = std::inner_product(one.begin(), one.end(), along.begin(), 0.0);
      if (product < 0) one[other] -= product / along[other];
    }
    for (std::size_t k = 0; k < count; ++k) shares[k] += one[k];
  }
  return shares;
}

/// Equal norms: what each gradient is multiplied by, so that the moving averages of their norms at
/// one place would be equal, and have the mean that they have (as GradNorm's target without its
/// rates: Chen et al. 2018, arXiv 1711.02257). An average begins with the first norm above 0.
class norm_balance {
 public:
  /// The averages so far, 0 where there is none.
  norm_balance(std::vector<double> averages, double momentum)
      : averages_(std::move(averages)), momentum_(momentum) {}

  std::vector<double> const& averages() const { return averages_; }

  /// Takes the norms of a step's heads, of these numbers, into the averages. Returns their factors.
  std::vector<double> operator()(std::span<std::size_t const> heads,
                                 std::span<double const> norms) {
    double sum = 0;
    std::size_t counted = 0;
    for (std::size_t i = 0; i < heads.size(); ++i) {
      double& average = averages_[heads[i]];
      average = average > 0 ? momentum_ * average + (1 - momentum_) * norms[i] : norms[i];
      sum += average;
      if (average > 0) ++counted;
    }
    std::vector<double> factors;
    for (std::size_t const head : heads) {
      double const average = averages_[head];
      factors.push_back(average > 0 ? sum / static_cast<double>(counted) / average : 1);
    }
    return factors;
  }

 private:
  std::vector<double> averages_;
  double momentum_;
};

}  // namespace mae
