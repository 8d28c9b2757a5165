#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// Resamples 8-bit images as PIL does: along the rows, then along the columns, and after each pass
/// values are whole numbers of [0, 255] again. Owns its scratch memory: one object for each thread.
class byte_resizer {
 public:
  /// `source` and `target` as for image_resizer, of values in [0, 255].
  void operator()(image_view<float const> source,
                  image_crop const& crop,
                  interpolation kind,
                  image_view<float> target) {
    image_extent const between{crop.box.height, target.extent.width, target.extent.channels};
    between_.resize(static_cast<std::size_t>(between.values()));
    resize_(source, crop, kind, {between_, between});
    round(between_);
    resize_({between_, between}, {.box = {0, 0, between.height, between.width}}, kind, target);
    round(target.pixels);
  }

 private:
  static void round(std::span<float> values) {
    constexpr float largest = 255.0F;
    for (float& value : values) value = std::floor(std::clamp(value, 0.0F, largest) + 0.5F);
  }

  image_resizer resize_;
  std::vector<float> between_;
};

}  // namespace mae
