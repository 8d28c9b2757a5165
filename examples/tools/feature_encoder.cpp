#include "feature_encoder.hpp"

#include "encoding.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/quantised_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/subset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/quantised_encoder.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace tools {

namespace {

template <class Operand>
using encoder_of = mae::sized_encoder<mae::eigen_backend<Operand>>;

/// Throws config_error for the first image whose features are not finite.
template <class T>
void require_finite(std::span<T const> features, mae::index_t width, image_name const& name_of) {
  auto const bad = std::ranges::find_if(
      features, [](T value) { return !std::isfinite(static_cast<float>(value)); });
  if (bad == features.end()) return;
  throw mae::config_error(name_of((bad - features.begin()) / width) +
                          ": its features are not finite: the checkpoint's weights or "
                          "its pixels' statistics are beyond what float can compute with");
}

}  // namespace

/// The encoder in the precision that was asked for.
struct feature_encoder::parts {
  std::variant<encoder_of<float>, encoder_of<mae::bfloat16>, mae::quantised_encoder> either;

  static parts open(mae::pretrained_model const& model,
                    std::shared_ptr<mae::thread_pool> threads,
                    feature_precision precision) {
    auto const on = [&](auto backend) {
      return parts{mae::open_pretrained_encoder(model, std::move(backend))};
    };
    switch (precision) {
      case feature_precision::int8:
        return on(mae::quantised_backend(std::move(threads)));
      case feature_precision::bf16:
        return on(mae::eigen_backend<mae::bfloat16>(std::move(threads)));
      case feature_precision::fp32:
        break;
    }
    return on(mae::eigen_backend<float>(std::move(threads)));
  }
  template <class Visit>
  auto visit(Visit const& visited) const {
    return std::visit(visited, either);
  }
  /// Likewise where something is encoded.
  template <class Visit>
  auto encode(Visit const& visited) const {
    try {
      return visit(visited);
    } catch (mae::numeric_error const& error) {
      throw mae::config_error(std::string(error.what()) +
                              "; where it is an image's, --precision fp32 tells of which");
    }
  }
  mae::model_config const& sizes() const {
    return *visit([](auto const& encoder) { return &encoder.sizes(); });
  }
};

feature_encoder::feature_encoder(mae::pretrained_model const& model,
                                 std::shared_ptr<mae::thread_pool> threads,
                                 feature_precision precision)
    : parts_(new parts(parts::open(model, std::move(threads), precision))) {}
feature_encoder::~feature_encoder() = default;

std::string feature_encoder::activations() const {
  return parts_->visit([](auto const& encoder) -> char const* {
    if constexpr (requires { encoder.backend().activations(); })
      return encoder.backend().activations();
    else
      return encoder.backend().precision();
  });
}

mae::index_t feature_encoder::width(mae::pooling pool) const {
  return parts_->visit([&](auto const& encoder) { return encoder.feature_width(pool); });
}

mae::index_t feature_encoder::depth() const {
  return parts_->sizes().encoder.depth;
}

mae::index_t feature_encoder::patches() const {
  return parts_->sizes().num_patches();
}

mae::index_t feature_encoder::token_width() const {
  return parts_->sizes().encoder.width;
}

mae::index_t feature_encoder::images_of_part() const {
  return parts_->visit([](auto const& encoder) {
    return pretrain::images_of_part(encoder.backend(), encoder.num_tokens());
  });
}

std::vector<float> feature_encoder::features(pretrain::image_set const& images,
                                             mae::pooling pool,
                                             image_name const& name_of) const {
  auto found = parts_->encode([&](auto const& encoder) { return encoder.features(images, pool); });
  require_finite(std::span<float const>(found), width(pool), name_of);
  return found;
}

std::vector<float> feature_encoder::tokens(pretrain::image_set const& images,
                                           image_name const& name_of) const {
  mae::index_t const each = (patches() + 1) * token_width();
  std::vector<float> all(static_cast<std::size_t>(images.size() * each));
  auto const keep = [&](mae::index_t image, mae::index_t, mae::matrix_view<float const> tokens) {
    std::copy_n(tokens.data, each, all.data() + image * each);
  };
  parts_->encode([&](auto const& encoder) {
    encoder.encode_blocks(images, {depth(), depth()}, keep);
  });
  require_finite(std::span<float const>(all), each, name_of);
  return all;
}

std::vector<float> feature_encoder::encode(pretrain::image_set const& images,
                                           mae::index_t count,
                                           mae::pooling pool,
                                           image_name const& name_of,
                                           pretrain::progress_line& progress) const {
  return encode(images, count, pool, {depth(), depth()}, name_of, progress);
}

std::vector<float> feature_encoder::encode(pretrain::image_set const& images,
                                           mae::index_t count,
                                           mae::pooling pool,
                                           mae::block_range blocks,
                                           image_name const& name_of,
                                           pretrain::progress_line& progress,
                                           mae::see_patches const* seen) const {
  auto const part = [&](mae::index_t first, mae::index_t size) {
    mae::see_patches const of_part = [first, seen](mae::index_t image,
                                                   mae::matrix_view<float const> patches,
                                                   mae::mask_plan& plan,
                                                   mae::index_t at) {
      (*seen)(first + image, patches, plan, at);
    };
    auto found = parts_->encode([&](auto const& encoder) {
      return encoder.features(
          mae::subset(images, first, size), pool, blocks, seen == nullptr ? nullptr : &of_part);
    });
    require_finite(std::span<float const>(found),
                   blocks.count() * width(pool),
                   [&](mae::index_t i) { return name_of(first + i); });
    return found;
  };
  return pretrain::encode_in_parts(count, {part, images_of_part()}, progress, [] { return false; });
}

std::vector<mae::bfloat16> feature_encoder::encode_patches(
    pretrain::image_set const& images,
    mae::index_t count,
    mae::index_t block,
    image_name const& name_of,
    pretrain::progress_line& progress) const {
  mae::index_t const each = patches() * token_width();
  std::vector<mae::bfloat16> all(static_cast<std::size_t>(count * each));
  auto const part = [&](mae::index_t first, mae::index_t size) {
    auto const own = std::span(all).subspan(static_cast<std::size_t>(first * each),
                                            static_cast<std::size_t>(size * each));
    auto const keep = [&](mae::index_t image, mae::index_t, mae::matrix_view<float const> tokens) {
      std::transform(tokens.row(1).begin(),  // after the class token
                     tokens.row(1).begin() + each,
                     own.begin() + image * each,
                     [](float value) { return mae::bfloat16(value); });
    };
    parts_->encode([&](auto const& encoder) {
      encoder.encode_blocks(mae::subset(images, first, size), {block, block}, keep);
    });
    require_finite(std::span<mae::bfloat16 const>(own), each, [&](mae::index_t i) {
      return name_of(first + i);
    });
    return std::vector<float>();  // they lie in `all`
  };
  pretrain::encode_in_parts(count, {part, images_of_part()}, progress, [] { return false; });
  return all;
}

}  // namespace tools
