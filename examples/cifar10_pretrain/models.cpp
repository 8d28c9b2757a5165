#include "models.hpp"

#include "session.hpp"

#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>

#include <utility>

namespace pretrain {
namespace {

constexpr mae::image_extent cifar10{.height = 32, .width = 32, .channels = 3};

constexpr mae::model_config tiny4{
    .image = cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

constexpr mae::model_config tiny4_decoder6{
    .image = cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 6, .width = 96, .heads = 3},
};

constexpr mae::model_config tiny2{
    .image = cifar10,
    .patch = {.height = 2, .width = 2},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 4, .width = 192, .heads = 3},
};

constexpr mae::model_config quick4{
    .image = cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 6, .width = 256, .heads = 4},
    .decoder = {.depth = 2, .width = 128, .heads = 4},
};

/// A model of the chosen sizes; here alone they are the compiler's.
template <class Operand, mae::model_config Config>
trained_model<Operand> make_model(typename trained_model<Operand>::parts parts) {
  return mae::autoencoder<Config, chosen_mask, mae::eigen_backend<Operand>, chosen_objective>(
      std::move(parts));
}

template <class Operand, mae::model_config Config>
void run_with(options const& settings, image_sets const& images) {
  session<Operand>(settings, images, Config, make_model<Operand, Config>).run();
}

template <class Operand>
void run_in_precision(options const& settings, image_sets const& images) {
  switch (settings.config) {
    case model_choice::tiny4:
      return settings.decoder_depth == 6 ? run_with<Operand, tiny4_decoder6>(settings, images)
                                         : run_with<Operand, tiny4>(settings, images);
    case model_choice::tiny2:
      return run_with<Operand, tiny2>(settings, images);
    case model_choice::quick4:
      return run_with<Operand, quick4>(settings, images);
  }
}

}  // namespace

// All in one file, with all that only a session needs: they share the network, which is compiled
// once a precision, so that a further configuration costs next to nothing.
void run_session(options const& settings, image_sets const& images) {
  if (settings.precision == precision_choice::bf16)
    return run_in_precision<mae::bfloat16>(settings, images);
  run_in_precision<float>(settings, images);
}

}  // namespace pretrain
