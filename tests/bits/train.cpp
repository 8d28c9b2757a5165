// Trains two steps and leaves their files: train FOLDER THREADS. Compiled against two versions of
// the library by tests/bits.sh, so that it uses only what both have.

#include <mae/mae.hpp>
#include <mae/model/configs.hpp>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

/// Nothing square, and nothing even that need not be.
constexpr mae::model_config odd{
    .image = {.height = 15, .width = 35, .channels = 3},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 3, .width = 36, .heads = 3, .mlp_ratio = {7, 3}},
    .decoder = {.depth = 1, .width = 20, .heads = 5},
};

mae::memory_dataset<std::uint8_t> noise(mae::image_extent const& extent, index_t images) {
  mae::random_stream random({.seed = 7, .use = mae::purpose::augment});
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(images * extent.values()));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(256 * random.uniform());
  return {std::move(pixels), {.extent = extent}};
}

template <mae::model_config Config, class Mask, class Scalar>
void train(std::string const& to, Mask mask, index_t batch, index_t accumulate, int threads) {
  using backend = mae::eigen_backend<Scalar>;
  auto const images = noise(Config.image, 2 * batch * accumulate);
  mae::sized_autoencoder<Mask, backend, mae::normalised_pixels> model =
      mae::autoencoder<Config, Mask, backend>(
          {.seed = 3, .mask = std::move(mask), .backend = backend(threads)});
  mae::trainer training(
      model,
      images,
      {.batch_size = batch, .accumulate = accumulate, .steps = 2, .warmup_epochs = 0, .clip = 1});
  training.run();
  std::filesystem::create_directories(to);
  mae::save_training(to + "/training.safetensors", training);
  mae::save_encoder(to + "/encoder.safetensors", model);
}

template <class Scalar>
void train_all(std::string const& folder, int threads) {
  using mae::ratio;
  using uniform = mae::uniform_mask<ratio{3, 4}>;
  std::string const at =
      folder + (std::is_same_v<Scalar, float> ? "/fp32-" : "/bf16-") + std::to_string(threads);
  mae::random_ratio_mask const ragged({.low = 0.5, .high = 0.9});
  train<mae::configs::tiny4, uniform, Scalar>(at + "/tiny4", uniform{}, 64, 1, threads);
  train<mae::configs::tiny4, mae::random_ratio_mask, Scalar>(
      at + "/tiny4-ragged", ragged, 32, 2, threads);
  train<mae::configs::tiny2, uniform, Scalar>(at + "/tiny2", uniform{}, 16, 1, threads);
  train<mae::configs::vit_base_patch16, uniform, Scalar>(at + "/base16", uniform{}, 6, 1, threads);
  train<odd, uniform, Scalar>(at + "/odd", uniform{}, 37, 1, threads);
  train<odd, mae::random_ratio_mask, Scalar>(at + "/odd-ragged", ragged, 19, 2, threads);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  int const threads = std::stoi(argv[2]);
  train_all<float>(argv[1], threads);
  train_all<mae::bfloat16>(argv[1], threads);
  std::cout << "trained with " << threads << " threads\n";
}
