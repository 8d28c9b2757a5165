#pragma once

#include "options.hpp"

#include <mae/core/config.hpp>

namespace pretrain {

inline constexpr mae::image_extent cifar10{.height = 32, .width = 32, .channels = 3};

inline constexpr mae::model_config tiny4{
    .image = cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};

inline constexpr mae::model_config tiny4_decoder6{
    .image = cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 6, .width = 96, .heads = 3},
};

inline constexpr mae::model_config tiny2{
    .image = cifar10,
    .patch = {.height = 2, .width = 2},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 4, .width = 192, .heads = 3},
};

inline constexpr mae::model_config quick4{
    .image = cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 6, .width = 256, .heads = 4},
    .decoder = {.depth = 2, .width = 128, .heads = 4},
};

/// A configuration as a type.
template <mae::model_config Config>
struct config_constant {
  static constexpr mae::model_config value = Config;
};

/// visit(config_constant) with the configuration that the command line chose.
template <class Visit>
auto with_config(options const& settings, Visit const& visit) {
  switch (settings.config) {
    case model_choice::tiny4:
      if (settings.decoder_depth == 6) return visit(config_constant<tiny4_decoder6>{});
      return visit(config_constant<tiny4>{});
    case model_choice::tiny2:
      return visit(config_constant<tiny2>{});
    case model_choice::quick4:
      break;
  }
  return visit(config_constant<quick4>{});
}

/// The sizes of the chosen configuration.
inline mae::model_config config_of(options const& settings) {
  return with_config(settings, [](auto config) { return config.value; });
}

}  // namespace pretrain
