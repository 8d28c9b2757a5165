#pragma once

#include <mae/core/types.hpp>

#include <cstddef>

namespace mae {

/// What a sum of gradients may do for memory and time, to the same bits.
struct gradient_memory {
  /// One `add` follows each `clear` and `begin_part`: few threads then have memory for fewer
  /// partial sums than there are.
  bool adds_once = false;
  /// Where heads couple images, what the encoder makes of all own shards is kept from `embed`, then
  /// due, to the one `add`, if it fits in so many bytes; else it runs forward twice.
  index_t keep_bytes = 0;
};

/// Of steps of so many accumulated batches and passes, each of which is added by itself.
constexpr gradient_memory memory_of_steps(index_t accumulate, std::size_t passes) {
  if (accumulate > 1 || passes > 1) return {};
  return {.adds_once = true, .keep_bytes = index_t{2} << 30};
}

}  // namespace mae
