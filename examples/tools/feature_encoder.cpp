#include "feature_encoder.hpp"

#include "encoding.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/data/subset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>

#include <utility>

namespace tools {

using backend = mae::eigen_backend<float>;

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
  return pretrain::encode_in_parts(count, part, progress, [] { return false; });
}

}  // namespace tools
