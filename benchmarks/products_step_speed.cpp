// Times tiny4's training steps with the library's own products and with Eigen's, in turns within
// one run:
//
//   products_step_speed --batch N --precision fp32|bf16 --threads N --steps N
//
// Prints one JSON line: the median of both rates, and of the ratio of each turn's processor times,
// which other programs on the machine change less than the time on the clock.
#include "arguments.hpp"
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/eigen_products.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

namespace {

double median(std::vector<double> values) {
  auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Seconds of all of the process's threads.
double processor_seconds() {
  std::timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// A training with these products, and what its steps took.
template <class Operand, class Products>
struct timed_training {
  using backend = mae::eigen_backend<Operand, Products>;
  using dataset = mae::memory_dataset<std::uint8_t>;
  using model_type =
      mae::autoencoder<benchmarks::tiny4, mae::uniform_mask<mae::ratio{3, 4}>, backend>;

  timed_training(benchmarks::arguments const& chosen, dataset const& images)
      : network({.backend = backend(chosen.threads)}),
        training(network, images, {.batch_size = chosen.batch, .steps = 1'000'000, .lr = 1e-4}) {}

  /// Returns the step's processor time.
  double step() {
    double const before = processor_seconds();
    seconds.push_back(training.step().seconds);
    return processor_seconds() - before;
  }

  model_type network;
  mae::trainer<model_type, dataset> training;
  std::vector<double> seconds;
};

template <class Operand>
void measure(benchmarks::arguments const& chosen) {
  auto const images = benchmarks::noise_images(2 * chosen.batch, benchmarks::tiny4.image);
  timed_training<Operand, mae::tile_products> own(chosen, images);
  timed_training<Operand, mae::eigen_products> eigens(chosen, images);
  own.step();  // to warm up
  eigens.step();
  own.seconds.clear();
  eigens.seconds.clear();
  std::vector<double> ratios;
  for (int i = 0; i < chosen.steps; ++i) {
    double const mine = own.step();
    ratios.push_back(eigens.step() / mine);
  }
  std::printf(
      "{\"config\": \"tiny4\", \"batch\": %d, \"precision\": \"%s\", \"threads\": %d, "
      "\"own_images_per_second\": %.1f, \"eigen_images_per_second\": %.1f, "
      "\"eigen_over_own_processor_time\": %.2f}\n",
      chosen.batch,
      chosen.precision.c_str(),
      chosen.threads,
      chosen.batch / median(own.seconds),
      chosen.batch / median(eigens.seconds),
      median(ratios));
}

}  // namespace

int main(int argc, char** argv) {
  auto const chosen = benchmarks::parse(argc, argv);
  if (chosen.precision == "bf16")
    measure<mae::bfloat16>(chosen);
  else
    measure<float>(chosen);
}
