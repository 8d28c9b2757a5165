// What decoders cost: steps of tiny4 whose decoder attends to all patches or asks the visible ones,
// predicts all hidden patches or a quarter of them, or visible ones too. Prints for each the median
// of this process's user seconds over turns, and its ratio to the first, which is taken in every
// turn: others' work on the machine shifts both.
//
//   decoder_speed --batch N --steps N --rounds N
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using images_type = mae::memory_dataset<std::uint8_t>;

double user_seconds() {
  struct rusage used {};
  ::getrusage(RUSAGE_SELF, &used);
  constexpr double micro = 1e-6;
  return static_cast<double>(used.ru_utime.tv_sec) +
         micro * static_cast<double>(used.ru_utime.tv_usec);
}

/// A model and its training, and what its turns took.
struct contender {
  std::string name;
  std::function<void()> step;
  std::vector<double> seconds = {};
  std::vector<double> ratios = {};
};

template <class Model>
contender contend(
    std::string name, images_type const& images, index_t batch, double share, double visible) {
  struct training {
    Model model;
    mae::trainer<Model, images_type> trainer;

    training(images_type const& data, mae::training_options const& options, double weight)
        : model({.backend = mae::eigen_backend<float>(1), .visible_weight = weight}),
          trainer(model, data, options) {}
  };
  auto const state = std::make_shared<training>(
      images,
      mae::training_options{
          .batch_size = batch, .predicted_share = share, .steps = 1'000'000, .warmup_epochs = 0},
      visible);
  return {std::move(name), [state] { state->trainer.step(); }};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  index_t batch = 64;
  int steps = 2;
  int rounds = 7;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string const flag = argv[i];
    int const value = std::atoi(argv[i + 1]);
    if (flag == "--batch") batch = value;
    if (flag == "--steps") steps = value;
    if (flag == "--rounds") rounds = value;
  }
  auto const images = benchmarks::noise_images(batch * 4, benchmarks::tiny4.image);
  using self_model = mae::autoencoder<benchmarks::tiny4>;
  using cross_model = mae::cross_autoencoder<benchmarks::tiny4>;
  constexpr double quarter = 0.25;
  std::vector<contender> all;
  all.push_back(contend<self_model>("self", images, batch, 1, 0));
  all.push_back(contend<self_model>("self, share 0.25", images, batch, quarter, 0));
  all.push_back(contend<cross_model>("cross", images, batch, 1, 0));
  all.push_back(contend<cross_model>("cross, share 0.25", images, batch, quarter, 0));
  all.push_back(contend<self_model>("self, visible 0.1", images, batch, 1, 0.1));
  for (auto& one : all) one.step();  // warms up
  for (int round = 0; round < rounds; ++round)
    for (auto& one : all) {
      double const before = user_seconds();
      for (int i = 0; i < steps; ++i) one.step();
      one.seconds.push_back((user_seconds() - before) / steps);
      one.ratios.push_back(one.seconds.back() / all.front().seconds.back());
    }
  std::cout << std::fixed << std::setprecision(3);
  for (auto const& one : all)
    std::cout << one.name << ": " << median(one.seconds) << " s, " << median(one.ratios)
              << " of self\n";
}
