#pragma once

#include <mae/backend/concept.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>

namespace mae {

/// Owns the memory of a pass. It grows with the largest shard seen and never shrinks.
template <Backend B>
class pass_workspace {
  using T = typename B::scalar;

 public:
  /// Makes room for `needed`, unless there is: carve(carver, room) describes the memory's parts,
  /// and is called once to count them and once to place them.
  template <class Carve>
  void fit(shard_capacity const& needed, Carve const& carve) {
    if (room_.covers(needed)) return;
    auto const room = room_.larger(needed);
    room_ =
        {};  // until there is memory: an allocation that fails leaves a workspace that asks again
    carver<T> counter;
    carve(counter, room);
    memory_ = {};
    memory_ = typename B::buffer(counter.used());
    carver<T> memory(memory_.data());
    carve(memory, room);
    room_ = room;
  }

 private:
  shard_capacity room_;
  typename B::buffer memory_;
};

}  // namespace mae
