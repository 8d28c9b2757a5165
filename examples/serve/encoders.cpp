#include "encoders.hpp"

#include "feature_encoder.hpp"
#include "feature_precision.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace serve {
namespace {

using bytes_view = std::span<std::uint8_t const>;
using byte_images = mae::memory_dataset<std::uint8_t>;

std::string name_of_one(mae::index_t /*number*/) {
  return "a picture";
}

served_encoder open_float_or_int8(mae::pretrained_model const& model,
                                  tools::feature_precision precision,
                                  std::shared_ptr<mae::thread_pool> threads) {
  auto const encoder =
      std::make_shared<tools::feature_encoder const>(model, std::move(threads), precision);
  auto const set_of = [extent = model.sizes.image](bytes_view images) {
    return pretrain::image_set(byte_images::view(images, {.extent = extent}));
  };
  return {
      .features =
          [encoder, set_of](bytes_view images) {
            return encoder->features(set_of(images), mae::pooling::both, name_of_one);
          },
      .tokens = [encoder, set_of](
                    bytes_view images) { return encoder->tokens(set_of(images), name_of_one); }};
}

std::vector<float> finite(std::vector<float> values) {
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
    throw mae::config_error("a picture: its features are not finite in bf16");
  return values;
}

served_encoder open_bf16(mae::pretrained_model const& model,
                         std::shared_ptr<mae::thread_pool> threads) {
  using backend = mae::eigen_backend<mae::bfloat16>;
  auto const encoder = std::make_shared<mae::sized_encoder<backend> const>(
      mae::open_pretrained_encoder(model, backend(std::move(threads))));
  auto const set_of = [extent = model.sizes.image](bytes_view images) {
    return byte_images::view(images, {.extent = extent});
  };
  auto const tokens = [encoder, set_of](bytes_view images) {
    auto const set = set_of(images);
    auto const& stack = encoder->sizes().encoder;
    mae::index_t const each = encoder->num_tokens() * stack.width;
    std::vector<float> all(static_cast<std::size_t>(set.size() * each));
    encoder->encode_blocks(set,
                           {stack.depth, stack.depth},
                           [&](mae::index_t image, mae::index_t, mae::matrix_view<float const> of) {
                             std::copy_n(of.data, each, all.data() + image * each);
                           });
    return finite(std::move(all));
  };
  return {.features =
              [encoder, set_of](bytes_view images) {
                return finite(encoder->features(set_of(images), mae::pooling::both));
              },
          .tokens = tokens};
}

}  // namespace

served_encoder open_encoder(mae::pretrained_model const& model,
                            precision_choice precision,
                            std::shared_ptr<mae::thread_pool> threads) {
  switch (precision) {
    case precision_choice::bf16:
      return open_bf16(model, std::move(threads));
    case precision_choice::int8:
      return open_float_or_int8(model, tools::feature_precision::int8, std::move(threads));
    case precision_choice::fp32:
      break;
  }
  return open_float_or_int8(model, tools::feature_precision::fp32, std::move(threads));
}

}  // namespace serve
