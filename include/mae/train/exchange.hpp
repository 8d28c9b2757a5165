#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/train/shard_schedule.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// How a training's processes meet: by messages between two of them, no more. MPI_Sendrecv is such
/// a swap; an MPI_Allreduce is no substitute, since the order of its sums depends on lengths and
/// counts.
template <class E>
concept Exchange = std::movable<E> && requires(E& exchange,
                                               E const& of,
                                               int partner,
                                               std::span<std::byte const> sent,
                                               std::span<std::byte> received) {
  /// This process's number, below ranks(); the same for as long as it lives.
  { of.rank() } -> std::convertible_to<int>;
  { of.ranks() } -> std::convertible_to<int>;
  /// Sends bytes to a partner, which calls the same, and fills `received` with what it sends:
  /// lengths differ, but each knows both. Throws io_error where the partner is gone.
  { exchange.swap(partner, sent, received) } -> std::same_as<void>;
};

/// One process.
struct alone {
  static constexpr int rank() { return 0; }
  static constexpr int ranks() { return 1; }
  static void swap(int /*partner*/,
                   std::span<std::byte const> /*sent*/,
                   std::span<std::byte> /*received*/) {}
};
static_assert(Exchange<alone>);

/// A rank's partial sums of a schedule: [first, last), neighbours in the tree by which they are
/// added.
struct sum_range {
  index_t first = 0;
  index_t last = 0;

  constexpr index_t size() const { return last - first; }
};

/// All of a schedule's partial sums, shared out to `ranks` processes. Throws config_error for a
/// number of processes by which their tree cannot be cut.
inline sum_range sums_of_rank(shard_schedule const& schedule, int rank, int ranks) {
  auto const leaves = static_cast<index_t>(std::bit_ceil(static_cast<std::size_t>(schedule.sums)));
  if (ranks < 1 || ranks > leaves || !std::has_single_bit(static_cast<unsigned>(ranks)))
    throw config_error("a batch of " + std::to_string(schedule.sums) +
                       " partial sums cannot be shared by " + std::to_string(ranks) +
                       " processes: take a power of two, at most " + std::to_string(leaves));
  index_t const each = leaves / ranks;
  return {std::min(rank * each, schedule.sums), std::min((rank + 1) * each, schedule.sums)};
}

/// values = their sum over all ranks, in each of them: ranks 2 i and 2 i + 1 first, then these
/// pairs, and so on, which is the tree of the partial sums that they share; element by element, so
/// that the bits depend on no length. Recursive halving: each of a pair adds half of what both
/// hold, and what all added is gathered on the way back. `room` is scratch memory. Throws what a
/// swap throws.
template <Exchange E, class T>
void sum_over_ranks(E& exchange, std::span<T> values, std::vector<T>& room) {
  struct half {
    int partner = 0;
    std::span<T> mine, theirs;
  };
  std::array<half, 32> halves;
  std::size_t taken = 0;
  int const rank = exchange.rank();
  for (int distance = 1; distance < exchange.ranks(); distance *= 2) {
    int const partner = rank ^ distance;
    auto low = values.first(values.size() / 2);
    auto high = values.subspan(values.size() / 2);
    if (rank > partner) std::swap(low, high);
    room.resize(std::max(room.size(), low.size()));
    auto const received = std::span(room).first(low.size());
    exchange.swap(partner, std::as_bytes(high), std::as_writable_bytes(received));
    for (std::size_t i = 0; i < low.size(); ++i) low[i] += received[i];
    halves[taken++] = {partner, low, high};
    values = low;
  }
  while (taken > 0) {
    auto const& [partner, mine, theirs] = halves[--taken];
    exchange.swap(partner, std::as_bytes(mine), std::as_writable_bytes(theirs));
  }
}

/// The sum of numbers of which this rank has those from `first` on, added one by one in their
/// order. `all` (of zeros) and `room` are scratch memory.
template <Exchange E>
double sum_in_order(E& exchange,
                    std::span<double const> own,
                    index_t first,
                    std::span<double> all,
                    std::vector<double>& room) {
  std::ranges::copy(own, all.begin() + first);
  sum_over_ranks(exchange, all, room);
  double sum = 0;
  for (double const number : all) sum += number;
  return sum;
}

}  // namespace mae
