#include <mae/backend/thrust/omp.hpp>
#include <mae/backend/thrust/tbb.hpp>
#include <mae/backend/thrust/thrust_backend.hpp>
#include <mae/mae.hpp>

#include <cmath>
#include <cstdio>

namespace {

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 8, .width = 8},
    .encoder = {.depth = 1, .width = 32, .heads = 2},
    .decoder = {.depth = 1, .width = 16, .heads = 2},
};

template <class Backend>
double loss_after_two_steps() {
  mae::synthetic_dataset const images(16, /*seed=*/1);
  mae::autoencoder<config, mae::uniform_mask<>, Backend> model({.backend = Backend(2)});
  mae::trainer training(model, images, {.batch_size = 8, .steps = 2, .warmup_epochs = 0});
  training.run();
  double const loss = mae::evaluate_heldout(model, images).loss;
  std::printf("%s: %.6f\n", Backend::name(), loss);
  return loss;
}

}  // namespace

int main() {
  double const expected = loss_after_two_steps<mae::eigen_backend<float>>();
  for (double const loss : {loss_after_two_steps<mae::thrust_backend<mae::cpp_system, float>>(),
                            loss_after_two_steps<mae::thrust_backend<mae::omp_system, float>>(),
                            loss_after_two_steps<mae::thrust_backend<mae::tbb_system, float>>()})
    if (!(std::abs(loss - expected) < 1e-4 * expected)) return 1;
}
