#pragma once

#include <mae/core/views.hpp>
#include <mae/network/heard_painter.hpp>
#include <mae/network/network_parts.hpp>

#include <cstddef>
#include <tuple>

namespace mae::detail {

/// What adds to the gradient of what the painter painted that of the active heads that hear it;
/// input_of(head) is what their passes read.
template <class Passes, class T, std::size_t NumHeads, class InputOf>
auto heard_by(Passes const& passes,
              active_heads<T, NumHeads> const& active,
              InputOf const& input_of) {
  return [&passes, active, input_of](matrix_view<T> painted_grad) {
    std::size_t head = 0;
    auto const add = [&](auto const& pass) {
      std::size_t const mine = head++;
      if constexpr (requires {
                      pass.add_painted_gradient(input_of(mine), active.factors, painted_grad);
                    })
        if (active.set[mine])
          pass.add_painted_gradient(input_of(mine), active.factors + mine, painted_grad);
    };
    std::apply([&](auto const&... pass) { (add(pass), ...); }, passes);
  };
}

}  // namespace mae::detail
