#include "encoders.hpp"

#include "attention_view.hpp"
#include "feature_encoder.hpp"
#include "feature_precision.hpp"

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/pooling.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace serve {
namespace {

using mae::index_t;
using bytes_view = std::span<std::uint8_t const>;
using byte_images = mae::memory_dataset<std::uint8_t>;

std::string name_of_one(index_t /*number*/) {
  return "a picture";
}

/// Of one image, from a block's input (S, D): (H, S, S), or (S, S) of the heads' mean.
void put_attention(tools::attention_source const& source,
                   attention_asked const& asked,
                   mae::matrix_view<float const> input,
                   std::span<float> out) {
  auto const share = 1 / static_cast<float>(source.sizes.encoder.heads);
  auto const take = [&](index_t head, std::span<float const> of_head) {
    if (asked.each_head) {
      std::ranges::copy(of_head, out.begin() + head * std::ssize(of_head));
      return;
    }
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += share * of_head[i];
  };
  tools::visit_probabilities(source, asked.block, input, take);
}

served_encoder open_int8(mae::pretrained_model const& model,
                         std::shared_ptr<mae::thread_pool> threads) {
  auto const encoder = std::make_shared<tools::feature_encoder const>(
      model, std::move(threads), tools::feature_precision::int8);
  auto const set_of = [extent = model.sizes.image](bytes_view images) {
    return pretrain::image_set(byte_images::view(images, {.extent = extent}));
  };
  return {
      .activations = encoder->activations(),
      .features =
          [encoder, set_of](bytes_view images) {
            return encoder->features(set_of(images), mae::pooling::both, name_of_one);
          },
      .tokens = [encoder, set_of](
                    bytes_view images) { return encoder->tokens(set_of(images), name_of_one); }};
}

std::vector<float> finite(std::vector<float> values) {
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
    throw mae::config_error(
        "a picture: what is computed of it is not finite: the checkpoint's weights or its pixels' "
        "statistics are beyond what these numbers can hold");
  return values;
}

/// An encoder that keeps its weights as floats beside those that products read.
template <class Number>
class exact_encoder {
  using backend = mae::eigen_backend<Number>;

 public:
  exact_encoder(mae::pretrained_model const& model, std::shared_ptr<mae::thread_pool> threads)
      : encoder_(mae::open_pretrained_encoder(model, backend(std::move(threads)))) {}

  std::vector<float> features(bytes_view images) const {
    return finite(encoder_.features(set_of(images), mae::pooling::both));
  }

  std::vector<float> tokens(bytes_view images) const {
    auto const set = set_of(images);
    index_t const each = encoder_.num_tokens() * encoder_.sizes().encoder.width;
    index_t const last = encoder_.sizes().encoder.depth;
    std::vector<float> all(static_cast<std::size_t>(set.size() * each));
    encoder_.encode_blocks(
        set, {last, last}, [&](index_t image, index_t, mae::matrix_view<float const> of) {
          std::copy_n(of.data, each, all.data() + image * each);
        });
    return finite(std::move(all));
  }

  /// Not const: for as long as it takes, blocks give their tokens without the final norm.
  std::vector<float> attention(bytes_view images, attention_asked const& asked) {
    auto const set = set_of(images);
    auto const& sizes = encoder_.sizes();
    auto const source = tools::attention_source_of(encoder_);
    index_t const tokens = encoder_.num_tokens();
    index_t const heads = asked.each_head ? sizes.encoder.heads : 1;
    index_t const each = heads * tokens * tokens;
    std::vector<float> all(static_cast<std::size_t>(set.size() * each));
    auto const look = [&](index_t image, index_t, mae::matrix_view<float const> input) {
      put_attention(source,
                    asked,
                    input,
                    std::span(all).subspan(static_cast<std::size_t>(image * each),
                                           static_cast<std::size_t>(each)));
    };
    if (asked.block > 0) {
      without_norm const as_they_are(encoder_);
      encoder_.encode_blocks(set, {asked.block, asked.block}, look);
      return finite(std::move(all));
    }
    std::vector<float> pixels(static_cast<std::size_t>(sizes.image.values()));
    std::vector<float> first(static_cast<std::size_t>(tokens * sizes.encoder.width));
    for (index_t image = 0; image < set.size(); ++image) {
      set.read(image, pixels);
      mae::matrix_view<float> const input(first.data(), tokens, sizes.encoder.width);
      tools::put_first_input(source, pixels, input);
      look(image, 0, input);
    }
    return finite(std::move(all));
  }

 private:
  using encoder_type = mae::sized_encoder<backend>;

  class without_norm {
   public:
    explicit without_norm(encoder_type& encoder) : encoder_(encoder), place_(encoder.final_norm()) {
      encoder_.set_final_norm(mae::norm_place::pooled);
    }
    without_norm(without_norm const&) = delete;
    without_norm& operator=(without_norm const&) = delete;
    ~without_norm() { encoder_.set_final_norm(place_); }

   private:
    encoder_type& encoder_;
    mae::norm_place place_;
  };

  byte_images set_of(bytes_view images) const {
    return byte_images::view(images, {.extent = encoder_.sizes().image});
  }

  encoder_type encoder_;
};

template <class Number>
served_encoder open_exact(mae::pretrained_model const& model,
                          std::shared_ptr<mae::thread_pool> threads) {
  auto const encoder = std::make_shared<exact_encoder<Number>>(model, std::move(threads));
  return {.activations = mae::precision_name<Number>,
          .features = [encoder](bytes_view images) { return encoder->features(images); },
          .tokens = [encoder](bytes_view images) { return encoder->tokens(images); },
          .attention =
              [encoder](bytes_view images, attention_asked const& asked) {
                return encoder->attention(images, asked);
              }};
}

}  // namespace

served_encoder open_encoder(mae::pretrained_model const& model,
                            precision_choice precision,
                            std::shared_ptr<mae::thread_pool> threads) {
  switch (precision) {
    case precision_choice::bf16:
      return open_exact<mae::bfloat16>(model, std::move(threads));
    case precision_choice::int8:
      return open_int8(model, std::move(threads));
    case precision_choice::fp32:
      break;
  }
  return open_exact<float>(model, std::move(threads));
}

}  // namespace serve
