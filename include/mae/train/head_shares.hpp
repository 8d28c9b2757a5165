#pragma once

#include <mae/core/error.hpp>
#include <mae/network/network_parts.hpp>

#include <array>
#include <bitset>
#include <cstddef>
#include <string>

namespace mae {

/// How the losses of a step's heads become one. With the weights l and the rows W over which each
/// head's loss is the mean, the loss is the sum of l / W times each head's summed losses. Gradients
/// are summed in units of the first active head's, so that of one head alone nothing is scaled.
template <std::size_t NumHeads>
struct head_shares {
  std::bitset<NumHeads> active;            // heads that are on, and have rows in this step
  std::array<double, NumHeads> factors{};  // of their gradients: (l / W) of the first's
  double divisor = 1;                      // of the sum: W / l of the first

  /// Those of one head, which is never scaled.
  static head_shares alone(std::bitset<NumHeads> const& head) {
    head_shares shares{.active = head};
    shares.factors.fill(1.0);
    return shares;
  }
};

/// The shares of a step in which the heads have these weights and so many counted rows, 1 of those
/// that couple images. Throws config_error where no head has any: there is nothing to learn in the
/// step.
template <class... Heads>
head_shares<sizeof...(Heads)> shares_of(network_parts<Heads...> const& parts,
                                        std::array<double, sizeof...(Heads)> const& weights,
                                        std::array<double, sizeof...(Heads)> const& counted) {
  head_shares<sizeof...(Heads)> shares;
  double first_share = 0;
  std::string empty;
  for (std::size_t head = 0; head < parts.num_heads; ++head) {
    if (weights[head] == 0) continue;
    if (counted[head] == 0) {
      (empty += empty.empty() ? "" : ", ") += parts.names()[head];
      continue;
    }
    bool const is_first = shares.active.none();
    if (is_first) first_share = weights[head] / counted[head];
    if (is_first) shares.divisor = counted[head] / weights[head];
    shares.factors[head] = is_first ? 1.0 : weights[head] / counted[head] / first_share;
    shares.active.set(head);
  }
  if (shares.active.none())
    throw config_error("the images of a step have no label from which a head could learn (" +
                       empty +
                       "): give it labelled images, a mask that hides patches to be painted, or "
                       "larger batches (where noise alone spoils images, noise and a "
                       "visible_weight)");
  return shares;
}

}  // namespace mae
