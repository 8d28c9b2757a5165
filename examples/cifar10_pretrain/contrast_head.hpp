#pragma once

#include "options.hpp"

#include <mae/head/contrast.hpp>

namespace pretrain {

/// The head that was asked for.
inline mae::contrast contrast_of(options const& o) {
  return {.views = o.views,
          .temperature = o.temperature,
          .predictor = o.predictor,
          .moving_keys = o.keys == key_choice::moving,
          .queue = o.queue};
}

}  // namespace pretrain
