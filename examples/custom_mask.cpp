// A mask policy of one's own: it hides whole columns of patches. Checks that it does, and that the
// model learns what is there.
#include <mae/mae.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <span>
#include <vector>

// [policy]
struct column_mask {
  mae::index_t hidden_columns = 6;  // of each row

  constexpr mae::index_t max_visible(mae::index_t patches) const { return patches - 1; }

  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& /*random*/) const {
    mae::index_t const hidden = hidden_columns * image.grid_rows;
    return {.visible = image.patches.rows - hidden, .target = hidden};
  }

  // The patches of lowest score stay visible: one random number for each column.
  void score(mae::mask_context const& image,
             mae::random_stream& random,
             std::span<float> scores) const {
    for (mae::index_t column = 0; column < image.grid_columns; ++column) {
      float const noise = random.uniform();
      for (mae::index_t row = 0; row < image.grid_rows; ++row)
        scores[static_cast<std::size_t>(row * image.grid_columns + column)] = noise;
    }
  }
};
static_assert(mae::MaskPolicy<column_mask>);
// [/policy]

constexpr mae::model_config small{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 2, .width = 48, .heads = 3},
    .decoder = {.depth = 1, .width = 32, .heads = 2},
};

// Whether each row of an 8 by 8 grid has the visible patches of the row above it.
bool hides_columns(column_mask const& policy) {
  std::vector<float> const pixels(64);
  mae::mask_context const image{
      .patches = {pixels.data(), 64, 1}, .channels = 1, .grid_rows = 8, .grid_columns = 8};
  mae::mask_plan plan(1, 64);
  mae::random_stream random({.seed = 1});
  std::vector<float> scores(64);
  mae::plan_image(plan, 0, policy, image, random, scores);
  auto const visible = plan.visible(0);
  return std::ranges::all_of(visible, [&](mae::patch_index patch) {
    return std::ranges::count(visible, (patch + 8) % 64) == 1;
  });
}

int main() {
  if (!hides_columns({.hidden_columns = 6})) return 1;
  mae::synthetic_dataset const images(512, /*seed=*/1);
  mae::autoencoder<small, column_mask> network({.mask = {.hidden_columns = 6}});
  mae::trainer training(network, images, {.batch_size = 64, .epochs = 4, .lr = 2e-3});
  bool learns = false;
  training.run({.on_epoch = [&](mae::epoch_report const& report) {
    std::cout << "epoch " << report.epoch << "  loss " << report.loss
              << "  (predicting zero: " << report.baseline << ")\n";
    learns = report.loss < report.baseline;
  }});
  return learns ? 0 : 1;
}
