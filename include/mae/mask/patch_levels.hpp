#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/patch_density.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Which tokens are told how dense their patch is.
enum class told_tokens : std::uint8_t { visible, mask, both };

/// The learned tables: (L, D) of visible tokens, and (L, d) of mask tokens in a decoder.
inline constexpr char const* visible_levels_name = "density_token";
inline constexpr char const* mask_levels_name = "decoder_density_token";

/// Levels of patches' density, of each of which a learned vector is added to tokens where their
/// positions are: a patch's level is the number of bounds that its density reaches. It says nothing
/// of other patches, so that a visible token tells of no hidden one; a mask token that is told its
/// level tells the painter of what it is to paint. Bounds are a training set's, from
/// measure_levels, and stay a model's.
struct patch_levels {
  std::vector<float> bounds = {};  // of L levels L - 1, ascending; none: tokens are told nothing
  density_measure measure = density_measure::variance;
  told_tokens told = told_tokens::visible;
  pixel_statistics statistics = {};  // the model's: densities are of pixels in [0, 1]

  bool is_on() const { return !bounds.empty(); }
  index_t count() const { return is_on() ? std::ssize(bounds) + 1 : 0; }
  /// The rows of each table, 0 where these tokens are not told.
  index_t of_visible() const { return told == told_tokens::mask ? 0 : count(); }
  index_t of_hidden() const { return told == told_tokens::visible ? 0 : count(); }

  /// What an encoder without its decoder needs.
  patch_levels of_encoder() const {
    if (of_visible() == 0) return {};
    auto levels = *this;
    levels.told = told_tokens::visible;
    return levels;
  }
  /// Whether patches have the same levels and the same tokens are told.
  bool tells_as(patch_levels const& other) const {
    return bounds == other.bounds && (!is_on() || (measure == other.measure && told == other.told));
  }
};

inline constexpr index_t most_levels = 256;

/// Returns them, without another model's statistics. Throws config_error for bounds that are not
/// finite, do not ascend, or are too many. A template, as those below: compiled where it is used.
template <std::same_as<patch_levels> Levels = patch_levels>
Levels checked_levels(Levels levels) {
  auto const& bounds = levels.bounds;
  if (levels.count() > most_levels)
    throw config_error("patches have at most " + std::to_string(most_levels) +
                       " levels of density, not " + std::to_string(levels.count()));
  for (std::size_t i = 0; i < bounds.size(); ++i)
    if (!std::isfinite(bounds[i]) || (i > 0 && !(bounds[i - 1] < bounds[i])))
      throw config_error(
          "the bounds of levels of density must be finite numbers, each above the one before: take "
          "them from measure_levels");
  levels.statistics = {};
  return levels;
}

/// Finds levels, patch after patch, with memory for one that others may use in between.
template <std::same_as<patch_levels> Levels>
class level_finder {
 public:
  /// Keeps references.
  level_finder(Levels const& levels, model_config const& sizes, std::vector<float>& memory)
      : levels_(levels), config_(sizes), pixels_(memory) {
    pixels_.resize(static_cast<std::size_t>(sizes.patch_values()));
  }

  /// Of a patch (P) as the network takes it: normalised.
  template <class T>
  index_t operator()(std::span<T> patch) {
    for (std::size_t i = 0; i < pixels_.size(); ++i) pixels_[i] = static_cast<float>(patch[i]);
    return find();
  }

 private:
  index_t find() {
    denormalise_pixels(pixels_, levels_.statistics);
    auto const density = static_cast<float>(
        patch_density(levels_.measure, pixels_, config_.image.channels, config_.patch.width));
    index_t level = 0;
    for (float const bound : levels_.bounds)
      if (density >= bound) ++level;
    return level;
  }

  Levels const& levels_;
  model_config const& config_;
  std::vector<float>& pixels_;
};

}  // namespace mae
