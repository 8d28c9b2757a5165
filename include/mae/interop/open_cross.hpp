#pragma once

#include <mae/backend/concept.hpp>
#include <mae/head/cross_painter.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/objective/objective.hpp>

#include <utility>

namespace mae {

/// The model of a checkpoint whose decoder is by cross-attention (pretrained_model::crosses), as
/// open_pretrained. Throws config_error for any other.
template <MaskPolicy Mask, Backend B, Objective Target>
sized_cross_autoencoder<Mask, B, Target> open_pretrained_cross(
    pretrained_model const& found, autoencoder_parts<Mask, B, Target> parts) {
  return detail::open_painter<cross_painter>(found, std::move(parts));
}

}  // namespace mae
