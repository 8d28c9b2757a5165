#include "feature_encoder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/clock.hpp>
#include <mae/data/subset.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/model/encoder.hpp>

#include <algorithm>
#include <string>
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
  constexpr mae::index_t images_at_once = 64;
  double const start = mae::monotonic_seconds();
  std::vector<float> all;
  for (mae::index_t first = 0; first < count; first += images_at_once) {
    mae::index_t const size = std::min(images_at_once, count - first);
    auto const features = parts_->encoder.features(mae::subset(images, first, size), pool);
    all.insert(all.end(), features.begin(), features.end());
    auto const encoded = static_cast<double>(first + size);
    double const done = encoded / static_cast<double>(count);
    double const spent = mae::monotonic_seconds() - start;
    progress.show(done,
                  "encoded " + std::to_string(first + size) + "/" + std::to_string(count) + "  " +
                      std::to_string(static_cast<mae::index_t>(encoded / spent)) +
                      " images/s  left " + pretrain::format_duration(spent * (1 - done) / done));
  }
  progress.finish();
  return all;
}

}  // namespace tools
