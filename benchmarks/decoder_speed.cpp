// What decoders cost: steps of tiny4 whose decoder attends to all patches or asks the visible ones,
// predicts all hidden patches or a quarter of them, or visible ones too. Prints for each the median
// of this process's user seconds over turns, and its ratio to the first, which is taken in every
// turn: others' work on the machine shifts both.
//
//   decoder_speed --decoder-depth 2|6 --batch N --steps N --rounds N
#include "models.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/configs.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/objective/pixels.hpp>
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
#include <utility>
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

struct chosen_loss {
  double share = 1;
  double visible = 0;
};

/// A model of chosen sizes, as its base: one trainer for all.
template <class Base, class Model>
contender contend(std::string name,
                  images_type const& images,
                  index_t batch,
                  chosen_loss const& loss) {
  struct training {
    Base model;
    mae::trainer<Base, images_type> trainer;

    training(images_type const& data, mae::training_options const& options, double visible)
        : model(Model({.backend = mae::eigen_backend<float>(1), .visible_weight = visible})),
          trainer(model, data, options) {}
  };
  auto const state = std::make_shared<training>(images,
                                                mae::training_options{.batch_size = batch,
                                                                      .predicted_share = loss.share,
                                                                      .steps = 1'000'000,
                                                                      .warmup_epochs = 0},
                                                loss.visible);
  return {std::move(name), [state] { state->trainer.step(); }};
}

using mask = mae::uniform_mask<mae::ratio{3, 4}>;
using backend = mae::eigen_backend<float>;

template <mae::model_config Config>
std::vector<contender> contenders(images_type const& images, index_t batch) {
  using self_base = mae::sized_autoencoder<mask, backend, mae::normalised_pixels>;
  using cross_base = mae::sized_cross_autoencoder<mask, backend, mae::normalised_pixels>;
  using self_model = mae::autoencoder<Config>;
  using cross_model = mae::cross_autoencoder<Config>;
  constexpr double quarter = 0.25;
  std::vector<contender> all;
  all.push_back(contend<self_base, self_model>("self", images, batch, {}));
  all.push_back(contend<self_base, self_model>("self, share 0.25", images, batch, {quarter}));
  all.push_back(contend<cross_base, cross_model>("cross", images, batch, {}));
  all.push_back(contend<cross_base, cross_model>("cross, share 0.25", images, batch, {quarter}));
  all.push_back(contend<self_base, self_model>("self, visible 0.1", images, batch, {1, 0.1}));
  return all;
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
  bool deep = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string const flag = argv[i];
    int const value = std::atoi(argv[i + 1]);
    if (flag == "--decoder-depth") deep = value == 6;
    if (flag == "--batch") batch = value;
    if (flag == "--steps") steps = value;
    if (flag == "--rounds") rounds = value;
  }
  auto const images = benchmarks::noise_images(batch * 4, benchmarks::tiny4.image);
  auto all = deep ? contenders<mae::configs::tiny4_decoder6>(images, batch)
                  : contenders<benchmarks::tiny4>(images, batch);
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
