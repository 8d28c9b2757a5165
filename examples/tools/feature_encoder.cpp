#include "feature_encoder.hpp"

#include "encoding.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/subset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace tools {

using backend = mae::eigen_backend<float>;

namespace {

/// Throws config_error for the first image whose features are not finite.
void require_finite(std::vector<float> const& features, mae::index_t width) {
  auto const bad =
      std::ranges::find_if(features, [](float value) { return !std::isfinite(value); });
  if (bad == features.end()) return;
  throw mae::config_error("image " + std::to_string((bad - features.begin()) / width) +
                          " (from 0): its features are not finite: the checkpoint's weights or "
                          "its pixels' statistics are beyond what float can compute with");
}

}  // namespace

struct feature_encoder::parts {
  mae::sized_encoder<backend> encoder;
};

feature_encoder::feature_encoder(mae::pretrained_model const& model,
                                 std::shared_ptr<mae::thread_pool> threads)
    : parts_(new parts{mae::open_pretrained_encoder(model, backend(std::move(threads)))}) {}
feature_encoder::~feature_encoder() = default;

mae::index_t feature_encoder::width(mae::pooling pool) const {
  return parts_->encoder.feature_width(pool);
}

std::vector<float> feature_encoder::encode(pretrain::image_set const& images,
                                           mae::index_t count,
                                           mae::pooling pool,
                                           pretrain::progress_line& progress) const {
  auto const& encoder = parts_->encoder;
  auto const features = [&](mae::index_t first, mae::index_t size) {
    return encoder.features(mae::subset(images, first, size), pool);
  };
  pretrain::part_encoder const part{
      features, pretrain::images_of_part(encoder.backend(), encoder.num_tokens())};
  auto found = pretrain::encode_in_parts(count, part, progress, [] { return false; });
  require_finite(found, width(pool));
  return found;
}

}  // namespace tools
