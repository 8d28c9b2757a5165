#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/density.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/swung_share.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What a mask by the gradients of losses is made of.
struct loss_density_options {
  double ratio = 0.75;     // hidden share, on average over the training set
  double swing = 0.15;     // of the images whose gradients are largest this much less is hidden
  double momentum = 0.75;  // of an image's moving average, from one of its masks to the next
  index_t images = 0;      // of the training set
  index_t samples = 0;     // of a step: batch size * accumulated batches * views
};

/// Hides less of an image whose patches are hard to paint: a density mask whose density is the norm
/// of the loss's gradient.
///
/// Of a squared error l = mean of (y - t)^2 over P values, dl/dy = 2 (y - t) / P has the norm
/// 2 sqrt(l / P): the square root of a patch's loss is the gradient's norm but for a factor that is
/// the same of all patches, so that losses are all that must be told. An image's density is the
/// mean over its hidden patches, over that of the samples of its step, as a moving average over the
/// epochs, in a table by the image's number; its place is among the images that have one. Norms
/// fall while the network learns: without the quotient, images that were told of long ago would
/// stand above those of late, and less than the ratio would be hidden. The place of an image that
/// was not yet seen is the middle one: it hides the ratio. The distribution is taken anew when as
/// many samples were told of as an eighth of the images, at least. For painters whose loss is a
/// squared error: others are refused.
class loss_density_mask {
 public:
  /// Of each image, below 0 before it was seen; the distribution's quantiles, below 0 before there
  /// are any; the samples (an image's views are as many) that were told of since.
  static constexpr std::array state_names{"density", "quantiles", "told"};
  static constexpr bool needs_squared_losses() { return true; }

  /// Throws config_error where the ratio, moved by the swing, leaves (0, 1), for a momentum outside
  /// [0, 1), and for no images or samples.
  explicit loss_density_mask(loss_density_options const& options)
      : options_(options),
        densities_(static_cast<std::size_t>(std::max<index_t>(options.images, 0)), unseen),
        quantiles_(steps + 1, unseen) {
    double const swing = std::abs(options.swing);
    checked_ratio("mask by losses: the ratio less the swing", options.ratio - swing);
    checked_ratio("mask by losses: the ratio plus the swing", options.ratio + swing);
    if (!(options.momentum >= 0 && options.momentum < 1))
      throw config_error("mask by losses: the momentum must lie in [0, 1)");
    constexpr index_t most_images = index_t{1} << 24;  // whose numbers floats count
    if (options.images < 1 || options.images > most_images || options.samples < 1)
      throw config_error(
          "mask by losses: it needs the numbers of the training set's images, at most 2^24, and of "
          "a step's samples");
  }

  loss_density_options const& options() const { return options_; }

  /// Throws config_error where an image would show less than a patch, or hide less than one.
  index_t max_visible(index_t patches) const {
    return most_visible("mask by losses", options_.ratio, options_.swing, patches);
  }
  mask_counts counts(mask_context const& image, random_stream& random) const {
    double const share = options_.ratio + options_.swing * (1 - 2 * place_of(image));
    double const visible = static_cast<double>(image.patches.rows) * (1 - share);
    return split_patches(image.patches.rows,
                         static_cast<index_t>(visible + random.uniform_double()));
  }
  void score(mask_context const& /*image*/, random_stream& random, std::span<float> scores) const {
    score_noise(random, scores);
  }
  settings_list settings() const {
    return {{"mask", "density"},
            {"mask_ratio", decimal_text(options_.ratio)},
            {"mask_swing", decimal_text(options_.swing)},
            {"mask_measure", "loss"},
            {"mask_momentum", decimal_text(options_.momentum)}};
  }

  /// Of each sample of a step its image's number, from 1, and the mean norm of its gradient; zeros
  /// of one that told nothing.
  index_t num_sums() const { return 2 * options_.samples; }
  /// Throws config_error for a sample, or an image, beyond those that the mask was made for.
  void add_gradient(mask_feedback const& told, std::span<double> sums) const {
    auto const image = number_of(told.image);
    if (told.sample >= options_.samples)
      throw config_error("mask by losses: made for steps of " + std::to_string(options_.samples) +
                         " samples, and told of one more");
    double norms = 0;
    for (float const loss : told.losses) norms += std::sqrt(static_cast<double>(loss));
    auto const at = 2 * static_cast<std::size_t>(told.sample);
    sums[at] += static_cast<double>(image + 1);
    sums[at + 1] += norms / static_cast<double>(told.losses.size());
  }
  /// Throws config_error for sums, as of a damaged file, that are of no image.
  void update(std::span<double const> sums, index_t /*images*/) {
    double norms = 0;
    double samples = 0;
    for (std::size_t at = 0; at + 1 < sums.size(); at += 2) {
      if (sums[at] == 0) continue;
      require_told(sums[at], sums[at + 1]);
      norms += sums[at + 1];
      samples += 1;
    }
    for (std::size_t at = 0; at + 1 < sums.size(); at += 2) {
      if (sums[at] == 0) continue;
      float& density = densities_[static_cast<std::size_t>(sums[at]) - 1];
      double const kept = density >= 0 ? options_.momentum : 0;
      double const before = density >= 0 ? density : 0;
      double const found = norms > 0 ? sums[at + 1] * samples / norms : 1;
      density = static_cast<float>(kept * before + (1 - kept) * found);
      told_ += 1;
    }
    constexpr float eighth = 8;
    if (quantiles_.front() < 0 || told_ * eighth >= static_cast<float>(options_.images)) take();
  }
  std::span<float const> state(std::size_t k) const {
    return k == 0 ? densities_ : k == 1 ? quantiles_ : std::span(&told_, 1);
  }
  std::span<float> state(std::size_t k) {
    return k == 0 ? densities_ : k == 1 ? quantiles_ : std::span(&told_, 1);
  }

 private:
  static constexpr std::size_t steps = 256;
  static constexpr float unseen = -1;

  std::size_t number_of(mask_context const& image) const {
    if (image.dataset_index >= densities_.size())
      throw config_error("mask by losses: made for " + std::to_string(densities_.size()) +
                         " images, and asked for image " + std::to_string(image.dataset_index));
    return static_cast<std::size_t>(image.dataset_index);
  }
  void require_told(double number, double norm) const {
    if (!(number >= 1 && number <= static_cast<double>(options_.images)) ||
        number != std::floor(number) || !(norm >= 0) || !std::isfinite(norm))
      throw config_error("mask by losses: told of image " + decimal_text(number) + " (from 1) of " +
                         std::to_string(options_.images) + " and a gradient's norm of " +
                         decimal_text(norm) + ": 'mask.pending' of the training's file is damaged");
  }
  double place_of(mask_context const& image) const {
    constexpr double middle = 0.5;
    float const density = densities_[number_of(image)];
    if (!(density >= 0) || quantiles_.front() < 0) return middle;
    require_order();
    return place_among(quantiles_, density);
  }
  /// Of the quantiles, which a file may have given.
  void require_order() const {
    bool right = std::isfinite(quantiles_.front()) && std::isfinite(quantiles_.back());
    for (std::size_t i = 1; i < quantiles_.size(); ++i)
      right = right && quantiles_[i - 1] <= quantiles_[i];
    if (!right)
      throw config_error(
          "mask by losses: its quantiles are not finite numbers in ascending order: "
          "'mask.quantiles' of the file that they come from is damaged");
  }
  /// Takes the quantiles of the images that were seen.
  void take() {
    std::vector<float> seen;
    for (float const density : densities_)
      if (density >= 0) seen.push_back(density);
    if (seen.empty()) return;
    std::sort(seen.begin(), seen.end());
    for (std::size_t i = 0; i <= steps; ++i) {  // between two of few images, by a straight line
      std::size_t const at = i * (seen.size() - 1);
      auto const part = static_cast<float>(at % steps) / static_cast<float>(steps);
      float const next = seen[std::min(at / steps + 1, seen.size() - 1)];
      quantiles_[i] = seen[at / steps] + part * (next - seen[at / steps]);
    }
    told_ = 0;
  }

  loss_density_options options_;
  std::vector<float> densities_;  // (images)
  std::vector<float> quantiles_;  // (steps + 1)
  float told_ = 0;
};
static_assert(LearningMask<loss_density_mask>);

}  // namespace mae
