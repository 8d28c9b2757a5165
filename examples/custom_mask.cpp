// A mask policy of one's own: it hides whole columns of patches.
#include <mae/mae.hpp>

#include <iostream>

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

int main() {
  mae::synthetic_dataset const images(512, /*seed=*/1);
  mae::autoencoder<small, column_mask> network({.mask = {.hidden_columns = 6}});
  mae::trainer training(network, images, {.batch_size = 64, .epochs = 2});
  training.run({.on_epoch = [](mae::epoch_report const& report) {
    std::cout << "epoch " << report.epoch << "  loss " << report.loss << '\n';
  }});
}
