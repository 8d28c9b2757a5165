// A mask of one's own that learns at which places patches are hard to paint, and hides those more.
#include <mae/mae.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iomanip>
#include <iostream>
#include <span>

// [mask]
class hard_places {
 public:
  static constexpr std::array state_names{"hardness"};  // in files as mask.hardness

  constexpr mae::index_t max_visible(mae::index_t patches) const { return patches / 4; }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& /*random*/) const {
    return mae::split_patches(image.patches.rows, image.patches.rows / 4);
  }
  void score(mae::mask_context const& /*image*/,
             mae::random_stream& random,
             std::span<float> scores) const {
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = random.uniform() + hardness_[i];
  }

  // Of each place: by how much its patches cost more than their images' mean, and how often.
  mae::index_t num_sums() const { return 2 * std::ssize(hardness_); }
  void add_gradient(mae::mask_feedback const& told, std::span<double> sums) const {
    double mean = 0;
    for (float const loss : told.losses) mean += loss / static_cast<double>(told.losses.size());
    for (std::size_t i = 0; i < told.losses.size(); ++i) {
      auto const place = static_cast<std::size_t>(told.targets[i]);
      sums[place] += told.losses[i] / mean - 1;
      sums[hardness_.size() + place] += 1;
    }
  }
  void update(std::span<double const> sums, mae::index_t /*images*/) {
    for (std::size_t i = 0; i < hardness_.size(); ++i) {
      double const found = sums[i] / std::max(1.0, sums[hardness_.size() + i]);
      hardness_[i] += 0.1F * (static_cast<float>(std::tanh(found)) - hardness_[i]);
    }
  }

  std::span<float const> state(std::size_t /*k*/) const { return hardness_; }
  std::span<float> state(std::size_t /*k*/) { return hardness_; }

 private:
  std::array<float, 64> hardness_{};  // of each place
};
static_assert(mae::LearningMask<hard_places>);
// [/mask]

constexpr mae::model_config small{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 2, .width = 48, .heads = 3},
    .decoder = {.depth = 1, .width = 32, .heads = 2},
};

int main() {
  mae::synthetic_dataset const images(512, /*seed=*/1);
  mae::autoencoder<small, hard_places> network;
  mae::trainer training(network, images, {.batch_size = 64, .epochs = 8, .lr = 2e-3});
  bool learns = false;
  training.run({.on_epoch = [&](mae::epoch_report const& report) {
    std::cout << "epoch " << report.epoch << "  loss " << report.loss
              << "  (predicting zero: " << report.baseline << ")\n";
    learns = report.loss < report.baseline;
  }});
  auto const hardness = network.mask().state(0);
  for (std::size_t i = 0; i < hardness.size(); ++i)
    std::cout << std::setw(7) << std::fixed << std::setprecision(2) << hardness[i]
              << (i % 8 == 7 ? "\n" : "");
  auto const of = [&](std::size_t row, std::size_t column) { return hardness[8 * row + column]; };
  float const corners = of(0, 0) + of(0, 7) + of(7, 0) + of(7, 7);
  float const middle = of(3, 3) + of(3, 4) + of(4, 3) + of(4, 4);
  return learns && middle > corners ? 0 : 1;
}
