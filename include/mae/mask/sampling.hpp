#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/drawn_set.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/learned.hpp>
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
#include <vector>

namespace mae {

/// What a sampling mask is made of.
struct sampling_mask_options {
  double ratio = 0.75;                      // hidden share of every image
  hard_patches hard = hard_patches::shown;  // what raises the loss: shown (it falls), or hidden
  double entropy = 1e-2;                    // weight of the distribution's entropy in the objective
  patch_scorer_options network = {};
};

/// Draws the visible patches without replacement from a distribution over an image's patches that a
/// small network makes, and learns it by the policy gradient, as AdaMAE does (Bandara et al. 2022,
/// arXiv 2211.09120) for single draws.
///
/// The gradient is that of the drawn *set's* probability (drawn_set), times how the image's mean
/// loss compares with a moving average of them, loss / average - 1: the baseline. Loss is lowered,
/// or raised where what is hard is to be hidden. The entropy of the distribution is added, so that
/// it does not end in one patch.
class sampling_mask {
 public:
  /// `baseline`: the moving average of images' mean losses. `entropy`: the mean of the last
  /// update's distributions, as a share of the uniform one's.
  static constexpr std::array state_names{patch_scorer::state_names[0],
                                          patch_scorer::state_names[1],
                                          patch_scorer::state_names[2],
                                          patch_scorer::state_names[3],
                                          "baseline",
                                          "entropy"};

  /// Throws config_error unless 0 < ratio < 1 and the entropy's weight is finite and not below 0,
  /// and as patch_scorer.
  sampling_mask(model_config const& config, sampling_mask_options const& options)
      : options_(options), network_(config, options.network) {
    checked_ratio("sampling mask: the ratio", options.ratio);
    if (!(options.entropy >= 0) || !std::isfinite(options.entropy))
      throw config_error("sampling mask: the entropy's weight must be finite and not below 0");
  }

  index_t max_visible(index_t patches) const {
    return split_by_ratio(patches, options_.ratio).visible;
  }
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    return split_by_ratio(image.patches.rows, options_.ratio);
  }
  /// The time at which each patch's clock rings, whose rate is its weight: the first are seen.
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    network_.score(image, scores);
    for (float& score : scores)
      score = static_cast<float>(-std::log1p(-random.uniform_double()) * std::exp(-bounded(score)));
  }
  settings_list settings() const {
    return {{"mask", "sampling"},
            {"mask_ratio", decimal_text(options_.ratio)},
            {"mask_hard", options_.hard == hard_patches::hidden ? "hidden" : "shown"},
            {"mask_entropy", decimal_text(options_.entropy)},
            {"mask_lr", decimal_text(options_.network.lr)}};
  }

  /// The logarithms of each patch's weight.
  void hardness(mask_context const& image, std::span<float> numbers) const {
    network_.score(image, numbers);
    for (float& number : numbers) number = static_cast<float>(bounded(number));
  }

  index_t num_sums() const { return network_.num_parameters() + 2; }
  void add_gradient(mask_feedback const& told, std::span<double> sums) const {
    std::vector<float> logits(static_cast<std::size_t>(told.image.patches.rows));
    network_.score(told.image, logits);
    double loss = 0;
    for (float const of_target : told.losses) loss += of_target;
    loss /= static_cast<double>(told.losses.size());

    std::vector<double> slopes(logits.size());
    double const entropy = add_entropy(logits, -options_.entropy, slopes);
    if (baseline() > 0) {
      double const gained = loss / static_cast<double>(baseline()) - 1;
      add_log_probability(
          logits, told.visible, options_.hard == hard_patches::shown ? gained : -gained, slopes);
    }
    for (std::size_t i = 0; i < slopes.size(); ++i) {  // none further out, all back
      bool const goes_out = logits[i] > 0 ? slopes[i] < 0 : slopes[i] > 0;
      if (goes_out && std::abs(logits[i]) >= widest) slopes[i] = 0;
    }
    network_.add_gradient(told.image, slopes, sums);
    sums[sums.size() - 2] += loss;
    sums.back() += entropy / std::log(static_cast<double>(logits.size()));
  }
  void update(std::span<double const> sums, index_t images) {
    constexpr float kept = 0.99F;
    network_.update(sums, images);
    auto const mean = static_cast<float>(sums[sums.size() - 2] / static_cast<double>(images));
    figures_[0] = baseline() > 0 ? kept * baseline() + (1 - kept) * mean : mean;
    figures_[1] = static_cast<float>(sums.back() / static_cast<double>(images));
  }
  std::span<float const> state(std::size_t k) const {
    return k < num_network_states ? network_.state(k)
                                  : std::span(&figures_[k - num_network_states], 1);
  }
  std::span<float> state(std::size_t k) {
    return k < num_network_states ? network_.state(k)
                                  : std::span(&figures_[k - num_network_states], 1);
  }

 private:
  static constexpr std::size_t num_network_states = patch_scorer::state_names.size();
  /// Of a weight's logarithm: beyond, another is never drawn before it.
  static constexpr float widest = 10.0F;

  float baseline() const { return figures_[0]; }
  static double bounded(float logit) { return std::clamp(logit, -widest, widest); }

  /// Adds `factor` times the slopes of the entropy of the softmax; returns the entropy.
  static double add_entropy(std::span<float const> logits,
                            double factor,
                            std::span<double> slopes) {
    double sum = 0;
    for (float const logit : logits) sum += std::exp(bounded(logit));
    double entropy = 0;
    for (float const logit : logits) {
      double const share = std::exp(bounded(logit)) / sum;
      entropy -= share * std::log(share);
    }
    for (std::size_t i = 0; i < logits.size(); ++i) {
      double const share = std::exp(bounded(logits[i])) / sum;
      slopes[i] -= factor * share * (std::log(share) + entropy);
    }
    return entropy;
  }

  /// Adds `factor` times the slopes of the drawn set's log-probability.
  static void add_log_probability(std::span<float const> logits,
                                  std::span<patch_index const> visible,
                                  double factor,
                                  std::span<double> slopes) {
    std::vector<double> weights(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) weights[i] = std::exp(bounded(logits[i]));
    std::vector<double> drawn;
    for (auto const position : visible) {
      drawn.push_back(weights[static_cast<std::size_t>(position)]);
      weights[static_cast<std::size_t>(position)] = 0;
    }
    double const outside = std::accumulate(weights.begin(), weights.end(), 0.0);
    drawn_set const set(drawn, outside);
    double const all = std::accumulate(set.slopes().begin(), set.slopes().end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i)
      slopes[i] -= factor * weights[i] / outside * all;
    for (std::size_t i = 0; i < visible.size(); ++i)
      slopes[static_cast<std::size_t>(visible[i])] += factor * set.slopes()[i];
  }

  sampling_mask_options options_;
  patch_scorer network_;
  std::array<float, 2> figures_{};  // the baseline, the entropy
};
static_assert(LearningMask<sampling_mask>);

}  // namespace mae
