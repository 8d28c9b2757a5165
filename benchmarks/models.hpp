#pragma once

// What the benchmarks measure: models, their operations, images.

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/model/configs.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace benchmarks {

using mae::configs::tiny2;
using mae::configs::tiny4;
inline constexpr mae::model_config base16 = mae::configs::vit_base_patch16;

template <mae::model_config Config>
struct config_constant {
  static constexpr mae::model_config value = Config;
};

/// body(config_constant of the model of that name); false when there is none.
template <class Body>
bool with_config(std::string const& name, Body const& body) {
  if (name == "tiny4") return body(config_constant<tiny4>{}), true;
  if (name == "tiny2") return body(config_constant<tiny2>{}), true;
  if (name == "base16") return body(config_constant<base16>{}), true;
  return false;
}

/// The operations of blocks for one image of so many tokens: multiply-adds as two; norms and
/// activations left out.
inline double stack_flops(mae::stack_config const& stack, double tokens) {
  auto const width = static_cast<double>(stack.width);
  return static_cast<double>(stack.depth) *
         (24 * tokens * width * width + 4 * tokens * tokens * width);
}

/// The operations of the encoder for one unmasked image.
inline double encoder_flops(mae::model_config const& config) {
  auto const patches = static_cast<double>(config.num_patches());
  return stack_flops(config.encoder, patches + 1) +
         2 * patches * static_cast<double>(config.patch_values() * config.encoder.width);
}

/// The operations of a training step for one image of the plain model: backward as twice forward;
/// what is skipped still counted.
inline double step_flops(mae::model_config const& config) {
  auto const patches = static_cast<double>(config.num_patches());
  auto const values = static_cast<double>(config.patch_values());
  double const visible = static_cast<double>(config.num_patches() / 4) + 1;
  auto const width = static_cast<double>(config.encoder.width);
  auto const narrow = static_cast<double>(config.decoder.width);
  return 3 * (stack_flops(config.encoder, visible) + stack_flops(config.decoder, patches + 1) +
              2 * patches * values * width + 2 * visible * width * narrow +
              2 * (patches + 1) * narrow * values);
}

/// Those of the encoder alone.
inline double encoder_step_flops(mae::model_config const& config) {
  auto const patches = static_cast<double>(config.num_patches());
  double const visible = static_cast<double>(config.num_patches() / 4) + 1;
  return 3 * (stack_flops(config.encoder, visible) +
              2 * patches * static_cast<double>(config.patch_values() * config.encoder.width));
}

inline mae::memory_dataset<std::uint8_t> noise_images(mae::index_t count,
                                                      mae::image_extent extent,
                                                      mae::image_labels labels = {}) {
  mae::random_stream random{mae::stream_key{}};
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * extent.values()));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.below(256));
  return {std::move(pixels), {.extent = extent}, std::move(labels)};
}

}  // namespace benchmarks
