// expect: MaskPolicy
#include <mae/mae.hpp>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};
struct no_mask {};
mae::autoencoder<config, no_mask> model;
