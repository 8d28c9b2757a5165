#include "batcher.hpp"

#include <algorithm>
#include <cstddef>

namespace serve {
namespace {

using clock = std::chrono::steady_clock;
using mae::index_t;

bool fit_together(batch_job const& one, batch_job const& other) {
  return one.model == other.model && one.of.what == other.of.what &&
         one.of.attention == other.of.attention;
}

/// All images of a batch in one.
image_batch joined(std::span<batch_job const> jobs) {
  image_batch all{.what = jobs.front().of.what, .attention = jobs.front().of.attention};
  for (auto const& job : jobs) {
    all.images += job.of.images;
    all.pixels.insert(all.pixels.end(), job.of.pixels.begin(), job.of.pixels.end());
    all.hidden.insert(all.hidden.end(), job.of.hidden.begin(), job.of.hidden.end());
  }
  return all;
}

}  // namespace

batcher::batcher(batch_limits limits,
                 turns& shared,
                 std::function<bool()> more_may_come,
                 std::function<void(index_t, double)> report)
    : limits_(limits),
      turns_(shared),
      more_may_come_(std::move(more_may_come)),
      report_(std::move(report)),
      thread_([this] { run(); }) {}

bool batcher::reserve(index_t images) {
  std::lock_guard const lock(mutex_);
  if (reserved_ + images > limits_.queue) return false;
  reserved_ += images;
  return true;
}

void batcher::release(index_t images) {
  std::lock_guard const lock(mutex_);
  reserved_ -= images;
  changed_.notify_one();  // what is here may be all
}

void batcher::push(batch_job job) {
  job.queued = clock::now();
  std::lock_guard const lock(mutex_);
  queue_.push_back(std::move(job));
  changed_.notify_one();
}

void batcher::stop() {
  {
    std::lock_guard const lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

index_t batcher::waiting() const {
  std::lock_guard const lock(mutex_);
  return reserved_;
}

double batcher::seconds_of_queue() const {
  std::lock_guard const lock(mutex_);
  return static_cast<double>(reserved_) * seconds_of_image_;
}

void batcher::run() {
  for (;;) {
    auto const batch = next();  // gone before the next is waited for, with whom it answered
    if (batch.empty()) return;
    compute(batch);
  }
}

/// The next batch; empty where there will be none.
batcher::jobs batcher::next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    drop_abandoned();
    if (queue_.empty()) {
      if (stopping_) return {};
      continue;
    }
    changed_.wait_until(lock, queue_.front().queued + limits_.delay, [this] {
      return stopping_ || ready_images() >= most_together(queue_.front()) ||
             (all_are_here() && !more_may_come_());
    });
    drop_abandoned();
    if (!queue_.empty()) return take_batch();
  }
}

void batcher::drop_abandoned() {
  std::erase_if(queue_, [this](batch_job const& job) {
    if (!job.abandoned->load()) return false;
    reserved_ -= job.of.images;
    return true;
  });
}

/// Whether none of the images that have places is still on its way.
bool batcher::all_are_here() const {
  index_t images = 0;
  for (auto const& job : queue_) images += job.of.images;
  return images == reserved_;
}

/// Images of a batch with this one, so that their values do not fill the memory.
index_t batcher::most_together(batch_job const& job) const {
  constexpr index_t most_values = index_t{1} << 25;  // 128 MiB, and as much again on their way out
  return std::clamp<index_t>(most_values / job.model->width(job.of), 1, limits_.images);
}

/// Those that could be in a batch with the first.
index_t batcher::ready_images() const {
  index_t images = 0;
  for (auto const& job : queue_) images += fit_together(job, queue_.front()) ? job.of.images : 0;
  return images;
}

/// The first job, and those after it that fit, as long as there is room: who came first is first.
batcher::jobs batcher::take_batch() {
  jobs batch;
  index_t const most = most_together(queue_.front());
  index_t images = 0;
  std::deque<batch_job> left;
  bool is_open = true;
  for (auto& job : queue_) {
    bool const fits = batch.empty() || fit_together(job, batch.front());
    is_open = is_open && (!fits || batch.empty() || images + job.of.images <= most);
    if (fits && is_open) {
      images += job.of.images;
      batch.push_back(std::move(job));
    } else {
      left.push_back(std::move(job));
    }
  }
  queue_ = std::move(left);
  reserved_ -= images;
  return batch;
}

void batcher::compute(std::span<batch_job const> batch) {
  if (answer(batch)) return;
  for (std::size_t i = 0; i < batch.size(); ++i) answer(batch.subspan(i, 1));
}

/// False, with nobody answered, where several failed together: one's fault is not another's.
bool batcher::answer(std::span<batch_job const> batch) {
  auto const& model = *batch.front().model;
  auto const start = clock::now();
  auto turn = start;
  index_t images = 0;
  std::vector<float> values;
  std::exception_ptr failure;
  try {
    auto const all = joined(batch);
    images = all.images;
    values = turns_.take([&] {
      turn = clock::now();
      return model.compute(all);
    });
  } catch (...) {
    if (batch.size() > 1) return false;
    failure = std::current_exception();
  }
  auto const end = clock::now();
  auto const since = [&](clock::time_point then) {
    return std::chrono::duration<double>(end - then).count();
  };
  auto const width = static_cast<std::size_t>(model.width(batch.front().of));
  std::size_t first = 0;
  for (auto const& job : batch) {
    auto const size = failure ? 0 : static_cast<std::size_t>(job.of.images) * width;
    job.done(std::span(values).subspan(first, size), failure);
    first += size;
  }
  if (!failure) report_(images, since(turn));
  note_time(since(start) / static_cast<double>(std::max<index_t>(1, images)));
  return true;
}

void batcher::note_time(double seconds_of_image) {
  constexpr double memory = 0.9;
  std::lock_guard const lock(mutex_);
  seconds_of_image_ = seconds_of_image_ == 0
                          ? seconds_of_image
                          : memory * seconds_of_image_ + (1 - memory) * seconds_of_image;
}

}  // namespace serve
