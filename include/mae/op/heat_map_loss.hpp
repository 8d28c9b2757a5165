#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <cmath>
#include <iterator>
#include <span>

namespace mae {

/// What a heat map is to be: a Gaussian around a point.
struct heat_map_target {
  map_shape map;
  double sigma = 1.5;  // in cells
};

/// A label of the heat maps: the point's x and y in cells of the map, from its top left corner, and
/// whether it is to be learnt (1) or not (0).
inline constexpr index_t heat_map_label_width = 3;

inline namespace MAE_ISA {

namespace kernel {

/// One map of an image, and its point.
template <class T>
struct heat_map {
  T const* values;  // `stride` apart
  index_t stride = 0;
  map_shape shape;
  T const* label;
  T rate;  // 1 / (2 sigma^2)

  MAE_HOST_DEVICE T value(index_t cell) const { return values[cell * stride]; }
  /// The logarithm of the Gaussian, but for a constant.
  MAE_HOST_DEVICE T wanted(index_t cell) const {
    index_t const row = cell / shape.columns;
    T const x = static_cast<T>(cell % shape.columns) + T(0.5) - label[0];
    T const y = static_cast<T>(row) + T(0.5) - label[1];
    return -(x * x + y * y) * rate;
  }
  MAE_HOST_DEVICE bool counts() const { return label[2] > T{0}; }
};

template <class T>
struct heat_map_rows {
  matrix_view<T const> maps;
  map_shape shape;
  T const* labels;
  T rate;

  MAE_HOST_DEVICE heat_map<T> of(index_t row) const {
    index_t const image = row / maps.cols;
    return {maps.data + image * shape.size() * maps.stride + row % maps.cols,
            maps.stride,
            shape,
            labels + row * heat_map_label_width,
            rate};
  }
};

template <class T>
struct heat_map_loss_row {
  heat_map_rows<T> rows;
  T* losses;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    auto const map = rows.of(row);
    if (!map.counts()) {
      block.single([&] { losses[row] = T{0}; });
      return;
    }
    index_t const cells = map.shape.size();
    T const most = block.template max<T>(cells, [&](index_t i) { return map.value(i); });
    T const sum =
        block.template sum<T>(cells, [&](index_t i) { return std::exp(map.value(i) - most); });
    T const mass = block.template sum<T>(cells, [&](index_t i) { return std::exp(map.wanted(i)); });
    T const apart = block.template sum<T>(cells, [&](index_t i) {
      return std::exp(map.wanted(i)) * (map.wanted(i) - map.value(i) + most);
    });
    block.single([&] { losses[row] = apart / mass - std::log(mass) + std::log(sum); });
  }
};

template <class T>
struct heat_map_loss_grad {
  heat_map_rows<T> rows;
  matrix_view<T> grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    auto const map = rows.of(row);
    index_t const cells = map.shape.size();
    T* const out = grad.data + row / grad.cols * cells * grad.stride + row % grad.cols;
    if (!map.counts()) {
      block.for_each(cells, [&](index_t i) { out[i * grad.stride] = T{0}; });
      return;
    }
    T const most = block.template max<T>(cells, [&](index_t i) { return map.value(i); });
    T const sum =
        block.template sum<T>(cells, [&](index_t i) { return std::exp(map.value(i) - most); });
    T const mass = block.template sum<T>(cells, [&](index_t i) { return std::exp(map.wanted(i)); });
    block.barrier();  // out may be the map: all sums are done before the first value changes
    block.for_each(cells, [&](index_t i) {
      out[i * grad.stride] = std::exp(map.value(i) - most) / sum - std::exp(map.wanted(i)) / mass;
    });
  }
};

template <class T>
heat_map_rows<T> heat_maps(heat_map_target const& target,
                           matrix_view<T const> maps,
                           matrix_view<T const> labels) {
  assert(labels.cols == heat_map_label_width && labels.stride == heat_map_label_width);
  assert(labels.rows * target.map.size() == maps.rows * maps.cols);
  return {maps, target.map, labels.data, static_cast<T>(1 / (2 * target.sigma * target.sigma))};
}

}  // namespace kernel

/// losses[b J + j] = the Kullback-Leibler divergence of the softmax of image b's map j, over its
/// cells, from a Gaussian around the point, cut off at the map's edge (as Lightning Pose's
/// heatmap_kl, Biderman et al. 2024); 0 for a point that does not count. maps (B * cells, J);
/// labels (B * J, 3): see heat_map_label_width.
template <Lane L, class T = scalar_of<L>>
void heat_map_loss_forward(L const& lane,
                           heat_map_target const& target,
                           matrix_view<scalar_of<L> const> maps,
                           matrix_view<scalar_of<L> const> labels,
                           std::span<scalar_of<L>> losses) {
  assert(std::ssize(losses) >= labels.rows);
  lane.for_rows(
      labels.rows,
      kernel::heat_map_loss_row<T>{kernel::heat_maps<T>(target, maps, labels), losses.data()});
}

/// The gradient of the *sum* of all losses; `grad` may be `maps`.
template <Lane L, class T = scalar_of<L>>
void heat_map_loss_backward(L const& lane,
                            heat_map_target const& target,
                            matrix_view<scalar_of<L> const> maps,
                            matrix_view<scalar_of<L> const> labels,
                            matrix_view<scalar_of<L>> grad) {
  assert(grad.rows == maps.rows && grad.cols == maps.cols);
  lane.for_rows(labels.rows,
                kernel::heat_map_loss_grad<T>{kernel::heat_maps<T>(target, maps, labels), grad});
}

}  // namespace MAE_ISA
}  // namespace mae
