#pragma once

#include <mae/core/types.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/worker_pass.hpp>

#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>

namespace mae {

/// What a step does with a shard.
enum class shard_phase : index_t { embed, learn, learn_and_tell, average };

/// What decides a recording: what is done, by which heads, whose pass and partial sum it is, where
/// it is kept, and its numbers of rows: with them the addresses are the same.
template <class Network>
std::array<index_t, 15> recording_key(shard_phase of,
                                      std::bitset<Network::num_heads> const& active,
                                      worker_pass<Network> const& pass,
                                      typename Network::kept_type const* kept,
                                      index_t sum,
                                      typename Network::input_type const& in) {
  auto const rows = shard_capacity::of(in.shard);
  return {static_cast<index_t>(of),
          static_cast<index_t>(active.to_ulong()),
          static_cast<index_t>(std::bit_cast<std::uintptr_t>(&pass)),
          static_cast<index_t>(std::bit_cast<std::uintptr_t>(kept)),
          sum,
          rows.images,
          rows.visible,
          rows.targets,
          rows.encoder_rows,
          rows.decoder_rows,
          rows.longest_encoder_sequence,
          rows.longest_decoder_sequence,
          in.shard.decoder_offsets.images(),
          in.shard.target_offsets.longest(),
          static_cast<index_t>(std::bit_cast<std::uintptr_t>(in.weights.data()))};
}

}  // namespace mae
