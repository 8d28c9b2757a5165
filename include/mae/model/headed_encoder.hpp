#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/sized_model.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/part.hpp>

#include <cstdint>
#include <tuple>
#include <utility>

namespace mae {

/// What an encoder with heads is made of.
template <MaskPolicy Mask, Backend B, class... Heads>
struct headed_encoder_parts {
  std::tuple<Heads...> heads = {};
  typename network_parts<Heads...>::of_each_head head_weights =
      network_parts<Heads...>::equal_weights();
  std::uint64_t seed = 0;
  Mask mask = {};
  B backend = B{};
  double norm_epsilon = 1e-6;
  linear_start linears = linear_start::xavier;
  position_table positions = position_table::sincos;
  norm_place final_norm = norm_place::tokens;  // pooled: of one classifier that normalises
  patch_levels levels = {};                    // of density, that visible tokens are told
};

/// An encoder with heads whose sizes are values of the object: what `headed_encoder` of any
/// configuration is underneath.
template <MaskPolicy Mask, Backend B, class... Heads>
class sized_headed_encoder : public sized_model<Mask, B, Heads...> {
  using base = sized_model<Mask, B, Heads...>;

 public:
  using parts = headed_encoder_parts<Mask, B, Heads...>;

  /// The heads themselves.
  std::tuple<Heads...> const& label_makers() const { return base::sizes().heads; }

 protected:
  sized_headed_encoder(model_config const& checked, parts made_of)
      : base({.config = checked,
              .norm_epsilon = checked_norm_epsilon(made_of.norm_epsilon),
              .heads = std::move(made_of.heads),
              .weights = made_of.head_weights,
              .positions = made_of.positions,
              .final_norm = made_of.final_norm,
              .levels = checked_levels(made_of.levels).of_encoder()},
             made_of.seed,
             std::move(made_of.mask),
             std::move(made_of.backend),
             made_of.linears) {}
};

/// An encoder with heads of any kind, each of which makes its own labels: what is trained without
/// painting, as a classifier is, from images that a mask has thinned or whole ones (no_mask). The
/// decoder's sizes in Config are not used.
template <model_config Config, MaskPolicy Mask, Backend B, class... Heads>
class headed_encoder : public sized_headed_encoder<Mask, B, Heads...> {
 public:
  static constexpr model_config config = validated_config<Config>::value;

  using parts = headed_encoder_parts<Mask, B, Heads...>;

  /// Throws config_error for heads or weights that cannot be.
  explicit headed_encoder(parts made_of)
      : sized_headed_encoder<Mask, B, Heads...>(config, std::move(made_of)) {}
};

}  // namespace mae
