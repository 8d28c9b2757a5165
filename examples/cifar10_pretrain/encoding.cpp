#include "encoding.hpp"

#include <mae/core/clock.hpp>

#include <algorithm>
#include <string>

namespace pretrain {
namespace {

std::string describe(mae::index_t encoded, mae::index_t count, double seconds) {
  double const images_per_second = static_cast<double>(encoded) / std::max(seconds, 1e-9);
  double const left = static_cast<double>(count - encoded) / images_per_second;
  return "encoded " + std::to_string(encoded) + "/" + std::to_string(count) + "  " +
         std::to_string(static_cast<mae::index_t>(images_per_second)) + " images/s  left " +
         format_duration(left);
}

}  // namespace

std::vector<float> encode_in_parts(mae::index_t count,
                                   part_encoder const& part,
                                   progress_line& progress,
                                   std::function<bool()> const& should_stop) {
  double const start = mae::monotonic_seconds();
  std::vector<float> all;
  for (mae::index_t first = 0; first < count && !should_stop(); first += part.images) {
    mae::index_t const size = std::min(part.images, count - first);
    auto const features = part.features(first, size);
    all.insert(all.end(), features.begin(), features.end());
    mae::index_t const encoded = first + size;
    progress.show(static_cast<double>(encoded) / static_cast<double>(count),
                  describe(encoded, count, mae::monotonic_seconds() - start));
  }
  progress.finish();
  return all;
}

}  // namespace pretrain
