#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/head.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/part.hpp>
#include <mae/network/workspace.hpp>

#include <cstddef>
#include <tuple>
#include <utility>

namespace mae {

/// What a forward pass leaves for the backward pass of encoder and heads.
template <Lane L, class... Heads>
struct kept_activations {
  encoder_activations<L> encoder;
  std::tuple<pass_of_head<L, Heads>...> heads;
};

/// Keeps what the encoder and the heads that couple images made of one shard, from when they say
/// what they see of it until its gradients are taken, in memory of its own. Immovable: passes hold
/// its address.
template <Backend B, class... Heads>
class kept_shard {
  using lane_type = typename B::lane;
  using T = typename B::scalar;
  using each_head = std::index_sequence_for<Heads...>;

 public:
  using activations_type = kept_activations<lane_type, Heads...>;

  kept_shard(network_parts<Heads...> const& parts, shard_capacity const& room) {
    workspace_.fit(room, [&](carver<T>& memory, shard_capacity const& most) {
      activations_ = carve(memory, parts, most);
    });
  }
  kept_shard(kept_shard const&) = delete;
  kept_shard& operator=(kept_shard const&) = delete;
  ~kept_shard() = default;

  activations_type const& activations() const { return activations_; }

  /// The bytes that one takes.
  static index_t bytes(network_parts<Heads...> const& parts, shard_capacity const& room) {
    carver<T> counter;
    carve(counter, parts, room);
    return static_cast<index_t>(counter.used()) * static_cast<index_t>(sizeof(T));
  }

 private:
  static activations_type carve(carver<T>& memory,
                                network_parts<Heads...> const& parts,
                                shard_capacity const& room) {
    activations_type made;
    made.encoder =
        encoder_activations<lane_type>::carve(memory, parts.config, room, pass_kind::training);
    carve_heads(each_head{}, memory, parts, room, made);
    return made;
  }
  template <std::size_t... I>
  static void carve_heads(std::index_sequence<I...> /*each*/,
                          carver<T>& memory,
                          network_parts<Heads...> const& parts,
                          shard_capacity const& room,
                          activations_type& made) {
    (carve_head<I>(memory, parts, room, made), ...);
  }
  template <std::size_t I>
  static void carve_head(carver<T>& memory,
                         network_parts<Heads...> const& parts,
                         shard_capacity const& room,
                         activations_type& made) {
    using head_type = std::tuple_element_t<I, std::tuple<Heads...>>;
    if constexpr (couples_samples<head_type>)
      if (parts.is_on(I))
        std::get<I>(made.heads) = pass_of_head<lane_type, head_type>::carve(
            memory, std::get<I>(parts.heads), room, pass_kind::training);
  }

  pass_workspace<B> workspace_;
  activations_type activations_;
};

}  // namespace mae
