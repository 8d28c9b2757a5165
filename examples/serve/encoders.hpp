#pragma once

#include "serve_options.hpp"

#include <mae/core/parallel.hpp>
#include <mae/interop/pretrained_model.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace serve {

/// Makes features of 8-bit images (n, H, W, C) of a model's extent: (n, 2 D), of each the class
/// token, then the mean of the patch tokens (mae::pooling::both). An image's have the same bits
/// whatever others are with it. Throws mae::config_error where they are not finite. Called by one
/// thread at a time.
using feature_function = std::function<std::vector<float>(std::span<std::uint8_t const> images)>;

/// Opens a checkpoint's encoder. This is the one place that tells precisions apart. Throws
/// mae::config_error for a checkpoint whose heads are not known.
feature_function open_encoder(mae::pretrained_model const& model,
                              precision_choice precision,
                              std::shared_ptr<mae::thread_pool> threads);

}  // namespace serve
