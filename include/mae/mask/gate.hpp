#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/budget.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/learned.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/patch_scorer.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What a gate mask is made of.
struct gate_mask_options {
  double ratio = 0.75;                      // hidden share of every image
  hard_patches hard = hard_patches::shown;  // the gates lower the loss; hidden: they raise it
  bool weighs = true;                       // a target's loss counts by how far its gate is closed
  double entropy = 1e-2;                    // weight of the gates' entropy in the objective
  patch_scorer_options network = {};
};

/// A small network's number for each patch becomes a gate in (0, 1), by a threshold for which the
/// gates of an image amount to the number of visible patches. A patch is visible where its number
/// and logistic noise are among the largest: about as often as its gate says. The others are
/// dropped, and never computed.
///
/// The gates learn from the training's own loss and backward pass, by factors that are 1 and have
/// slopes (straight-through, Bengio et al. 2013, arXiv 1308.3432): g / stop(g) on what a visible
/// patch's embedding is before its position is added, (1 - g) / stop(1 - g) on a target's weight.
/// They divide by how often a patch is visible, or a target: g + stop(1 - g) would push most what
/// is pushed most often, and gates would end where chance began. A scale of the whole token would
/// have no slope to speak of, since the first thing that is done to it is a layer norm.
///
/// Of an image with M targets the loss is sum w L / M, w_i = M (1 - g_i) / sum of the targets'
/// (1 - g). Our own design: no paper has been found of a scheduler network with a continuous map.
class gate_mask {
 public:
  /// `entropy`: the mean over patches of the last update's gates' entropies, as a share of that of
  /// equal gates.
  static constexpr std::array state_names{patch_scorer::state_names[0],
                                          patch_scorer::state_names[1],
                                          patch_scorer::state_names[2],
                                          patch_scorer::state_names[3],
                                          "entropy"};

  /// Throws config_error unless 0 < ratio < 1 and the entropy's weight is finite and not below 0,
  /// where the ratio shows or hides less than one patch, and as patch_scorer.
  gate_mask(model_config const& config, gate_mask_options const& options)
      : options_(options), network_(config, options.network) {
    checked_ratio("gate mask: the ratio", options.ratio);
    if (!(options.entropy >= 0) || !std::isfinite(options.entropy))
      throw config_error("gate mask: the entropy's weight must be finite and not below 0");
    budget_of(config.num_patches());
  }

  /// Throws config_error as the constructor.
  index_t max_visible(index_t patches) const { return budget_of(patches); }
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    index_t const visible = budget_of(image.patches.rows);
    return {visible, image.patches.rows - visible};
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    network_.score(image, scores);
    double const mean = mean_of(scores);
    for (float& score : scores) {
      double const chance = random.uniform_double();
      score = static_cast<float>(std::log1p(-chance) - std::log(chance) - bounded(score - mean));
    }
  }
  settings_list settings() const {
    return {{"mask", "gate"},
            {"mask_ratio", decimal_text(options_.ratio)},
            {"mask_hard", options_.hard == hard_patches::hidden ? "hidden" : "shown"},
            {"mask_targets", options_.weighs ? "weighed" : "equal"},
            {"mask_entropy", decimal_text(options_.entropy)},
            {"mask_lr", decimal_text(options_.network.lr)}};
  }

  /// Each patch's gate.
  void gates(mask_context const& image, std::span<float> numbers) const {
    auto const of = gates_of(image);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<float>(of.budgeted.gates()[i]);
  }

  bool weighs_targets() const { return options_.weighs; }
  /// The weights of an image's targets, which amount to their number.
  void weigh(mask_context const& image,
             std::span<patch_index const> targets,
             std::span<float> weights) const {
    auto const of = gates_of(image);
    auto const found = weights_of(of.budgeted, targets);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(found[i]);
  }

  bool asks_slopes() const { return true; }
  index_t num_sums() const { return network_.num_parameters() + 1; }
  void add_gradient(mask_feedback const& told, std::span<double> sums) const {
    assert(told.slopes.size() == told.visible.size());
    auto const of = gates_of(told.image);
    std::vector<double> slopes(of.above_mean.size());
    double const sign = options_.hard == hard_patches::shown ? 1 : -1;
    add_slopes_of_loss(of.budgeted, told, sign, slopes);
    double const entropy = add_entropy(of.budgeted, -options_.entropy, slopes);
    of.budgeted.move_threshold(slopes);
    for (std::size_t i = 0; i < slopes.size(); ++i) {  // none further out, all back
      bool const goes_out = of.above_mean[i] > 0 ? slopes[i] < 0 : slopes[i] > 0;
      if (goes_out && std::abs(of.above_mean[i]) >= widest) slopes[i] = 0;
    }
    double const mean = mean_of(slopes);  // each number moves what all are above the mean
    for (double& slope : slopes) slope -= mean;
    network_.add_gradient(told.image, slopes, sums);
    sums.back() += entropy;
  }
  void update(std::span<double const> sums, index_t images) {
    network_.update(sums, images);
    entropy_ = static_cast<float>(sums.back() / static_cast<double>(images));
  }
  std::span<float const> state(std::size_t k) const {
    return k < num_network_states ? network_.state(k) : std::span(&entropy_, 1);
  }
  std::span<float> state(std::size_t k) {
    return k < num_network_states ? network_.state(k) : std::span(&entropy_, 1);
  }

 private:
  static constexpr std::size_t num_network_states = patch_scorer::state_names.size();
  /// Of what a patch's number is above the image's mean, since only differences count: its gate is
  /// then all but open or shut.
  static constexpr double widest = 10;
  static double bounded(double above_mean) { return std::clamp(above_mean, -widest, widest); }
  template <class Numbers>
  static double mean_of(Numbers const& numbers) {
    double sum = 0;
    for (auto const number : numbers) sum += static_cast<double>(number);
    return sum / static_cast<double>(numbers.size());
  }

  index_t budget_of(index_t patches) const {
    index_t const visible = visible_count(patches, options_.ratio);
    if (visible < 1 || visible > patches - 1)
      throw config_error("gate mask: of " + std::to_string(patches) + " patches the ratio " +
                         decimal_text(options_.ratio) + " leaves " + std::to_string(visible) +
                         " visible, and gates need one that is and one that is not");
    return visible;
  }

  struct image_gates {
    std::vector<double> above_mean;  // the network's numbers, less their mean
    budgeted_gates budgeted;
  };
  image_gates gates_of(mask_context const& image) const {
    auto const patches = image.patches.rows;
    std::vector<float> numbers(static_cast<std::size_t>(patches));
    network_.score(image, numbers);
    std::vector<double> above_mean(numbers.begin(), numbers.end());
    double const mean = mean_of(numbers);
    for (double& number : above_mean) number -= mean;
    std::vector<double> logits(above_mean.size());
    std::transform(above_mean.begin(), above_mean.end(), logits.begin(), bounded);
    budgeted_gates budgeted(logits, budget_of(patches));
    return {std::move(above_mean), std::move(budgeted)};
  }

  std::vector<double> weights_of(budgeted_gates const& gates,
                                 std::span<patch_index const> targets) const {
    std::vector<double> weights(targets.size(), 1.0);
    if (!options_.weighs) return weights;
    double sum = 0;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      weights[i] = gates.closed()[static_cast<std::size_t>(targets[i])];
      sum += weights[i];
    }
    for (double& weight : weights) weight *= static_cast<double>(targets.size()) / sum;
    return weights;
  }

  /// Adds `factor` times g (1 - g) times the slopes of the image's mean loss by its gates.
  void add_slopes_of_loss(budgeted_gates const& gates,
                          mask_feedback const& told,
                          double factor,
                          std::span<double> slopes) const {
    auto const targets = static_cast<double>(told.targets.size());
    for (std::size_t i = 0; i < told.visible.size(); ++i) {
      auto const at = static_cast<std::size_t>(told.visible[i]);
      slopes[at] += factor * gates.closed()[at] * static_cast<double>(told.slopes[i]) / targets;
    }
    auto const weights = weights_of(gates, told.targets);
    double mean = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      mean += weights[i] * static_cast<double>(told.losses[i]) / targets;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      auto const at = static_cast<std::size_t>(told.targets[i]);
      double const loss = static_cast<double>(told.losses[i]) - mean;
      slopes[at] -= factor * gates.gates()[at] * weights[i] * loss / targets;
    }
  }

  /// Adds `factor` times g (1 - g) times the slopes of the gates' mean entropy; returns that, as a
  /// share of equal gates'.
  static double add_entropy(budgeted_gates const& gates, double factor, std::span<double> slopes) {
    auto const entropy_of = [](double open, double shut) {
      return -open * std::log(open) - shut * std::log(shut);
    };
    auto const patches = static_cast<double>(slopes.size());
    double entropy = 0;
    double open = 0;
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      double const gate = gates.gates()[i];
      double const shut = gates.closed()[i];
      entropy += entropy_of(gate, shut) / patches;
      open += gate / patches;
      slopes[i] -= factor * gates.above(i) * gate * shut / patches;
    }
    return entropy / entropy_of(open, 1 - open);
  }

  gate_mask_options options_;
  patch_scorer network_;
  float entropy_ = 1;
};
static_assert(LearningMask<gate_mask>);

}  // namespace mae
