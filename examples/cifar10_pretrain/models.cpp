#include "models.hpp"

#include "session.hpp"

#include <mae/core/config.hpp>

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

}  // namespace

// All in one file, with all that only a session needs: they share the network, which is compiled
// once, so that a further configuration costs a second.
void run_session(options const& settings, image_sets const& images) {
  switch (settings.config) {
    case model_choice::tiny4:
      return settings.decoder_depth == 6 ? session<tiny4_decoder6>(settings, images).run()
                                         : session<tiny4>(settings, images).run();
    case model_choice::tiny2:
      return session<tiny2>(settings, images).run();
    case model_choice::quick4:
      return session<quick4>(settings, images).run();
  }
}

}  // namespace pretrain
