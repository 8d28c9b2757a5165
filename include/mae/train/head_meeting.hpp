#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/gradient_products.hpp>
#include <mae/train/head_gradients.hpp>
#include <mae/train/head_shares.hpp>
#include <mae/train/options.hpp>

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// How the gradients of a step's heads meet, and what becomes of them by the rule of conflicts.
template <Backend B, class Parts>
class head_meeting {
  using T = typename B::scalar;
  static constexpr std::size_t num_heads = Parts::num_heads;
  using shares_type = head_shares<num_heads>;

 public:
  using of_each_head = typename Parts::of_each_head;

  head_meeting(parameter_layout const& layout, Parts const& parts, training_options const& options)
      : seed_(options.seed),
        rule_(options.conflicts),
        momentum_(options.balance_momentum),
        period_(options.record_gradients) {
    if constexpr (num_heads > 1) {
      auto const names = Parts::names();
      if (rules() || period_ > 0) gradients_ = {layout, names, numbers_of(heads_on(parts))};
    }
  }

  /// Whether the gradients become one by a rule, and not by adding up.
  bool rules() const { return rule_ != conflict_rule::sum; }
  /// Whether the step, numbered from 0, is one of those that tell how gradients meet.
  bool records(std::int64_t step) const { return period_ > 0 && (step + 1) % period_ == 0; }

  static std::vector<std::size_t> numbers_of(std::bitset<num_heads> const& heads) {
    std::vector<std::size_t> numbers;
    for (std::size_t head = 0; head < num_heads; ++head)
      if (heads[head]) numbers.push_back(head);
    return numbers;
  }

  /// Keeps a step's sum over one head alone, laid out as the parameters.
  template <Lane L>
  void take(L const& lane, std::size_t head, std::span<T const> sum) {
    gradients_.take(lane, head, sum);
  }
  /// Compares those of the step, when all were taken.
  void meet(B const& backend, shares_type const& shares) {
    shares_ = shares;
    auto factors = shares.factors;
    for (double& factor : factors) factor /= shares.divisor;
    products_ = gradients_.products(backend.threads(), numbers_of(shares.active), factors);
  }
  gradient_products const& products() const { return products_; }

  /// Writes what the rule makes of them, in units of the shares' divisor, for the step in which
  /// heads have these weights; `norms` are norm_balance's averages of the steps before it. Returns
  /// its squared norm.
  double combine(B const& backend,
                 Parts const& parts,
                 std::int64_t step,
                 of_each_head const& weights,
                 std::vector<double> const& norms,
                 std::span<T> values) {
    auto const shares =
        rule_ == conflict_rule::project ? projected(step) : balanced(parts, weights, norms);
    auto on_encoder = shares_.factors;
    for (std::size_t i = 0; i < shares.size(); ++i) on_encoder[products_.number(i)] *= shares[i];
    double const squared_norm = gradients_.combine(
        backend.threads(), numbers_of(shares_.active), on_encoder, shares_.factors);
    backend.make_lane().upload(gradients_.values(), values);
    return squared_norm;
  }
  /// The averages with that step's.
  std::vector<double> const& norms() const { return norms_; }

 private:
  std::vector<double> projected(std::int64_t step) const {
    random_stream random(
        {.seed = seed_, .use = purpose::project, .index = static_cast<std::uint64_t>(step)});
    return projected_shares(products_.whole(), products_.heads(), random);
  }

  /// Norms are those of full weights: what a schedule takes away is not given back.
  std::vector<double> balanced(Parts const& parts,
                               of_each_head const& weights,
                               std::vector<double> norms) {
    auto const last_block = static_cast<std::size_t>(parts.config.encoder.depth);
    std::vector<double> full;
    for (std::size_t i = 0; i < products_.heads(); ++i) {
      std::size_t const head = products_.number(i);
      full.push_back(products_.norm(last_block, i) * parts.weights[head] / weights[head]);
    }
    norms.resize(num_heads);
    norm_balance balance(std::move(norms), momentum_);
    auto shares = balance(numbers_of(shares_.active), full);
    norms_ = balance.averages();
    return shares;
  }

  std::uint64_t seed_;
  conflict_rule rule_;
  double momentum_;
  index_t period_;
  head_gradients<B> gradients_;
  shares_type shares_;  // of the step
  gradient_products products_;
  std::vector<double> norms_;
};

}  // namespace mae
