#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/dataset.hpp>
#include <mae/eval/head_outputs.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

namespace mae {

/// The masks that the head number `I` of a model, a segmenter, makes of a dataset's images: of each
/// pixel the class with the highest score, of equals the first (n, H, W). Throws as
/// for_each_output.
template <std::size_t I, Trainable Model, Dataset D>
std::vector<std::uint8_t> predicted_masks(Model const& model, D const& dataset) {
  using T = typename Model::scalar;
  index_t const pixels = dataset.extent().pixels();
  std::vector<std::uint8_t> masks(static_cast<std::size_t>(dataset.size() * pixels));
  for_each_output<I>(
      model, dataset, [&](index_t first, index_t /*count*/, matrix_view<T const> scores) {
        for (index_t pixel = 0; pixel < scores.rows; ++pixel) {
          auto const row = scores.row(pixel);
          masks[static_cast<std::size_t>(first * pixels + pixel)] =
              static_cast<std::uint8_t>(std::ranges::max_element(row) - row.begin());
        }
      });
  return masks;
}

/// Where a point was found, and how sure that is: the share of its map that lies around it.
struct found_keypoint {
  float x = 0;
  float y = 0;
  float confidence = 0;
};

/// The point that a heat map tells of (cells `stride` apart, before a softmax), in cells: the mean
/// of the softmax within `reach` cells of its maximum, of equals the first, both ways.
template <class T>
found_keypoint find_peak(T const* map, index_t stride, map_shape const& shape, index_t reach) {
  index_t peak = 0;
  for (index_t i = 1; i < shape.size(); ++i)
    if (map[i * stride] > map[peak * stride]) peak = i;
  double all = 0;
  for (index_t i = 0; i < shape.size(); ++i)
    all += std::exp(static_cast<double>(map[i * stride] - map[peak * stride]));
  double mass = 0;
  double x = 0;
  double y = 0;
  index_t const top = peak / shape.columns;
  index_t const left = peak % shape.columns;
  for (index_t row = std::max(top - reach, index_t{0});
       row <= std::min(top + reach, shape.rows - 1);
       ++row)
    for (index_t column = std::max(left - reach, index_t{0});
         column <= std::min(left + reach, shape.columns - 1);
         ++column) {
      double const share = std::exp(
          static_cast<double>(map[(row * shape.columns + column) * stride] - map[peak * stride]));
      mass += share;
      x += share * (static_cast<double>(column) + 0.5);
      y += share * (static_cast<double>(row) + 0.5);
    }
  return {
      static_cast<float>(x / mass), static_cast<float>(y / mass), static_cast<float>(mass / all)};
}

/// The points that the head number `I` of a model, keypoints, finds in a dataset's images (n, J),
/// in pixels as a keypoint's. Throws as for_each_output.
template <std::size_t I, Trainable Model, Dataset D>
std::vector<found_keypoint> predicted_keypoints(Model const& model, D const& dataset) {
  using T = typename Model::scalar;
  auto const& head = std::get<I>(model.sizes().heads);
  auto const map = head.target().map;
  auto const reach = static_cast<index_t>(std::ceil(2 * head.sigma));
  auto const extent = dataset.extent();
  float const x_scale = static_cast<float>(extent.width) / static_cast<float>(map.columns);
  float const y_scale = static_cast<float>(extent.height) / static_cast<float>(map.rows);
  std::vector<found_keypoint> points(static_cast<std::size_t>(dataset.size() * head.points));
  for_each_output<I>(model, dataset, [&](index_t first, index_t count, matrix_view<T const> maps) {
    for (index_t i = 0; i < count * head.points; ++i) {
      T const* const values =
          maps.data + i / head.points * map.size() * maps.stride + i % head.points;
      auto const found = find_peak(values, maps.stride, map, reach);
      points[static_cast<std::size_t>(first * head.points + i)] = {
          x_scale * found.x, y_scale * found.y, found.confidence};
    }
  });
  return points;
}

}  // namespace mae
