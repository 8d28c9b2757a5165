// expect: mae: the image's height must be a multiple of the patch's height
#include <mae/mae.hpp>

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 5, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};
mae::autoencoder<config> model;
