#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mae {

/// A point of an image in pixels, x to the right and y downwards from the top left corner of the
/// top left pixel, whose centre is (0.5, 0.5). One that is not visible is anywhere.
struct keypoint {
  float x = 0;
  float y = 0;
  bool visible = false;

  friend bool operator==(keypoint const&, keypoint const&) = default;
};

/// What is said of the places of an image.
struct annotation {
  std::vector<std::uint8_t> mask;  // (H, W), each pixel's class; empty where none is said
  std::vector<keypoint> points;    // as many in each image of a dataset, or none
};

/// The value of a mask that says nothing of a pixel.
inline constexpr std::uint8_t unlabelled_pixel = 255;

/// A dataset whose images are annotated: `annotate` writes what is said of image `index`, whose
/// extent is the dataset's. Called from several threads at once, each with an annotation of its
/// own, so that vectors keep their room.
template <class D>
concept AnnotatedDataset = Dataset<D> && requires(D const& dataset, index_t index, annotation& to) {
  { dataset.annotate(index, to) } -> std::same_as<void>;
};

/// Which point of an image is seen in another's place in its mirror image: partner[j] for point j,
/// itself where it lies on the axis.
using mirror_partners = std::vector<index_t>;

/// Where a point of an image is seen in a view of it, that is a crop resized to (height, width).
/// What lies outside is not visible.
inline keypoint seen_in(image_crop const& view, map_shape const& seen, keypoint const& point) {
  auto const& box = view.box;
  auto const rows = static_cast<float>(seen.rows);
  auto const columns = static_cast<float>(seen.columns);
  keypoint moved = point;
  moved.x = (point.x - static_cast<float>(box.left)) * columns / static_cast<float>(box.width);
  moved.y = (point.y - static_cast<float>(box.top)) * rows / static_cast<float>(box.height);
  moved.visible =
      point.visible && moved.x >= 0 && moved.x < columns && moved.y >= 0 && moved.y < rows;
  if (view.mirrored) moved.x = columns - moved.x;
  return moved;
}

/// The pixel of a mask (H, W) that is nearest to the centre of pixel (row, column) of a view.
inline index_t nearest_pixel(image_crop const& view,
                             map_shape const& seen,
                             index_t mask_width,
                             index_t row,
                             index_t column) {
  auto const& box = view.box;
  if (view.mirrored) column = seen.columns - 1 - column;
  index_t const y = box.top + (2 * row + 1) * box.height / (2 * seen.rows);
  index_t const x = box.left + (2 * column + 1) * box.width / (2 * seen.columns);
  return y * mask_width + x;
}

}  // namespace mae
