#pragma once

#include <mae/core/error.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/shard.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>

namespace mae {

/// Whether a head learns from what the network's first, a painter, predicts: it stands in
/// head_input's `painted`. Its pass says nothing of tokens; instead `add_painted_gradient(in,
/// factor, painted_grad)` adds *factor times its losses' gradient of that. Who writes one includes
/// painted_gradient.hpp. The first head's pass says what it painted, `prediction(shard)`, and its
/// backward has one argument more, `add`, which it calls with the gradient of that: as painter's.
template <class H>
inline constexpr bool hears_painter = requires {
  requires H::hears_painter;
};

namespace detail {

/// Which heads of a network hear its painter, on a lane.
template <class L, class... Heads>
constexpr std::array<bool, sizeof...(Heads)> hearing_of() {
  if constexpr ((hears_painter<Heads> || ...)) {
    using first = typename std::tuple_element_t<0, std::tuple<Heads...>>::template pass<L>;
    static_assert(
        requires(first const& pass, shard_view const& shard) { pass.prediction(shard); },
        "mae: a head that hears the painter needs a painter as the network's first: its "
        "pass has prediction(shard), and a backward that takes what adds to its gradient");
  }
  return {hears_painter<Heads>...};
}

/// Throws config_error where a head that hears the painter has a part in a pass without it.
inline void require_painted(bool paints, std::string_view head) {
  if (!paints)
    throw config_error("the head " + std::string(head) +
                       " learns from what the painter paints, which has no part in this pass: the "
                       "painter's weight and its schedule must not reach 0, heads must not "
                       "alternate and have the same masks, how their gradients meet cannot be "
                       "told, and masks must hide patches");
}

/// In painted_gradient.hpp.
template <class Passes, class T, std::size_t NumHeads, class InputOf>
auto heard_by(Passes const& passes,
              active_heads<T, NumHeads> const& active,
              InputOf const& input_of);

}  // namespace detail
}  // namespace mae
