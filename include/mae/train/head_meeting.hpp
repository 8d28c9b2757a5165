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

#include <cstddef>
#include <cstdint>
#include <span>
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
      if (rules() || period_ > 0) gradients_ = {layout, Parts::names(), heads_on(parts)};
    }
  }

  /// Whether the gradients become one by a rule, and not by adding up.
  bool rules() const { return rule_ != conflict_rule::sum; }
  /// Whether the step, numbered from 0, is one of those that tell how gradients meet.
  bool records(std::int64_t step) const { return period_ > 0 && (step + 1) % period_ == 0; }

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
    products_ = gradients_.products(backend.threads(), shares.active, factors);
  }
  gradient_products const& products() const { return products_; }

  /// Writes what the rule makes of them, in units of the shares' divisor, for the step in which
  /// heads have these weights; `norms` are balanced_shares' averages of the steps before it.
  /// Returns its squared norm.
  double combine(B const& backend,
                 Parts const& parts,
                 std::int64_t step,
                 of_each_head const& weights,
                 std::vector<double> const& norms,
                 std::span<T> values) {
    auto const shares =
        rule_ == conflict_rule::project ? projected(step) : balanced(parts, weights, norms);
    auto on_encoder = shares_.factors;
    for (std::size_t head = 0; head < num_heads; ++head) on_encoder[head] *= shares[head];
    double const squared_norm =
        gradients_.combine(backend.threads(), shares_.active, on_encoder, shares_.factors);
    backend.make_lane().upload(gradients_.values(), values);
    return squared_norm;
  }
  /// The averages with that step's.
  std::vector<double> const& norms() const { return norms_; }

 private:
  of_each_head projected(std::int64_t step) const {
    random_stream random(
        {.seed = seed_, .use = purpose::project, .index = static_cast<std::uint64_t>(step)});
    auto const product = [&](std::size_t a, std::size_t b) { return products_.whole(a, b); };
    return projected_shares(shares_.active, product, random);
  }

  /// Norms are those of full weights: what a schedule takes away is not given back.
  of_each_head balanced(Parts const& parts,
                        of_each_head const& weights,
                        std::vector<double> const& norms) {
    auto const last_block = static_cast<std::size_t>(parts.config.encoder.depth);
    of_each_head full{};
    for (std::size_t head = 0; head < num_heads; ++head)
      if (shares_.active[head])
        full[head] = products_.norm(last_block, head) * parts.weights[head] / weights[head];
    norms_ = norms;
    norms_.resize(num_heads);
    return balanced_shares(shares_.active, full, momentum_, norms_);
  }

  std::uint64_t seed_;
  conflict_rule rule_;
  double momentum_;
  index_t period_;
  head_gradients<B, num_heads> gradients_;
  shares_type shares_;  // of the step
  gradient_products products_;
  std::vector<double> norms_;
};

}  // namespace mae
