#pragma once

#include <mae/train/exchange.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <queue>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace mae_test {

/// Messages between the threads of one process, which stand for processes.
class mailbox {
 public:
  explicit mailbox(int ranks) : ranks_(ranks) {}

  int ranks() const { return ranks_; }
  void send(int from, int to, std::span<std::byte const> bytes) {
    std::lock_guard const lock(mutex_);
    letters_[{from, to}].emplace(bytes.begin(), bytes.end());
    arrived_.notify_all();
  }
  /// Throws std::logic_error for a letter of another length.
  void receive(int from, int to, std::span<std::byte> bytes) {
    std::unique_lock lock(mutex_);
    auto& letters = letters_[{from, to}];
    arrived_.wait(lock, [&] { return !letters.empty(); });
    if (letters.front().size() != bytes.size())
      throw std::logic_error("a letter of another length");
    std::ranges::copy(letters.front(), bytes.begin());
    letters.pop();
  }

 private:
  int ranks_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::map<std::pair<int, int>, std::queue<std::vector<std::byte>>> letters_;
};

/// A rank's end of a mailbox.
class mailbox_exchange {
 public:
  mailbox_exchange(mailbox& box, int rank) : box_(&box), rank_(rank) {}

  int rank() const { return rank_; }
  int ranks() const { return box_->ranks(); }
  void swap(int partner, std::span<std::byte const> sent, std::span<std::byte> received) {
    box_->send(rank_, partner, sent);
    box_->receive(partner, rank_, received);
  }

 private:
  mailbox* box_;
  int rank_;
};
static_assert(mae::Exchange<mailbox_exchange>);

/// body(exchange) for every rank, each in a thread of its own.
template <class Body>
void for_ranks(int ranks, Body const& body) {
  mailbox box(ranks);
  std::vector<std::thread> processes;
  for (int rank = 0; rank < ranks; ++rank)
    processes.emplace_back([&box, &body, rank] { body(mailbox_exchange(box, rank)); });
  for (auto& process : processes) process.join();
}

/// What run(exchange) says for every rank, in the order of ranks.
template <class Run>
auto of_ranks(int ranks, Run const& run) {
  std::vector<decltype(run(std::declval<mailbox_exchange>()))> found(
      static_cast<std::size_t>(ranks));
  for_ranks(ranks, [&](mailbox_exchange exchange) {
    found[static_cast<std::size_t>(exchange.rank())] = run(exchange);
  });
  return found;
}

}  // namespace mae_test
