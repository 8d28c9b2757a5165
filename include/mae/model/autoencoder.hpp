#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/reconstruction.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/parameters.hpp>
#include <mae/network/weights.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/op/patch_loss.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What a model is made of: `seed` and `linears` decide its initial values.
template <MaskPolicy Mask, Backend B, Objective Target>
struct autoencoder_parts {
  std::uint64_t seed = 0;
  Mask mask = {};
  Target objective = {};
  B backend = B{};
  double norm_epsilon = 1e-6;
  linear_start linears = linear_start::xavier;
  patch_loss loss = {};
};

/// An autoencoder whose sizes are values of the object: what `autoencoder` of any configuration is
/// underneath, so that what is written for it (a program that chooses among sizes) is compiled
/// once. Made as an `autoencoder`, whose sizes the compiler has checked, and moved from there.
template <MaskPolicy Mask, Backend B, Objective Target>
class sized_autoencoder {
 public:
  using mask_type = Mask;
  using backend_type = B;
  using objective_type = Target;
  using scalar = typename B::scalar;
  using network_type = painter_network<B>;

  using parts = autoencoder_parts<Mask, B, Target>;

  std::uint64_t seed() const { return parts_.seed; }
  Mask const& mask() const { return parts_.mask; }
  Target const& objective() const { return parts_.objective; }
  B const& backend() const { return parts_.backend; }

  parameter_layout const& layout() const { return parameters_.layout(); }
  parameter_block<B>& parameters() { return parameters_; }
  parameter_block<B> const& parameters() const { return parameters_; }
  /// Takes all parameters from the host's memory, laid out as layout() says, padding included.
  /// Throws config_error for another number of values.
  void set_parameters(std::span<scalar const> values) {
    parameters_.assign(parts_.backend, values);
  }
  typename network_type::values_type const& weights() const { return values_; }
  typename network_type::parts_type const& sizes() const { return sizes_; }
  patch_loss const& loss() const { return parts_.loss; }
  /// Of every layer norm: that of a file which was trained with another. Throws config_error unless
  /// positive and finite.
  void set_norm_epsilon(double epsilon) { sizes_.norm_epsilon = checked_norm_epsilon(epsilon); }

  /// What maps a dataset's values to the network's input; a trainer sets it, a checkpoint keeps it.
  pixel_statistics const& statistics() const { return statistics_; }
  /// Throws config_error for statistics of other channels, and where normalising by them cannot be.
  void set_statistics(pixel_statistics statistics) {
    require_valid(statistics, sizes_.config.image.channels);
    statistics_ = std::move(statistics);
  }

  /// Masks images as the plan says and predicts the targets. `images` (B, H, W, C), already
  /// normalised. Throws config_error when the plan has another number of images or patches, or no
  /// targets at all.
  forward_result<scalar> forward(std::span<float const> images, mask_plan const& plan) const {
    return forward_images(parts_.backend, sizes_, values_, parts_.objective, images, plan);
  }

  /// Paints whole images: every present patch as the decoder predicts it, in the units of `images`.
  /// Returns (B, H, W, C); what is absent from the plan stays as it is. For objectives that have
  /// `to_pixels`.
  std::vector<float> reconstruct(std::span<float const> images, mask_plan const& plan) const {
    return reconstruct_images(parts_.backend, sizes_, values_, parts_.objective, images, plan);
  }

 protected:
  sized_autoencoder(model_config const& checked, parts made_of)
      : parts_(std::move(made_of)),
        sizes_(painter_parts(
            checked, parts_.objective.target_width(checked), parts_.norm_epsilon, parts_.loss)),
        parameters_(layout_of(sizes_, parts_.linears)),
        values_(bind_network<scalar const>(layout(), sizes_, parameters_.values().data())) {
    parameters_.initialise(parts_.backend, checked, parts_.seed);
  }

 private:
  parts parts_;
  typename network_type::parts_type sizes_;
  parameter_block<B> parameters_;
  typename network_type::values_type values_;
  pixel_statistics statistics_;
};

/// A masked autoencoder (He et al. 2021, arXiv 2111.06377), composed at compile time: sizes, how to
/// mask, where to compute, what to predict. Policies do not instantiate the network anew: this
/// class composes them with it.
template <model_config Config,
          MaskPolicy Mask = uniform_mask<ratio{3, 4}>,
          Backend B = eigen_backend<float>,
          Objective Target = normalised_pixels>
class autoencoder : public sized_autoencoder<Mask, B, Target> {
 public:
  static constexpr model_config config = validated_config<Config>::value;
  static constexpr index_t num_patches = config.num_patches();
  static constexpr index_t patch_values = config.patch_values();

  using parts = autoencoder_parts<Mask, B, Target>;

  explicit autoencoder(parts made_of = parts{})
      : sized_autoencoder<Mask, B, Target>(config, std::move(made_of)) {}
};

}  // namespace mae
