#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/policy.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/parameters.hpp>

#include <cstdint>
#include <span>
#include <utility>

namespace mae {

/// An encoder and heads, with their parameters and what images are masked and normalised by, whose
/// sizes are values of the object: what is written for it (a program that chooses among sizes) is
/// compiled once. Made as one of the types that derive from it, whose sizes the compiler has
/// checked, and moved from there.
template <MaskPolicy Mask, Backend B, class... Heads>
class sized_model {
 public:
  using mask_type = Mask;
  using backend_type = B;
  using scalar = typename B::scalar;
  using network_type = network_pass<B, Heads...>;
  using parts_type = typename network_type::parts_type;

  std::uint64_t seed() const { return seed_; }
  Mask const& mask() const { return mask_; }
  /// What a trainer teaches.
  Mask& mask() requires LearningMask<Mask> { return mask_; }
  B const& backend() const { return backend_; }

  parameter_layout const& layout() const { return parameters_.layout(); }
  parameter_block<B>& parameters() { return parameters_; }
  parameter_block<B> const& parameters() const { return parameters_; }
  /// Takes all parameters from the host's memory, laid out as layout() says, padding included.
  /// Throws config_error for another number of values.
  void set_parameters(std::span<scalar const> values) { parameters_.assign(backend_, values); }
  typename network_type::values_type const& weights() const { return values_; }
  parts_type const& sizes() const { return sizes_; }
  /// Of every layer norm: that of a file which was trained with another. Throws config_error unless
  /// positive and finite.
  void set_norm_epsilon(double epsilon) { sizes_.norm_epsilon = checked_norm_epsilon(epsilon); }

  patch_levels const& levels() const { return sizes_.levels; }

  /// What maps a dataset's values to the network's input; a trainer sets it, a checkpoint keeps it.
  pixel_statistics const& statistics() const { return statistics_; }
  /// Throws config_error for statistics of other channels, and where normalising by them cannot be.
  void set_statistics(pixel_statistics statistics) {
    require_valid(statistics, sizes_.config.image.channels);
    auto of_levels = sizes_.levels.is_on() ? statistics : pixel_statistics{};
    statistics_ = std::move(statistics);
    sizes_.levels.statistics = std::move(of_levels);
  }

 protected:
  /// `seed` and `linears` decide the initial values. Throws as layout_of.
  sized_model(parts_type sizes, std::uint64_t seed, Mask mask, B backend, linear_start linears)
      : seed_(seed),
        mask_(std::move(mask)),
        backend_(std::move(backend)),
        sizes_(fitted(std::move(sizes))),
        parameters_(layout_of(sizes_, linears)),
        values_(bind_network<scalar const>(layout(), sizes_, parameters_.values().data())) {
    parameters_.initialise(backend_, sizes_.config, seed);
  }

 private:
  std::uint64_t seed_;
  Mask mask_;
  B backend_;
  parts_type sizes_;
  parameter_block<B> parameters_;
  typename network_type::values_type values_;
  pixel_statistics statistics_;
};

}  // namespace mae
