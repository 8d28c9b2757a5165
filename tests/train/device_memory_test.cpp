#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <regex>
#include <string>
#include <utility>

using mae_test::index_t;
using mae_test::painted_images;
using mae_test::small_config;

namespace {

index_t bytes_in_use = 0;
index_t most_bytes = 0;

/// An array of a device with little memory.
template <class T>
class limited_buffer {
 public:
  limited_buffer() = default;
  explicit limited_buffer(index_t size) {
    index_t const bytes = size * static_cast<index_t>(sizeof(T));
    if (bytes_in_use + bytes > most_bytes) throw mae::device_memory_error("out of memory");
    memory_ = mae::host_buffer<T>(size);
    bytes_in_use += bytes;
  }
  limited_buffer(limited_buffer&& other) noexcept { std::swap(memory_, other.memory_); }
  limited_buffer& operator=(limited_buffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~limited_buffer() { bytes_in_use -= memory_.size() * static_cast<index_t>(sizeof(T)); }

  T* data() noexcept { return memory_.data(); }
  T const* data() const noexcept { return memory_.data(); }
  index_t size() const noexcept { return memory_.size(); }
  auto span() noexcept { return memory_.span(); }
  auto span() const noexcept { return memory_.span(); }

 private:
  mae::host_buffer<T> memory_;
};

/// A backend whose memory is not the host's, and bounded.
struct limited_backend : mae::eigen_backend<float> {
  using mae::eigen_backend<float>::eigen_backend;
  template <class T>
  using buffer_of = limited_buffer<T>;
  using buffer = buffer_of<float>;
  static constexpr bool uses_host_memory = false;
  static constexpr mae::shard_limits shards{.rows = 1 << 14, .sums = 1};
};

using limited_model =
    mae::autoencoder<small_config, mae::uniform_mask<mae::ratio{3, 4}>, limited_backend>;

}  // namespace

TEST_CASE("where a batch does not fit a device's memory, the error names one that does") {
  auto const images = painted_images(512, 1);
  most_bytes = index_t{1} << 40;
  limited_model model({.seed = 1});
  {
    mae::trainer const roomy(model, images, {.batch_size = 96, .steps = 2, .warmup_epochs = 0});
    most_bytes = bytes_in_use;
  }
  std::string message;
  try {
    mae::trainer const training(model, images, {.batch_size = 512, .steps = 2, .warmup_epochs = 0});
  } catch (mae::device_memory_error const& problem) {
    message = problem.what();
  }
  std::smatch found;
  REQUIRE(std::regex_search(message, found, std::regex("a batch of ([0-9]+) images fits")));
  index_t const fitting = std::stol(found[1]);
  CHECK(fitting == 64);  // 96 fits, halves of 512 are tried

  // Nothing is asked for after the trainer's constructor: what fits then fits until the end.
  mae::trainer training(model, images, {.batch_size = fitting, .steps = 2, .warmup_epochs = 0});
  most_bytes = bytes_in_use;
  CHECK(training.run());
}

TEST_CASE("what predicts visible patches too asks for nothing after the trainer's constructor") {
  auto const images = painted_images(64, 1);
  most_bytes = index_t{1} << 40;
  limited_model model({.seed = 1, .visible_weight = 0.3});
  mae::trainer training(model, images, {.batch_size = 64, .steps = 2, .warmup_epochs = 0});
  most_bytes = bytes_in_use;
  CHECK(training.run());
}

TEST_CASE("a model too large for a device's memory is told so") {
  auto const images = painted_images(64, 1);
  most_bytes = index_t{1} << 40;
  limited_model model({.seed = 1});
  most_bytes = bytes_in_use + model.layout().size() * 9;  // two moments of 4 bytes, and little else
  CHECK_THROWS_WITH_AS(
      (mae::trainer(model, images, {.batch_size = 64, .steps = 2, .warmup_epochs = 0})),
      doctest::Contains("not even a batch of one image fits"),
      mae::device_memory_error);
}
