#include "models.hpp"
#include "session.hpp"

namespace pretrain {
namespace {

constexpr mae::model_config quick4{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 6, .width = 256, .heads = 4},
    .decoder = {.depth = 2, .width = 128, .heads = 4},
};

}  // namespace

void run_quick4(options const& settings, image_sets const& images) {
  session<quick4>(settings, images).run();
}

}  // namespace pretrain
