#pragma once

#include "averaged_adamw.hpp"
#include "checkpoint_flags.hpp"
#include "command_line.hpp"
#include "head_lists.hpp"
#include "recipe_flags.hpp"
#include "saved_settings.hpp"

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/head/token_map.hpp>
#include <mae/network/part.hpp>
#include <mae/op/pooling.hpp>
#include <mae/train/options.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// What mae_finetune is asked.

namespace tools {

struct finetune_options : common_options {
  bool from_scratch = false;
  std::string config = "tiny4";  // of from_scratch
  std::string out = "finetuned";
  bool resume = false;
  mae::index_t epochs = 20;
  mae::index_t batch = 128;
  double base_lr = 1e-3;  // of 256 images
  std::optional<double> warmup_epochs;
  std::optional<double> layer_decay;
  double weight_decay = 0.05;
  double smoothing = 0.1;
  double crop_min = 0.2;
  double label_fraction = 1;
  recipe_options recipe;
  mae::pooling pool = mae::pooling::mean;
  std::optional<mae::norm_place> norm = {};
  bool dry_run = false;
  bool tensorboard = false;
  pretrain::saved_settings repeated = {};  // of --settings
  mae::settings_list flags = {};           // that decide the result: what --settings would repeat

  std::array<double, num_heads> head_weights{1, 0, 0};
  hidden_shares hidden = {};  // of --mask-ratio
  image_sides resized{};      // of the model's images; 0: as they are
  bool instances = false;     // labels/ in place of masks/
  std::string split_table = {};
  std::string keypoint_table = {};
  mae::map_decoder decoder = mae::map_decoder::convolution;
  mae::index_t upsampling = 0;
  double sigma = 1.5;
  bool mirrors = true;  // whether a mirror image may be shown

  bool trains(std::size_t head) const { return head_weights[head] > 0; }
  /// What the final norm is of: by the official recipe of the mean of which classes are told, where
  /// the encoder learns.
  mae::norm_place final_norm() const;
  bool labels_places() const { return trains(segmentation_head) || trains(keypoint_head); }
  /// The share of patches that a head does not see; one that is off has that of the first which is
  /// trained, so that it changes nothing.
  double hidden_share(std::size_t head) const;
  /// The encoder's operations of a step's passes for one image, forward: one pass for each share of
  /// patches that a trained head sees.
  double image_flops(mae::model_config const& sizes) const;
  /// What is trained, in the words of --head: "classes", "segmentation:1,keypoints:0.5".
  std::string heads_text() const;

  /// Of so many training images: a larger batch is lowered to them.
  mae::training_options training(mae::index_t images) const;
  averaged_adamw rule() const;
};

std::vector<pretrain::flag_group> flags_for(finetune_options& o);

/// Throws usage_error for flags that have no meaning beside others.
void check_combinations(pretrain::given_flags const& given, finetune_options const& o);

/// The sizes that --config names. Throws usage_error, which lists the names.
mae::model_config sizes_by_name(std::string const& name);

}  // namespace tools
