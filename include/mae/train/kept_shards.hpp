#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/network/capacity.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace mae {

/// Memory for what the encoder makes of each of a process's shards: see kept_shard. All or none.
template <class Network>
class kept_shards {
  using shard_type = typename Network::kept_shard_type;

 public:
  /// Room for `count` shards from `first` on, each of at most `room`, if they take no more than
  /// `bytes`; none where a device has no such memory.
  void reserve(typename Network::parts_type const& parts,
               shard_capacity const& room,
               index_t first,
               index_t count,
               index_t bytes) {
    first_ = first;
    if (count * shard_type::bytes(parts, room) > bytes) return;
    try {
      for (index_t i = 0; i < count; ++i)
        shards_.push_back(std::make_unique<shard_type>(parts, room));
    } catch (device_memory_error const&) {
      shards_.clear();
    }
  }

  bool empty() const { return shards_.empty(); }
  /// Where a shard is kept; null where none is.
  typename Network::kept_type const* of(index_t shard) const {
    if (empty()) return nullptr;
    return &shards_[static_cast<std::size_t>(shard - first_)]->activations();
  }

 private:
  index_t first_ = 0;
  std::vector<std::unique_ptr<shard_type>> shards_;
};

}  // namespace mae
