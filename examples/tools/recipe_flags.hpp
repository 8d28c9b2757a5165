#pragma once

#include "command_line.hpp"

#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/train/options.hpp>

#include <cstdint>
#include <optional>

// How mae_finetune keeps a model from learning its images by heart, and which epoch it keeps.

namespace tools {

/// The epoch whose model is left.
enum class kept_epoch : std::uint8_t { last, best };

/// What products are of.
enum class finetune_precision : std::uint8_t { fp32, bf16 };

struct recipe_options {
  double drop_path = 0;
  double mixup = 0;
  double cutmix = 0;
  double erasing = 0;
  double randaugment = 0;  // its magnitude
  double min_lr = 0;
  mae::position_table positions = mae::position_table::sincos;
  mae::index_t frozen = 0;  // see update_groups
  mae::index_t evaluate_every = 1;
  std::optional<mae::index_t> patience;
  std::optional<double> average;  // of the weights: its momentum
  kept_epoch keep = kept_epoch::last;
  finetune_precision precision = finetune_precision::fp32;

  /// These options, by this recipe.
  mae::training_options applied(mae::training_options options) const;
};

pretrain::flag_group recipe_group(recipe_options& recipe);

/// Throws config_error where more blocks are to be frozen than the encoder has.
void require_blocks(recipe_options const& recipe, mae::index_t depth);

}  // namespace tools
