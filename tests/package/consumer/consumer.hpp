#pragma once

#include <mae/mae.hpp>

// A model with nothing square or even, used in two translation units.
inline constexpr mae::model_config config{
    .image = {.height = 20, .width = 21, .channels = 4},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 2, .width = 20, .heads = 5},
    .decoder = {.depth = 1, .width = 20, .heads = 5},
};
using model = mae::autoencoder<config, mae::uniform_mask<mae::ratio{3, 4}>>;

/// The loss of one black image; every fourth patch is visible.
double loss_of(model const& network);
