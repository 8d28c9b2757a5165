#include "encoders.hpp"

#include "feature_encoder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace serve {
namespace {

using bytes_view = std::span<std::uint8_t const>;
using byte_images = mae::memory_dataset<std::uint8_t>;

feature_function open_fp32(mae::pretrained_model const& model,
                           std::shared_ptr<mae::thread_pool> threads) {
  auto const encoder = std::make_shared<tools::feature_encoder const>(model, std::move(threads));
  return [encoder, extent = model.sizes.image](bytes_view images) {
    pretrain::image_set const set(byte_images::view(images, {.extent = extent}));
    return encoder->features(
        set, mae::pooling::both, [](mae::index_t) { return std::string("a picture"); });
  };
}

feature_function open_bf16(mae::pretrained_model const& model,
                           std::shared_ptr<mae::thread_pool> threads) {
  using backend = mae::eigen_backend<mae::bfloat16>;
  auto const encoder = std::make_shared<mae::sized_encoder<backend> const>(
      mae::open_pretrained_encoder(model, backend(std::move(threads))));
  return [encoder, extent = model.sizes.image](bytes_view images) {
    auto features =
        encoder->features(byte_images::view(images, {.extent = extent}), mae::pooling::both);
    if (!std::ranges::all_of(features, [](float value) { return std::isfinite(value); }))
      throw mae::config_error("a picture: its features are not finite in bf16");
    return features;
  };
}

}  // namespace

feature_function open_encoder(mae::pretrained_model const& model,
                              precision_choice precision,
                              std::shared_ptr<mae::thread_pool> threads) {
  switch (precision) {
    case precision_choice::bf16:
      return open_bf16(model, std::move(threads));
    case precision_choice::fp32:
      break;
  }
  return open_fp32(model, std::move(threads));
}

}  // namespace serve
