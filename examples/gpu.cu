// Trains on an NVIDIA GPU in mixed precision, and keeps the encoder. Checks that it learned, and
// that the file holds what was saved; without a GPU it says so and ends with 77.
#include <mae/cuda.hpp>

#include <cstdio>
#include <optional>

constexpr mae::model_config small{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 4, .width = 96, .heads = 3},
    .decoder = {.depth = 1, .width = 64, .heads = 2},
};
using gpu = mae::cuda_backend<mae::bfloat16>;

bool learns_and_keeps(gpu const& backend) {
  mae::synthetic_dataset const images(2'000, /*seed=*/1);
  mae::autoencoder<small, mae::uniform_mask<>, gpu> network({.seed = 1, .backend = backend});
  mae::trainer training(
      network, images, {.batch_size = 64, .steps = 100, .lr = 2e-3, .warmup_epochs = 0.2});
  training.run();
  mae::save_encoder("gpu_encoder.safetensors", network);

  auto const [loss, baseline] = mae::evaluate_heldout(network, images, 256);
  std::printf("%s, %s: loss %g  (predicting zero: %g)\n",
              backend.device_name().c_str(),
              backend.precision(),
              loss,
              baseline);
  auto const read = mae::load_encoder<small>("gpu_encoder.safetensors", backend);
  mae::synthetic_dataset const others(8, /*seed=*/2);
  bool const is_kept = read.features(others, mae::pooling::mean) ==
                       mae::encoder_of(network).features(others, mae::pooling::mean);
  return loss < baseline && is_kept;
}

int main() {
  std::optional<gpu> backend;
  try {
    backend.emplace();
  } catch (mae::device_error const& error) {
    std::printf("There is no GPU to train on: %s\n", error.what());
    return 77;
  }
  return learns_and_keeps(*backend) ? 0 : 1;
}
