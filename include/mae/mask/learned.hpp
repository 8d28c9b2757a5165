#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/math.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/patch_scorer.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What a mask that learns does with patches that are hard to paint.
enum class hard_patches { hidden, shown };

/// What a learned mask is made of.
struct learned_mask_options {
  double ratio = 0.75;                       // hidden share of every image
  double decided = 0.5;                      // of the hidden patches, by prediction, at the end
  hard_patches hard = hard_patches::hidden;  // or shown: `decided` is then of the visible ones
  patch_scorer_options network = {};
};

/// Predicts from a patch and its place how hard it is to paint, and hides the hardest.
///
/// A small network (patch_scorer) learns by ranking: over all pairs of an image's targets whose
/// losses differ, the mean of log(1 + exp(s_easy - s_hard)), as HPM (Wang et al. 2023, arXiv
/// 2304.05919) trains a second decoder. The share of hidden patches that it decides rises evenly
/// from 0 to `decided` over the training; the others are drawn blindly. It needs no labels, no
/// second pass and no teacher; of progress 0 its masks are the uniform ones of the same seed.
class learned_mask {
 public:
  /// `agreement`: the share of the last update's pairs that the network had in the right order, the
  /// mean over images with pairs.
  static constexpr std::array state_names{patch_scorer::state_names[0],
                                          patch_scorer::state_names[1],
                                          patch_scorer::state_names[2],
                                          patch_scorer::state_names[3],
                                          "agreement"};

  /// Throws config_error unless 0 < ratio < 1 and 0 <= decided <= 1, and as patch_scorer.
  learned_mask(model_config const& config, learned_mask_options const& options)
      : options_(options), network_(config, options.network) {
    checked_ratio("learned mask: the ratio", options.ratio);
    if (!(options.decided >= 0 && options.decided <= 1))
      throw config_error("learned mask: the share decided by prediction must lie in [0, 1]");
  }

  /// Throws config_error for fewer than two hidden patches: nothing could be compared.
  index_t max_visible(index_t patches) const {
    auto const [visible, target] = split_by_ratio(patches, options_.ratio);
    if (target < 2)
      throw config_error("learned mask: of " + std::to_string(patches) + " patches the ratio " +
                         decimal_text(options_.ratio) +
                         " hides one, and learning compares two: take a higher ratio");
    return visible;
  }
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    return split_by_ratio(image.patches.rows, options_.ratio);
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    score_noise(random, scores);
    auto const [visible, target] = split_by_ratio(image.patches.rows, options_.ratio);
    bool const hides = options_.hard == hard_patches::hidden;
    double const share = options_.decided * std::clamp(image.progress, 0.0, 1.0);
    auto const decided = std::lround(share * static_cast<double>(hides ? target : visible));
    if (decided == 0) return;
    std::vector<float> hardness(scores.size());
    network_.score(image, hardness);
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return hardness[a] > hardness[b] || (hardness[a] == hardness[b] && a < b);
    });
    for (std::size_t i = 0; i < static_cast<std::size_t>(decided); ++i)
      scores[order[i]] += hides ? 1.0F : -1.0F;
  }
  settings_list settings() const {
    return {{"mask", "learned"},
            {"mask_ratio", decimal_text(options_.ratio)},
            {"mask_decided", decimal_text(options_.decided)},
            {"mask_hard", options_.hard == hard_patches::hidden ? "hidden" : "shown"},
            {"mask_lr", decimal_text(options_.network.lr)}};
  }

  /// How hard the network thinks each patch is to paint, to compare within an image.
  void hardness(mask_context const& image, std::span<float> numbers) const {
    network_.score(image, numbers);
  }

  index_t num_sums() const { return network_.num_parameters() + 2; }
  void add_gradient(mask_feedback const& told, std::span<double> sums) const {
    std::vector<float> hardness(static_cast<std::size_t>(told.image.patches.rows));
    network_.score(told.image, hardness);
    std::vector<double> slopes(hardness.size());
    auto const of_pairs = rank(told, hardness, slopes);
    if (of_pairs.pairs == 0) return;
    for (double& slope : slopes) slope /= of_pairs.pairs;
    network_.add_gradient(told.image, slopes, sums);
    sums[sums.size() - 2] += of_pairs.right / of_pairs.pairs;
    sums.back() += 1;
  }
  void update(std::span<double const> sums, index_t images) {
    network_.update(sums, images);
    if (sums.back() > 0) agreement_ = static_cast<float>(sums[sums.size() - 2] / sums.back());
  }
  std::span<float const> state(std::size_t k) const {
    return k + 1 < state_names.size() ? network_.state(k) : std::span(&agreement_, 1);
  }
  std::span<float> state(std::size_t k) {
    return k + 1 < state_names.size() ? network_.state(k) : std::span(&agreement_, 1);
  }

 private:
  struct ranked {
    double pairs = 0;  // whose losses differ
    double right = 0;  // of them, as the network has them too
  };

  /// Adds the slopes of the sum over pairs of log(1 + exp(s_easy - s_hard)).
  static ranked rank(mask_feedback const& told,
                     std::span<float const> hardness,
                     std::span<double> slopes) {
    ranked all;
    for (std::size_t i = 0; i < told.losses.size(); ++i) {
      auto const a = static_cast<std::size_t>(told.targets[i]);
      double of_a = 0;
      for (std::size_t j = 0; j < i; ++j) {
        auto const b = static_cast<std::size_t>(told.targets[j]);
        if (told.losses[i] == told.losses[j]) continue;
        float const sign = told.losses[i] > told.losses[j] ? 1.0F : -1.0F;
        float const ahead = sign * (hardness[a] - hardness[b]);
        double const slope = sign / (1.0F + branchless_exp(ahead));
        of_a += slope;
        slopes[b] += slope;
        all.pairs += 1;
        all.right += ahead > 0 ? 1 : ahead == 0 ? 0.5 : 0;
      }
      slopes[a] -= of_a;
    }
    return all;
  }

  learned_mask_options options_;
  patch_scorer network_;
  float agreement_ = 0.5F;
};
static_assert(LearningMask<learned_mask>);

}  // namespace mae
