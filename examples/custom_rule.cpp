// An update rule of one's own: AdaGrad, whose state is saved and resumed like the library's. An
// average of the parameters runs beside it.
#include <mae/mae.hpp>

#include <array>
#include <cmath>
#include <iostream>
#include <string>

// [rule]
struct adagrad {  // Duchi, Hazan and Singer 2011: a step shrinks by the gradients before it
  double epsilon = 1e-8;

  static constexpr std::array state_names{"sum_of_squares"};  // arrays beside the parameters
  std::string name() const { return "adagrad"; }
  mae::settings_list settings() const { return {{"epsilon", mae::decimal_text(epsilon)}}; }

  template <class T>
  struct adagrad_element {  // what is done to value i, by any thread, and on a GPU
    T* value;
    T* squares;
    T const* gradient;
    T scale;
    T lr;
    T epsilon;

    MAE_HOST_DEVICE void operator()(mae::index_t i) const {
      T const g = gradient[i] * scale;
      squares[i] += g * g;
      value[i] -= lr * g / (std::sqrt(squares[i]) + epsilon);
    }
  };
  template <class T>
  adagrad_element<T> element(mae::update_moment const& moment,
                             mae::update_arrays<T> const& arrays) const {
    return {.value = arrays.values,
            .squares = arrays.states[0],
            .gradient = arrays.gradients,
            .scale = static_cast<T>(moment.gradient_scale),
            .lr = static_cast<T>(moment.lr),
            .epsilon = static_cast<T>(epsilon)};
  }
};
static_assert(mae::UpdateRule<adagrad>);
// [/rule]

constexpr mae::model_config small{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 2, .width = 48, .heads = 3},
    .decoder = {.depth = 1, .width = 32, .heads = 2},
};

int main() {
  mae::synthetic_dataset const images(512, /*seed=*/1);
  mae::autoencoder<small> network({.seed = 1});
  // [average]
  mae::trainer training(network,
                        images,
                        {.batch_size = 64, .epochs = 4, .lr = 1e-2},
                        mae::with_average(adagrad{}, {.momentum = 0.9}));
  training.run();

  mae::autoencoder<small> averaged({.seed = 1});
  averaged.set_parameters(training.optimizer().state("average"));
  averaged.set_statistics(network.statistics());
  mae::save_encoder("averaged.safetensors", averaged);
  // [/average]
  auto const loss = mae::evaluate_heldout(averaged, images, images.size());
  std::cout << "loss of the averaged model " << loss.loss << "  (predicting zero: " << loss.baseline
            << ")\n";
  return loss.loss < loss.baseline ? 0 : 1;
}
