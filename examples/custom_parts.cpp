// A dataset and an objective of one's own: images that are painted when they are read, of which the
// decoder predicts the mean colours. Checks that it learns them.
#include <mae/mae.hpp>

#include <algorithm>
#include <iostream>
#include <span>

// [dataset]
struct skies {  // bright above or bright below, in eleven hues
  mae::image_extent extent() const { return {.height = 16, .width = 16, .channels = 3}; }
  mae::index_t size() const { return 600; }
  double pixel_scale() const { return 1; }  // values are given as they are
  mae::index_t num_classes() const { return 2; }
  mae::index_t label(mae::index_t index) const { return index % 2; }

  // Writes (H, W, C), from several threads at once.
  void read(mae::index_t index, std::span<float> pixels) const {
    auto const hue = 0.1F * static_cast<float>(index % 11);
    for (std::size_t i = 0; i < pixels.size(); i += 3) {
      std::size_t const row = i / 48;
      float const down = static_cast<float>(row) / 15;
      float const light = label(index) == 0 ? down : 1 - down;
      pixels[i] = hue * light;
      pixels[i + 1] = light / 2;
      pixels[i + 2] = (1 - hue) * light;
    }
  }
};
static_assert(mae::Dataset<skies>);
// [/dataset]

// [objective]
struct mean_colour {
  constexpr mae::index_t target_width(mae::model_config const& config) const {
    return config.image.channels;
  }

  // The target of each patch of `rows`, from all patches of its image: (N, values of a patch).
  void target(mae::model_config const& config,
              mae::matrix_view<float const> patches,
              std::span<mae::patch_index const> rows,
              mae::matrix_view<float> targets) const {
    auto const channels = static_cast<std::size_t>(config.image.channels);
    mae::index_t const pixels = config.patch.height * config.patch.width;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const patch = patches.row(rows[i]);
      auto const mean = targets.row(static_cast<mae::index_t>(i));
      std::ranges::fill(mean, 0.0F);
      for (std::size_t k = 0; k < patch.size(); ++k)
        mean[k % channels] += patch[k] / static_cast<float>(pixels);
    }
  }
};
static_assert(mae::Objective<mean_colour>);
// [/objective]

constexpr mae::model_config small{
    .image = {.height = 16, .width = 16, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 2, .width = 48, .heads = 3},
    .decoder = {.depth = 1, .width = 32, .heads = 2},
};

int main() {
  using model =
      mae::autoencoder<small, mae::uniform_mask<>, mae::eigen_backend<float>, mean_colour>;
  skies const images;
  model network({.mask = mae::uniform_mask<>(0.5)});
  mae::trainer training(network, images, {.batch_size = 50, .epochs = 6, .lr = 2e-3});
  double last = 0;
  training.run({.on_epoch = [&](mae::epoch_report const& report) {
    std::cout << "epoch " << report.epoch << "  loss " << report.loss
              << "  (predicting zero: " << report.baseline << ")\n";
    last = report.loss / report.baseline;
  }});
  return last < 0.7 ? 0 : 1;
}
