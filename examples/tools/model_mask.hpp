#pragma once

#include "checkpoint_flags.hpp"
#include "chosen_mask.hpp"
#include "images.hpp"

#include <mae/core/parallel.hpp>
#include <mae/interop/pretrained.hpp>

#include <string_view>

namespace tools {

/// The mask that the flags choose, measured on `images` where it is; of one that learns, with what
/// it learned with the model. What the training had otherwise is said, of what flags say, but for
/// `own_entry`, of which the caller has its own. Throws config_error where that is not in the
/// model's file.
pretrain::chosen_mask mask_of(common_options const& o,
                              mae::pretrained_model const& model,
                              pretrain::image_set const& images,
                              mae::thread_pool& threads,
                              std::string_view own_entry = {});

}  // namespace tools
