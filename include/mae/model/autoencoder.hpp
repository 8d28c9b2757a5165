#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/reconstruction.hpp>
#include <mae/model/sized_model.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/weights.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/patch_loss.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

/// What a model is made of: `seed` and `linears` decide its initial values. The heads are those
/// beside the painter, which is the first to have a weight.
template <MaskPolicy Mask, Backend B, Objective Target, class... Heads>
struct autoencoder_parts {
  std::uint64_t seed = 0;
  Mask mask = {};
  Target objective = {};
  B backend = B{};
  double norm_epsilon = 1e-6;
  linear_start linears = linear_start::xavier;
  position_table positions = position_table::sincos;
  patch_loss loss = {};
  double visible_weight = 0;  // of visible patches in the painter's gradient
  patch_levels levels = {};   // of density, that tokens are told
  std::tuple<Heads...> heads = {};
  typename network_parts<painter, Heads...>::of_each_head head_weights =
      network_parts<painter, Heads...>::equal_weights();
};

namespace detail {

/// Throws config_error where no mask token can be told its level.
inline void require_mask_tokens(std::string_view painter, double weight) {
  if (painter != decoder_segment || weight == 0)
    throw config_error(
        "mask tokens can be told their level of density by the painter alone whose tokens are all "
        "patches, and which is on (--decoder self): tell visible tokens (told_tokens::visible)");
}

}  // namespace detail

/// A model that paints by some painter, and has heads beside it, whose sizes are values of the
/// object.
template <class Painter, MaskPolicy Mask, Backend B, Objective Target, class... Heads>
class sized_painting_model : public sized_model<Mask, B, Painter, Heads...> {
  using base = sized_model<Mask, B, Painter, Heads...>;

 public:
  using objective_type = Target;
  using typename base::scalar;

  using parts = autoencoder_parts<Mask, B, Target, Heads...>;

  Target const& objective() const { return objective_; }
  patch_loss const& loss() const { return std::get<0>(base::sizes().heads).loss; }
  /// For the painter the objective, for other heads themselves.
  auto label_makers() const {
    return std::apply(
        [&](Painter const& painting, auto const&... heads) {  // which asks the objective
          return std::tuple(target_labels<Target>(objective_, painting.visible_weight), heads...);
        },
        base::sizes().heads);
  }

  /// Masks images as the plan says and predicts the targets. `images` (B, H, W, C), already
  /// normalised. Throws config_error when the plan has another number of images or patches, or no
  /// targets at all; and where the painter is off.
  forward_result<scalar> forward(std::span<float const> images, mask_plan const& plan) const {
    return forward_images(
        base::backend(), painting_parts(), painting_weights(), objective_, images, plan);
  }

  /// Paints whole images: every present patch as the decoder predicts it, in the units of `images`;
  /// of a cross-attention decoder every hidden one. Returns (B, H, W, C); other patches stay as
  /// they are. For objectives that have `to_pixels`. Throws likewise.
  std::vector<float> reconstruct(std::span<float const> images, mask_plan const& plan) const {
    return reconstruct_images(
        base::backend(), painting_parts(), painting_weights(), objective_, images, plan);
  }

 protected:
  sized_painting_model(model_config const& checked, parts made_of)
      : base(sizes_of(checked, made_of),
             made_of.seed,
             std::move(made_of.mask),
             std::move(made_of.backend),
             made_of.linears),
        objective_(std::move(made_of.objective)) {}

 private:
  static typename base::parts_type sizes_of(model_config const& config, parts const& made_of) {
    Painter painting;
    painting.sizes = decoder_sizes::of(config, made_of.objective.target_width(config));
    painting.loss = made_of.loss;
    painting.visible_weight = made_of.visible_weight;
    painting.sizes.levels = made_of.levels.of_hidden();
    if (painting.sizes.levels > 0)
      detail::require_mask_tokens(Painter::name, made_of.head_weights[0]);
    return {.config = config,
            .norm_epsilon = checked_norm_epsilon(made_of.norm_epsilon),
            .heads = std::tuple_cat(std::tuple(painting), made_of.heads),
            .weights = made_of.head_weights,
            .positions = made_of.positions,
            .levels = checked_levels(made_of.levels)};
  }

  // What paints, without the other heads: compiled once for all lists of heads. It predicts what is
  // asked of it, and no visible patches for their loss.
  network_parts<Painter> painting_parts() const {
    auto const& sizes = base::sizes();
    if (!sizes.is_on(0)) throw config_error("the model paints nothing: its painter has weight 0");
    auto painting = std::get<0>(sizes.heads);
    painting.visible_weight = 0;
    return {.config = sizes.config,
            .norm_epsilon = sizes.norm_epsilon,
            .heads = {painting},
            .levels = sizes.levels};
  }
  network_weights<scalar const, Painter> painting_weights() const {
    return {base::weights().encoder, {std::get<0>(base::weights().heads)}};
  }

  Target objective_;
};

/// What `autoencoder` of any configuration is underneath.
template <MaskPolicy Mask, Backend B, Objective Target, class... Heads>
using sized_autoencoder = sized_painting_model<painter, Mask, B, Target, Heads...>;

/// A masked autoencoder (He et al. 2021, arXiv 2111.06377), composed at compile time: sizes, how to
/// mask, where to compute, what to predict, and heads beside the painter. Policies do not
/// instantiate the network anew: this class composes them with it.
template <model_config Config,
          MaskPolicy Mask = uniform_mask<ratio{3, 4}>,
          Backend B = eigen_backend<float>,
          Objective Target = normalised_pixels,
          class... Heads>
class autoencoder : public sized_autoencoder<Mask, B, Target, Heads...> {
 public:
  static constexpr model_config config = validated_config<Config>::value;
  static constexpr index_t num_patches = config.num_patches();
  static constexpr index_t patch_values = config.patch_values();

  using parts = autoencoder_parts<Mask, B, Target, Heads...>;

  explicit autoencoder(parts made_of = parts{})
      : sized_autoencoder<Mask, B, Target, Heads...>(config, std::move(made_of)) {}
};

}  // namespace mae
