#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/head/cross_painter.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>

#include <utility>

namespace mae {

/// What `cross_autoencoder` of any configuration is underneath.
template <MaskPolicy Mask, Backend B, Objective Target, class... Heads>
using sized_cross_autoencoder = sized_painting_model<cross_painter, Mask, B, Target, Heads...>;

/// A masked autoencoder with a cross-attention decoder (CrossMAE: Fu et al. 2024, arXiv
/// 2401.14391): `autoencoder` but for that.
template <model_config Config,
          MaskPolicy Mask = uniform_mask<ratio{3, 4}>,
          Backend B = eigen_backend<float>,
          Objective Target = normalised_pixels,
          class... Heads>
class cross_autoencoder : public sized_cross_autoencoder<Mask, B, Target, Heads...> {
 public:
  static constexpr model_config config = validated_config<Config>::value;
  static constexpr index_t num_patches = config.num_patches();
  static constexpr index_t patch_values = config.patch_values();

  using parts = autoencoder_parts<Mask, B, Target, Heads...>;

  explicit cross_autoencoder(parts made_of = parts{})
      : sized_cross_autoencoder<Mask, B, Target, Heads...>(config, std::move(made_of)) {}
};

}  // namespace mae
