#pragma once

#include <mae/core/error.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/per_head.hpp>
#include <mae/mask/policy.hpp>

#include <bitset>
#include <cstddef>
#include <vector>

namespace mae {

/// The heads of each pass over a step's images: all that are on at once, or those whose masks are
/// the same.
template <std::size_t NumHeads, MaskPolicy M>
std::vector<std::bitset<NumHeads>> passes_of(M const& mask, std::bitset<NumHeads> const& on) {
  if constexpr (!MaskPerHead<M>) {
    return {on};
  } else {
    static_assert(!LearningMask<M>, "mae: a mask that learns is the same for all heads");
    std::vector<std::bitset<NumHeads>> passes;
    std::bitset<NumHeads> taken;
    for (std::size_t first = 0; first < NumHeads; ++first) {
      std::bitset<NumHeads> heads;
      for (std::size_t head = first; head < NumHeads; ++head)
        heads.set(head, on[head] && mask.plans_as(head) == first);
      if (heads.any()) passes.push_back(heads);
      taken |= heads;
    }
    if (taken != on)
      throw config_error(
          "the mask policy's plans_as must name the first head that shares a head's plans, which "
          "is "
          "itself or one before it");
    return passes;
  }
}

}  // namespace mae
