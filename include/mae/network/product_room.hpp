#pragma once

#include <mae/backend/concept.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/prepared_weights.hpp>

#include <algorithm>

namespace mae::detail {

/// Makes a lane's room for the products of a network: of weights' gradients and of attention.
template <Lane L, class... Heads>
void reserve_products(L& lane,
                      network_parts<Heads...> const& parts,
                      shard_capacity const& room,
                      pass_kind kind) {
  auto const most = largest_products(parts, room);
  lane.reserve_products(most.rows, most.width);
  if (kind == pass_kind::inference) return;
  lane.reserve_transposed(most.rows, most.width);
  lane.reserve_transposed(most.tokens, std::max(most.tokens, most.width));
}

}  // namespace mae::detail
