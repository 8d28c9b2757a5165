#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/shard.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace mae {

/// A shard in the memory of a backend, with what each head is to learn of it.
template <class T, std::size_t NumHeads>
struct shard_input {
  shard_view shard;
  matrix_view<T const> patches;                       // (images * N, P), normalised
  std::array<matrix_view<T const>, NumHeads> labels;  // (label rows, label width)
  std::span<T const> weights = {};  // of the first head's rows; empty: each counts once

  /// Those of a head's rows; null where each counts once.
  template <std::size_t Head>
  T const* row_weights() const {
    return Head == 0 && !weights.empty() ? weights.data() : nullptr;
  }
};

/// Where what a mask learns from is written of a batch; empty: it is not asked for.
template <class T>
struct told_rows {
  std::span<T> losses;  // of each of the first head's label rows
  std::span<T> slopes;  // of each visible patch: see network_pass::slopes
};

namespace detail {

[[noreturn]] inline void refuse_label_rows(std::string_view head,
                                           index_t said,
                                           index_t found,
                                           index_t room) {
  throw config_error("the head " + std::string(head) + " says " + std::to_string(said) +
                     " label rows of a shard with labels of " + std::to_string(found) +
                     " and room for " + std::to_string(room) +
                     ": its label_rows must be the sum of its images'");
}

/// Room for the losses of as many label rows as a head says that a shard has.
template <class Head, class T>
std::span<T> label_losses(Head const& head,
                          shard_view const& shard,
                          index_t found,
                          std::span<T> room) {
  index_t const rows = head.label_rows(shard_capacity::of(shard));
  if (rows != found || rows > std::ssize(room))
    refuse_label_rows(head.name, rows, found, std::ssize(room));
  return room.first(static_cast<std::size_t>(rows));
}

}  // namespace detail
}  // namespace mae
