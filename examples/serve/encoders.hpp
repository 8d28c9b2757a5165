#pragma once

#include "serve_options.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained_model.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace serve {

/// Makes values of 8-bit images (n, H, W, C) of a model's extent. An image's have the same bits
/// whatever others are with it. Throws mae::config_error where they are not finite. Called by one
/// thread at a time.
using image_function = std::function<std::vector<float>(std::span<std::uint8_t const> images)>;

/// Which attention is asked for: of a block, from 0, all its heads' or their mean.
struct attention_asked {
  mae::index_t block = 0;
  bool each_head = false;

  friend bool operator==(attention_asked const&, attention_asked const&) = default;
};

/// What is asked of an encoder.
struct served_encoder {
  std::string activations;  // "fp32" or "bf16": what stands between products
  image_function features;  // (n, 2 D): the class token, and the mean of the patch tokens
  image_function tokens;    // (n, N + 1, D), the class token first
  /// How much of token j token i takes, (n, H, S, S), S = N + 1, or (n, S, S) of the heads' mean.
  /// None in int8, where an encoder has no weights but its products' packed ones.
  std::function<std::vector<float>(std::span<std::uint8_t const> images, attention_asked const&)>
      attention = {};
};

/// Opens a checkpoint's encoder. This is the one place that tells precisions apart. Throws
/// mae::config_error for a checkpoint whose heads are not known.
served_encoder open_encoder(mae::pretrained_model const& model,
                            precision_choice precision,
                            std::shared_ptr<mae::thread_pool> threads);

}  // namespace serve
