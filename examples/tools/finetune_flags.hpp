#pragma once

#include "checkpoint_flags.hpp"
#include "command_line.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/op/pooling.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/options.hpp>

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
  mae::pooling pool = mae::pooling::mean;

  /// What is trained, in the words of --head.
  std::string heads_text() const { return "classes"; }

  /// Of so many training images: a larger batch is lowered to them.
  mae::training_options training(mae::index_t images) const;
  mae::adamw rule() const;
};

std::vector<pretrain::flag_group> flags_for(finetune_options& o);

/// Throws usage_error for flags that have no meaning beside others.
void check_combinations(pretrain::given_flags const& given, finetune_options const& o);

/// The sizes that --config names. Throws usage_error, which lists the names.
mae::model_config sizes_by_name(std::string const& name);

}  // namespace tools
