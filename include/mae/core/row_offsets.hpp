#pragma once

#include <mae/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <vector>

namespace mae {

/// Where the tokens of each image lie among packed rows: image i has rows
/// [offsets[i], offsets[i + 1]).
class row_offsets {
 public:
  row_offsets() = default;
  /// `offsets` (images + 1) in the lane's memory; `longest` is the longest image.
  row_offsets(std::span<index_t const> offsets, index_t longest)
      : offsets_(offsets), longest_(longest) {}
  /// Offsets in the host's memory.
  row_offsets(std::vector<index_t> const& offsets)  // NOLINT(google-explicit-constructor)
      : offsets_(offsets) {
    for (std::size_t i = 1; i < offsets.size(); ++i)
      longest_ = std::max(longest_, offsets[i] - offsets[i - 1]);
  }

  index_t images() const { return std::ssize(offsets_) - 1; }
  index_t longest() const { return longest_; }
  std::span<index_t const> values() const { return offsets_; }

 private:
  std::span<index_t const> offsets_;
  index_t longest_ = 0;
};

}  // namespace mae
