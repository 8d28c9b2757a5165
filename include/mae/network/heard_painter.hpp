#pragma once

#include <mae/core/error.hpp>
#include <mae/network/network_parts.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mae {

/// Whether a head learns from what the network's first, a painter, predicts: it stands in
/// head_input's `painted`. Its pass says nothing of tokens; instead `add_painted_gradient(in,
/// factor, painted_grad)` adds *factor times its losses' gradient of that. Who writes one includes
/// painted_gradient.hpp.
template <class H>
inline constexpr bool hears_painter = requires {
  requires H::hears_painter;
};

namespace detail {

/// Throws config_error where a head that hears the painter has a part in a pass without it.
inline void require_painted(bool paints, std::string_view head) {
  if (!paints)
    throw config_error("the head " + std::string(head) +
                       " learns from what the painter paints, which has no part in this pass: the "
                       "painter's weight and its schedule must not reach 0, heads must not "
                       "alternate and have the same masks, and how their gradients meet cannot be "
                       "told");
}

/// In painted_gradient.hpp.
template <class Passes, class T, std::size_t NumHeads, class InputOf>
auto heard_by(Passes const& passes,
              active_heads<T, NumHeads> const& active,
              InputOf const& input_of);

}  // namespace detail
}  // namespace mae
