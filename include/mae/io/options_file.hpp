#pragma once

#include <mae/core/settings.hpp>
#include <mae/data/colour_changes.hpp>
#include <mae/data/pixel_noise.hpp>
#include <mae/data/rand_augment.hpp>
#include <mae/data/resize.hpp>
#include <mae/io/description.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/options.hpp>

#include <string>

// What a training's file says of its options.

namespace mae {

/// RandAugment's settings: "9 0.5 2" are its magnitude, its deviation and its operations.
inline std::string describe(rand_augment const& changes) {
  if (!changes.is_on()) return "no";
  return numbers_text({changes.magnitude, changes.deviation, static_cast<double>(changes.count)});
}

/// A jitter's: its amounts, in the order of colour_change, and its probability.
inline std::string describe(colour_jitter const& jitter) {
  if (!jitter.is_on()) return "no";
  return numbers_text(
      {jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue, jitter.probability});
}
/// A blur's: its probability, its least and its greatest deviation, and its kernel.
inline std::string describe(random_blur const& blur) {
  if (blur.probability == 0) return "no";
  return numbers_text(
      {blur.probability, blur.sigma_min, blur.sigma_max, static_cast<double>(blur.kernel)});
}
inline std::string describe(random_solarise const& solarise) {
  if (solarise.probability == 0) return "no";
  return numbers_text({solarise.probability, solarise.threshold});
}

inline std::string describe(local_crops const& local) {
  if (local.views == 0) return "no";
  return numbers_text({static_cast<double>(local.views), local.crop_min, local.crop_max});
}

/// The levels of noise, the least and the greatest.
inline std::string describe(pixel_noise const& noise) {
  return noise.is_on() ? numbers_text({noise.sigma_min, noise.sigma_max}) : "no";
}

/// A rule's name: "balance 0.9" has its averages' momentum.
inline std::string describe(conflict_rule rule, double momentum) {
  if (rule == conflict_rule::sum) return "sum";
  return rule == conflict_rule::project ? "project"
                                        : std::string("balance ").append(decimal_text(momentum));
}

/// The settings of a training that decide its result, but for its length: a resume refuses any
/// other value, by name.
inline settings_list describe(training_options const& options) {
  return {
      {"seed", std::to_string(options.seed)},
      {"batch_size", std::to_string(options.batch_size)},
      {"accumulate", std::to_string(options.accumulate)},
      {"views", std::to_string(options.views)},
      {"painted_views", std::to_string(options.painted_views)},
      {"predicted_share", decimal_text(options.predicted_share)},
      {"lr", decimal_text(options.lr)},
      {"warmup_epochs", decimal_text(options.warmup_epochs)},
      {"clip", decimal_text(options.clip)},
      {"min_lr", decimal_text(options.min_lr)},
      {"drop_path", decimal_text(options.drop_path)},
      {"layer_decay", decimal_text(options.groups.layer_decay)},
      {"tokens_decay", options.groups.tokens_decay ? "yes" : "no"},
      {"frozen", std::to_string(options.groups.frozen)},
      {"frozen_from", decimal_text(options.groups.frozen_from)},
      {"crop_min", decimal_text(options.augment.crop_min)},
      {"crop_max", decimal_text(options.augment.crop_max)},
      {"local_crops", describe(options.local)},
      {"flip", options.augment.flip ? "yes" : "no"},
      {"interpolation", options.augment.kind == interpolation::bicubic ? "bicubic" : "bilinear"},
      {"jitter", describe(options.colours.jitter)},
      {"grey", decimal_text(options.colours.grey)},
      {"blur", describe(options.colours.blur)},
      {"solarise", describe(options.colours.solarise)},
      {"rand_augment", describe(options.changes)},
      {"erasing", decimal_text(options.erasing)},
      {"mixup", decimal_text(options.mix.mixup)},
      {"cutmix", decimal_text(options.mix.cutmix)},
      {"noise", describe(options.noise)},
      {"head_schedules", to_text(options.head_schedules)},
      {"alternate", std::to_string(options.alternate)},
      {"conflicts", describe(options.conflicts, options.balance_momentum)},
      {"non_finite", options.non_finite == non_finite_policy::stop ? "stop" : "skip"}};
}

namespace detail {

/// A training's entries, and those that older files do not have. A template: compiled where a
/// training is resumed alone.
template <class Metadata>
Metadata with_older_entries(Metadata metadata) {
  metadata.insert({{"loss", "squared"},      {"layer_decay", "1"},     {"tokens_decay", "yes"},
                   {"frozen", "0"},          {"frozen_from", "0"},     {"min_lr", "0"},
                   {"drop_path", "0"},       {"rand_augment", "no"},   {"erasing", "0"},
                   {"views", "1"},           {"jitter", "no"},         {"grey", "0"},
                   {"blur", "no"},           {"solarise", "no"},       {"painted_views", "0"},
                   {"predicted_share", "1"}, {"mixup", "0"},           {"cutmix", "0"},
                   {"head_schedules", ""},   {"alternate", "0"},       {"mask_over", "0,1"},
                   {"positions", "sincos"},  {"final_norm", "tokens"}, {"conflicts", "sum"},
                   {"crop_max", "1"},        {"local_crops", "no"},    {"contrast.predictor", "0"},
                   {"contrast.keys", "own"}, {"contrast.queue", "0"},  {"mask_budget", "training"},
                   {"noise", "no"}});
  return metadata;
}

}  // namespace detail
}  // namespace mae
