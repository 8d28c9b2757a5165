#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/colour_changes.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/data/rand_augment.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/update_groups.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/head_schedule.hpp>
#include <mae/train/mixing.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace mae {

/// What a training does when a loss or a gradient is not finite: nothing of that step is applied,
/// and the step either ends the training with a numeric_error or is left out.
enum class non_finite_policy : std::uint8_t { stop, skip };

/// How to train; the update rule, with its own constants, stands beside it. The defaults are those
/// of He et al. 2021 for pre-training, but for the learning rate's scale, which fits small models
/// and few epochs.
struct training_options {
  std::uint64_t seed = 0;     // of order, views, masks and dropped paths
  index_t batch_size = 256;   // images of one pass
  index_t accumulate = 1;     // passes of one optimizer step
  index_t views = 1;          // of each image: samples of their own, with their own crops and masks
  index_t painted_views = 0;  // of those, the first that are painted; 0: all
  double predicted_share = 1;  // of the hidden patches, which are targets; others are absent
  index_t epochs = 20;
  std::optional<index_t> steps = {};  // instead of epochs: optimizer steps in all
  double lr = 1e-3;                   // of the whole optimizer step; see scaled_lr
  double warmup_epochs = 1;
  double clip = 0;  // largest norm of the gradient; 0: no clipping
  update_groups groups = {};
  double min_lr = 0;     // the cosine's end
  double drop_path = 0;  // the share of the last block's branches; see drop_path_scales
  augmentation augment = {};
  local_crops local = {};  // of the views the last
  colour_changes colours = {};
  rand_augment changes = {};
  double erasing = 0;  // with which probability; see erase_at_random
  mixing mix = {};
  pixel_noise noise = {};                          // on what the encoder sees; targets are without
  std::vector<head_schedule> head_schedules = {};  // of weights; see there
  index_t alternate = 0;  // heads take turns, of so many steps each; 0: all at once
  conflict_rule conflicts = conflict_rule::sum;  // how heads' gradients become one
  double balance_momentum = 0.9;                 // of conflict_rule::balance's averages
  index_t record_gradients = 0;  // every so many steps, how they meet; 0: never. Changes no bit
  non_finite_policy non_finite = non_finite_policy::stop;

  /// Of one pass: its images' views.
  index_t samples() const { return batch_size * views; }
  /// Those that have targets.
  index_t painted_samples() const {
    return batch_size * (painted_views > 0 ? painted_views : views);
  }

  friend bool operator==(training_options const&, training_options const&) = default;
};

/// The learning rate of a batch by the linear rule (Goyal et al. 2017): base * images / 256.
constexpr double scaled_lr(double base, index_t images) {
  return base * static_cast<double>(images) / 256.0;
}

/// As many views as a random stream's key can tell apart.
inline constexpr index_t most_views = 255;

/// Throws config_error for the first setting that cannot be used.
inline void require_valid(training_options const& options) {
  auto const require = [](bool holds, char const* sentence) {
    if (!holds) throw config_error(sentence);
  };
  require(options.batch_size > 0, "the batch size must be positive");
  require(options.accumulate > 0, "the number of accumulated batches must be positive");
  require(options.views > 0 && options.views <= most_views,
          "an image's views must be one at least, and 255 at most");
  require(options.painted_views >= 0 && options.painted_views <= options.views,
          "of an image's views none but its own can be painted: painted_views must lie between 0, "
          "which paints all, and views");
  require(options.predicted_share > 0 && options.predicted_share <= 1,
          "the share of hidden patches that are predicted must lie in (0, 1]");
  require(options.batch_size <=
              std::numeric_limits<image_index>::max() / options.accumulate / options.views,
          "the samples of a step, batch size times accumulated batches and views, must be fewer "
          "than 2^31");
  require(options.epochs > 0, "the number of epochs must be positive");
  require(!options.steps || *options.steps > 0, "the number of steps must be positive");
  require(options.lr > 0, "the learning rate must be positive");
  require(detail::fits_float(options.lr), "the learning rate must be finite, and a float hold it");
  require(options.min_lr >= 0 && options.min_lr <= options.lr,
          "the least learning rate must not be negative, nor above the learning rate");
  require(options.drop_path >= 0 && options.drop_path < 1,
          "the share of paths that are dropped must lie in [0, 1)");
  require(options.warmup_epochs >= 0, "the warm-up must not be negative");
  require(std::isfinite(options.warmup_epochs), "the warm-up must be finite");
  require(options.clip >= 0, "the gradient's largest norm must not be negative");
  require(std::isfinite(options.clip),
          "the gradient's largest norm must be finite; 0 leaves gradients as they are");
  require_valid(options.groups);
  require_valid(options.augment);
  require_valid(options.local, options.augment, options.views);
  require_valid(options.colours);
  require_valid(options.changes);
  require(options.erasing >= 0 && options.erasing <= 1,
          "the probability of erasing must lie in [0, 1]");
  require_valid(options.mix);
  require_valid(options.noise);
  require_valid(options.head_schedules);
  require(options.alternate >= 0, "the steps of a head's turn must not be negative");
  require(
      options.alternate == 0 || options.conflicts == conflict_rule::sum,
      "heads that take turns have one gradient a step, which conflicts with none: let them take "
      "none, or let conflicts be conflict_rule::sum");
  require(options.balance_momentum >= 0 && options.balance_momentum < 1,
          "the momentum of the averages that balance gradients must lie in [0, 1)");
  require(options.record_gradients >= 0,
          "the steps from one record of gradients to the next must not be negative");
}

}  // namespace mae
