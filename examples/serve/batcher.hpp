#pragma once

#include "served_model.hpp"
#include "turns.hpp"

#include <mae/core/types.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

namespace serve {

/// Images of one request, on their way to a model.
struct batch_job {
  std::shared_ptr<served_model const> model;
  image_batch of;
  /// Gets the values (n, width), or why there are none. On the batcher's thread: to be short.
  std::function<void(std::span<float const>, std::exception_ptr)> done;
  std::shared_ptr<std::atomic<bool> const> abandoned;
  std::chrono::steady_clock::time_point queued = {};
};

struct batch_limits {
  mae::index_t images = 64;  // of a batch; fewer where an image's values are very many
  std::chrono::microseconds delay{2'000};
  mae::index_t queue = 256;  // images that wait, or are on their way here
};

/// Collects images of several requests and lets a model compute them at once, on a thread of its
/// own: one batch after the other, each of one model and task. Since an image's values do not
/// depend on what else is in its batch, waiting changes no bit.
class batcher {
 public:
  /// Batches are computed in turns with others of `shared`. `more_may_come` says whether it is
  /// worth to wait for other requests, `report` gets each batch's size and seconds, those of
  /// others' turns not counted; both on the batcher's thread.
  batcher(batch_limits limits,
          turns& shared,
          std::function<bool()> more_may_come,
          std::function<void(mae::index_t, double)> report);
  batcher(batcher const&) = delete;
  batcher& operator=(batcher const&) = delete;
  /// Computes what waits, then ends.
  ~batcher() { stop(); }

  /// Takes places in the queue; false where so many are not free.
  bool reserve(mae::index_t images);
  /// Gives back places whose images do not come.
  void release(mae::index_t images);
  /// Takes images that have places.
  void push(batch_job job);

  /// Looks again whether more may come.
  void look_again() {
    std::lock_guard const lock(mutex_);  // not between a look and the wait after it
    changed_.notify_one();
  }
  /// Computes what waits, and ends the thread.
  void stop();

  mae::index_t waiting() const;
  /// About how long until the images that wait now are computed.
  double seconds_of_queue() const;

 private:
  using jobs = std::vector<batch_job>;

  void run();
  jobs next();
  mae::index_t most_together(batch_job const& job) const;
  mae::index_t ready_images() const;
  bool all_are_here() const;
  jobs take_batch();
  void compute(std::span<batch_job const> batch);
  bool answer(std::span<batch_job const> batch);
  void note_time(double seconds_of_image);
  void drop_abandoned();

  batch_limits limits_;
  turns& turns_;
  std::function<bool()> more_may_come_;
  std::function<void(mae::index_t, double)> report_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<batch_job> queue_;
  mae::index_t reserved_ = 0;  // images of the queue and of those on their way
  double seconds_of_image_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace serve
