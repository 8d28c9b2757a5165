#include "models.hpp"
#include "session.hpp"

namespace pretrain {
namespace {

constexpr mae::model_config tiny4_decoder6{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 6, .width = 96, .heads = 3},
};

}  // namespace

void run_tiny4_decoder6(options const& settings, image_sets const& images) {
  session<tiny4_decoder6>(settings, images).run();
}

}  // namespace pretrain
