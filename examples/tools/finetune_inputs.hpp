#pragma once

#include "finetune_flags.hpp"
#include "labelled_folder.hpp"
#include "labelled_images.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/interop/pretrained_model.hpp>

#include <memory>

// A fine-tuning, but for the type of numbers that it multiplies: a unit each.

namespace tools {

struct finetune_inputs {
  finetune_options const& o;
  mae::pretrained_model const& found;  // what it begins with
  labelled_sets const& sets;
  chosen_images const& train;
  mae::settings_list pictures;  // how pictures became images
  std::shared_ptr<mae::thread_pool> threads;
};

/// Trains, and writes what it has found, or says what that would take (--dry-run). False where the
/// user stopped it.
bool finetune_in_fp32(finetune_inputs const& in);
bool finetune_in_bf16(finetune_inputs const& in);

}  // namespace tools
