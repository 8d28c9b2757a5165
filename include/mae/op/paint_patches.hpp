#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <cmath>
#include <cstddef>
#include <span>

namespace mae {

/// In what units a painter predicts a patch's pixels: the network's input units, or about the mean
/// of the true patch, in its deviation sqrt(unbiased variance + epsilon), as normalised_pixels has
/// it.
struct painted_units {
  bool are_of_patch = false;
  double epsilon = 1e-6;

  friend bool operator==(painted_units const&, painted_units const&) = default;
};

inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct patch_moments {
  T mean = 0;
  T deviation = 1;
};

/// Of one of the true patches (N, P), from the units of predictions to the network's input.
template <class T>
struct painted_scale {
  matrix_view<T const> truth;
  bool are_of_patch;
  T epsilon;

  template <class Block>
  MAE_HOST_DEVICE patch_moments<T> operator()(Block const& block, index_t patch) const {
    if (!are_of_patch) return {};
    T const* const in = truth.data + patch * truth.stride;
    T const count = static_cast<T>(truth.cols);
    T const freedom = truth.cols > 1 ? count - T{1} : T{1};
    T const mean = block.template sum<T>(truth.cols, [&](index_t i) { return in[i]; }) / count;
    T const squares = block.template sum<T>(
        truth.cols, [&](index_t i) { return (in[i] - mean) * (in[i] - mean); });
    return {mean, std::sqrt(squares / freedom + epsilon)};
  }
};

template <class T>
struct paint_patch_row {
  painted_scale<T> scale;
  std::span<index_t const> places;
  matrix_view<T const> predictions;
  matrix_view<T> picture;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const place = places[static_cast<std::size_t>(row)];
    auto const of = scale(block, place);
    T const* const in = predictions.data + row * predictions.stride;
    T* const out = picture.data + place * picture.stride;
    block.for_each(picture.cols, [&](index_t i) { out[i] = in[i] * of.deviation + of.mean; });
  }
};

template <class T>
struct paint_patch_row_grad {
  painted_scale<T> scale;
  std::span<index_t const> places;
  matrix_view<T const> picture_grad;
  T const* factor;
  matrix_view<T> predictions_grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const place = places[static_cast<std::size_t>(row)];
    T const times = *factor * scale(block, place).deviation;
    T const* const in = picture_grad.data + place * picture_grad.stride;
    T* const out = predictions_grad.data + row * predictions_grad.stride;
    block.for_each(picture_grad.cols, [&](index_t i) { out[i] += times * in[i]; });
  }
};

}  // namespace kernel

/// Paints predictions (rows, P) over patches of pictures (patches, P), in the network's input
/// units: row r at places[r], which holds no patch twice. truth (patches, P): the true pictures.
template <Lane L, class T = scalar_of<L>>
void paint_patches_forward(L const& lane,
                           matrix_view<scalar_of<L> const> truth,
                           painted_units const& units,
                           std::span<index_t const> places,
                           matrix_view<scalar_of<L> const> predictions,
                           matrix_view<scalar_of<L>> picture) {
  assert(std::ssize(places) == predictions.rows && predictions.cols == picture.cols);
  lane.for_rows(
      predictions.rows,
      kernel::paint_patch_row<T>{{truth, units.are_of_patch, static_cast<T>(units.epsilon)},
                                 places,
                                 predictions,
                                 picture});
}

/// Adds *factor times the gradient of the predictions to predictions_grad (rows, P), given that of
/// the pictures (patches, P). The factor lies in the lane's memory, as that of add_times.
template <Lane L, class T = scalar_of<L>>
void paint_patches_backward(L const& lane,
                            matrix_view<scalar_of<L> const> truth,
                            painted_units const& units,
                            std::span<index_t const> places,
                            matrix_view<scalar_of<L> const> picture_grad,
                            scalar_of<L> const* factor,
                            matrix_view<scalar_of<L>> predictions_grad) {
  assert(std::ssize(places) == predictions_grad.rows && picture_grad.cols == predictions_grad.cols);
  lane.for_rows(
      predictions_grad.rows,
      kernel::paint_patch_row_grad<T>{{truth, units.are_of_patch, static_cast<T>(units.epsilon)},
                                      places,
                                      picture_grad,
                                      factor,
                                      predictions_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
