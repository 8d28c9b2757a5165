#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/density_mask.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

/// What a mask by levels of density is made of.
struct level_mask_options {
  std::vector<double> from = {0.9, 0.75, 0.6};  // hidden share of each level, the plainest first
  std::vector<double> to = {0.6, 0.75, 0.9};    // the same at the end of a period
  std::int64_t period = 0;                      // steps; 0: the whole training
  density_measure measure = density_measure::variance;
};

/// Orders an image's patches by density, cuts them into levels of equal size, and hides a share of
/// each level that moves evenly over a period. Which of a level is drawn blindly. Every image hides
/// the same number at the same time.
class level_mask {
 public:
  /// Throws config_error unless there are as many shares at the end as at the beginning, two at
  /// least, all in [0, 1] and not all 0 or all 1 at one end, and a period is not below 0.
  explicit level_mask(level_mask_options options) : options_(std::move(options)) {
    auto const refuse = [](char const* why) {
      throw config_error(std::string("level mask: ") + why);
    };
    if (options_.from.size() < 2 || options_.from.size() != options_.to.size())
      refuse("there must be two levels or more, with a share each at the beginning and the end");
    for (auto const* shares : {&options_.from, &options_.to}) {
      double sum = 0;
      for (double const share : *shares) {
        if (!(share >= 0 && share <= 1)) refuse("a level's hidden share must lie in [0, 1]");
        sum += share;
      }
      if (sum == 0 || sum == static_cast<double>(shares->size()))
        refuse("shares that are all 0 or all 1 leave nothing to predict or to see");
    }
    if (options_.period < 0) refuse("a period cannot be below 0 steps");
  }

  index_t max_visible(index_t patches) const {
    double most = 0;
    for (std::size_t level = 0; level < options_.from.size(); ++level)
      most += std::ceil(static_cast<double>(size_of(level, patches)) *
                        (1 - std::min(options_.from[level], options_.to[level])));
    return split_patches(patches, static_cast<index_t>(most)).visible;
  }
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    index_t visible = 0;
    for (std::size_t level = 0; level < options_.from.size(); ++level)
      visible += visible_of(level, image);
    return split_patches(image.patches.rows, visible);
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    std::vector<float> densities(scores.size());
    patch_densities(options_.measure, image, densities);
    score_noise(random, scores);
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::tuple(densities[a], scores[a], a) < std::tuple(densities[b], scores[b], b);
    });
    auto first = order.begin();
    for (std::size_t level = 0; level < options_.from.size(); ++level) {
      auto const last = first + size_of(level, image.patches.rows);
      std::sort(first, last, [&](std::size_t a, std::size_t b) {
        return std::pair(scores[a], a) < std::pair(scores[b], b);
      });
      for (auto i = first + visible_of(level, image); i < last; ++i) scores[*i] += 1.0F;
      first = last;
    }
  }
  settings_list settings() const {
    return {{"mask", "levels"},
            {"mask_from", list_of(options_.from)},
            {"mask_to", list_of(options_.to)},
            {"mask_period", std::to_string(options_.period)},
            {"mask_measure", to_string(options_.measure)}};
  }

 private:
  index_t size_of(std::size_t level, index_t patches) const {
    auto const levels = static_cast<index_t>(options_.from.size());
    auto const k = static_cast<index_t>(level);
    return patches * (k + 1) / levels - patches * k / levels;
  }
  index_t visible_of(std::size_t level, mask_context const& image) const {
    double const done = options_.period > 0 ? static_cast<double>(image.step % options_.period) /
                                                  static_cast<double>(options_.period)
                                            : image.progress;
    double const share = std::lerp(options_.from[level], options_.to[level], done);
    index_t const size = size_of(level, image.patches.rows);
    return size - std::lround(static_cast<double>(size) * share);
  }
  static std::string list_of(std::vector<double> const& shares) {
    std::string text;
    for (double const share : shares) {
      if (!text.empty()) text += ',';
      text += decimal_text(share);
    }
    return text;
  }

  level_mask_options options_;
};
static_assert(MaskPolicy<level_mask>);

}  // namespace mae
