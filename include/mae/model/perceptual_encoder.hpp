#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/frozen_teacher.hpp>
#include <mae/network/frozen_blocks.hpp>

#include <concepts>
#include <memory>
#include <utility>

namespace mae {

/// The first blocks of an encoder, a copy that stays as it is, for the head `perceptual`; 0: all.
/// `seen` is what maps a dataset's values to the input of the model that paints, on this backend.
/// Throws config_error for more blocks than it has, for statistics that cannot be, and for an
/// encoder that tells its tokens levels of density.
template <Backend B, Backend From>
requires std::same_as<typename B::scalar, typename From::scalar> std::shared_ptr < frozen_blocks<B>
const > frozen_blocks_of(sized_encoder<From> const& encoder,
                         pixel_statistics seen,
                         B const& backend,
                         index_t blocks = 0) {
  require_valid(seen, encoder.sizes().image.channels);
  if (encoder.levels().is_on())
    throw config_error(
        "a perceptual distance's encoder tells its tokens no levels of density (density_token): "
        "take one that was trained without");
  frozen_settings settings{.blocks = blocks == 0 ? encoder.sizes().encoder.depth : blocks,
                           .norm_epsilon = encoder.norm_epsilon(),
                           .identity = identity_of(encoder),
                           .own = encoder.statistics(),
                           .seen = std::move(seen)};
  return std::make_shared<frozen_blocks<B> const>(encoder.sizes(),
                                                  std::move(settings),
                                                  encoder.layout(),
                                                  encoder.parameters().values(),
                                                  backend);
}

}  // namespace mae
