#include <mae/cuda.hpp>

#ifdef EIGEN_WORLD_VERSION
#error "mae/cuda.hpp must not bring Eigen"
#endif

#include <cmath>
#include <cstdio>

namespace {

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 8, .width = 8},
    .encoder = {.depth = 1, .width = 64, .heads = 2},
    .decoder = {.depth = 1, .width = 32, .heads = 1},
};

double loss_after_two_steps() {
  using backend = mae::cuda_backend<float>;
  mae::synthetic_dataset const images(16, /*seed=*/1);
  mae::autoencoder<config, mae::uniform_mask<>, backend> model({.backend = backend()});
  mae::trainer training(model, images, {.batch_size = 8, .steps = 2, .warmup_epochs = 0});
  training.run();
  return mae::evaluate_heldout(model, images).loss;
}

}  // namespace

int main() {
  try {
    double const loss = loss_after_two_steps();
    std::printf("loss %g\n", loss);
    return std::isfinite(loss) && loss > 0 ? 0 : 1;
  } catch (mae::device_error const& error) {
    std::printf("built, but not run: %s\n", error.what());  // there is no GPU here
    return 0;
  }
}
