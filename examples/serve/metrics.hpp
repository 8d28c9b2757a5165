#pragma once

#include <mae/core/types.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace serve {

/// How often values lay within each of some bounds, as Prometheus counts them.
template <std::size_t size>
class histogram {
 public:
  explicit histogram(std::array<double, size> const& bounds) : bounds_(bounds) {}

  void add(double value) {
    for (std::size_t i = 0; i < size; ++i)
      if (value <= bounds_[i]) ++counts_[i];
    ++all_;
    sum_ += value;
  }
  /// Its lines; `labels` is empty or 'name="value"'.
  std::string text(std::string const& name, std::string const& labels) const;

 private:
  std::array<double, size> bounds_;
  std::array<std::uint64_t, size> counts_{};
  std::uint64_t all_ = 0;
  double sum_ = 0;
};

/// What is so now.
struct gauges {
  int connections = 0;
  mae::index_t queue_images = 0;
  bool ready = false;
};

/// What /metrics says, in Prometheus' text format. Called from any thread.
class metrics {
 public:
  /// A request that was answered. `route` is one of a fixed set: a client cannot make the text
  /// grow. `error_code` is empty where the reply is none of an error.
  void count_request(std::string_view route,
                     int status,
                     std::string_view error_code,
                     double seconds);
  void count_batch(mae::index_t images, double seconds);
  void count_reload(bool succeeded);

  std::string text(gauges const& now) const;

 private:
  static constexpr std::array<double, 14> second_bounds{
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
  static constexpr std::array<double, 9> batch_bounds{1, 2, 4, 8, 16, 32, 64, 128, 256};
  using latency = histogram<second_bounds.size()>;

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;  // by route and status
  std::map<std::string, std::uint64_t, std::less<>> errors_;       // by code
  std::map<std::string, latency, std::less<>> seconds_;            // by route
  histogram<batch_bounds.size()> batches_{batch_bounds};
  double compute_seconds_ = 0;
  std::array<std::uint64_t, 2> reloads_{};  // refused, done
};

}  // namespace serve
