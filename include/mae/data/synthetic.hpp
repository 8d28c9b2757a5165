#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/figures.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/synthetic_scene.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// Images made by the program, for a first run without any download: figures of ten classes, told
/// apart by outline and texture, at random places, sizes, angles and colours, over a patterned,
/// grainy background. Image i depends on seed, extent and i alone; its class is i mod 10.
class synthetic_dataset {
 public:
  /// Throws config_error for an impossible extent or fewer than one image.
  synthetic_dataset(index_t size,
                    std::uint64_t seed,
                    image_extent const& extent = {.height = 32, .width = 32, .channels = 3})
      : size_(size), seed_(seed), extent_(extent) {
    require_valid(extent);
    if (size < 1)
      throw config_error("a synthetic dataset of " + std::to_string(size) +
                         " images: it needs at least one");
  }

  image_extent extent() const noexcept { return extent_; }
  index_t size() const noexcept { return size_; }
  double pixel_scale() const noexcept { return 1.0 / levels; }
  index_t num_classes() const noexcept { return figure_count; }
  index_t label(index_t index) const {
    assert(index >= 0 && index < size_);
    return index % figure_count;
  }

  /// Of the rule that makes the images.
  std::uint64_t fingerprint() const {
    return fingerprint_hash{}.add(size_).add(seed_).add(extent_).value();
  }

  /// The points of every figure: its middle, and those of its pixels that lie farthest out.
  static constexpr std::array<char const*, 5> point_names{
      "centre", "left", "right", "top", "bottom"};
  /// Which of them take each other's place in a mirror image.
  static mirror_partners point_partners() { return {0, 2, 1, 3, 4}; }

  /// Of each pixel whether the background is there (0) or the figure covers it by half or more (its
  /// class + 1); and the points, an outer one being the middle of the figure's pixels in the row or
  /// column that is farthest out.
  void annotate(index_t index, annotation& to) const {
    canvas const painted(*this, index);
    auto const figure = static_cast<std::uint8_t>(label(index) + 1);
    to.mask.resize(static_cast<std::size_t>(extent_.pixels()));
    auto* pixel = to.mask.data();
    for (index_t y = 0; y < extent_.height; ++y)
      for (index_t x = 0; x < extent_.width; ++x)
        *pixel++ = painted.colour_at.covers(painted.at(x, y)) ? figure : std::uint8_t{0};
    auto const middle = painted.scene.centre;
    auto const outer = outer_points(to.mask);
    to.points.resize(1 + outer.size());
    to.points[0] = {(middle.x + painted.half.x) / painted.pixel,
                    (middle.y + painted.half.y) / painted.pixel,
                    true};
    for (std::size_t j = 0; j < outer.size(); ++j) to.points[1 + j] = outer[j];
  }

  /// Paints image `index`; `pixels` (H, W, C), multiples of 1/255 in [0, 1].
  void read(index_t index, std::span<float> pixels) const {
    assert(static_cast<index_t>(pixels.size()) == extent_.values());
    canvas painted(*this, index);
    float* value = pixels.data();
    for (index_t y = 0; y < extent_.height; ++y)
      for (index_t x = 0; x < extent_.width; ++x) {
        detail::rgb const colour = painted.colour_at(painted.at(x, y));
        float const grain = painted.scene.grain * triangular(painted.random.word());
        for (index_t c = 0; c < extent_.channels; ++c)
          *value++ = quantised(detail::channel_value(colour, c, extent_.channels) + grain);
      }
  }

 private:
  static constexpr float levels = 255.0F;

  /// An image's scene, and where its pixels lie in it.
  struct canvas {
    canvas(synthetic_dataset const& of, index_t index)
        : random({.seed = of.seed_,
                  .use = purpose::synthetic,
                  .index = static_cast<std::uint64_t>(index)}),
          pixel(2.0F / static_cast<float>(std::min(of.extent_.height, of.extent_.width))),
          half{0.5F * pixel * static_cast<float>(of.extent_.width),
               0.5F * pixel * static_cast<float>(of.extent_.height)},
          scene(detail::draw_scene(static_cast<figure>(of.label(index)), half, random)),
          colour_at(scene, pixel) {}
    canvas(canvas const&) = delete;
    canvas& operator=(canvas const&) = delete;
    ~canvas() = default;

    /// A pixel's middle.
    detail::point at(index_t x, index_t y) const {
      return {pixel * (static_cast<float>(x) + 0.5F) - half.x,
              pixel * (static_cast<float>(y) + 0.5F) - half.y};
    }

    random_stream random;
    float pixel;
    detail::point half;
    detail::scene scene;
    detail::scene_painter colour_at;
  };

  /// The leftmost, rightmost, topmost and bottommost of a figure's pixels.
  std::array<keypoint, 4> outer_points(std::vector<std::uint8_t> const& mask) const {
    struct edge {
      index_t at = -1;  // the row or column
      index_t sum = 0;  // of the other coordinate, of its pixels
      index_t count = 0;

      void meet(index_t where, index_t along, bool is_farther) {
        if (at >= 0 && where != at && !is_farther) return;
        if (where != at) *this = {where, 0, 0};
        sum += along;
        ++count;
      }
      float middle() const { return static_cast<float>(sum) / static_cast<float>(count) + 0.5F; }
      float place() const { return static_cast<float>(at) + 0.5F; }
    };
    std::array<edge, 4> edges;
    auto& [left, right, top, bottom] = edges;
    for (index_t y = 0; y < extent_.height; ++y)
      for (index_t x = 0; x < extent_.width; ++x) {
        if (mask[static_cast<std::size_t>(y * extent_.width + x)] == 0) continue;
        left.meet(x, y, x < left.at);
        right.meet(x, y, x > right.at);
        top.meet(y, x, y < top.at);
        bottom.meet(y, x, y > bottom.at);
      }
    if (left.count == 0) return {};
    return {{{left.place(), left.middle(), true},
             {right.place(), right.middle(), true},
             {top.middle(), top.place(), true},
             {bottom.middle(), bottom.place(), true}}};
  }

  /// The sum of two uniform numbers of 16 bits, in [-1, 1).
  static float triangular(std::uint32_t word) {
    return static_cast<float>((word >> 16U) + (word & 0xFFFFU)) * 0x1p-16F - 1.0F;
  }

  static float quantised(float value) {
    return std::floor(std::clamp(value, 0.0F, 1.0F) * levels + 0.5F) / levels;
  }

  index_t size_;
  std::uint64_t seed_;
  image_extent extent_;
};

static_assert(AnnotatedDataset<synthetic_dataset>);

}  // namespace mae
