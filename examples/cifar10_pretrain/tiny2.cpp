#include "models.hpp"
#include "session.hpp"

namespace pretrain {
namespace {

constexpr mae::model_config tiny2{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 2, .width = 2},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 4, .width = 192, .heads = 3},
};

}  // namespace

void run_tiny2(options const& settings, image_sets const& images) {
  session<tiny2>(settings, images).run();
}

}  // namespace pretrain
