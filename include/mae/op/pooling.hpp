#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// What an image's feature is made of: the class token, the mean of the patch tokens, or both side
/// by side.
enum class pooling : std::uint8_t { class_token, mean, both };

/// The values of a feature pooled of tokens of `width` values.
constexpr index_t pooled_width(pooling pool, index_t width) {
  return pool == pooling::both ? 2 * width : width;
}

/// Its name, in files.
constexpr char const* name_of(pooling pool) {
  return pool == pooling::both ? "both" : pool == pooling::mean ? "mean" : "class_token";
}

inline namespace MAE_ISA {

namespace kernel {

/// Where the mean of the patch tokens stands in a feature.
MAE_HOST_DEVICE constexpr index_t mean_column(pooling pool, index_t width) {
  return pool == pooling::both ? width : 0;
}

template <class T>
struct pool_image {
  matrix_view<T const> tokens;
  std::span<index_t const> offsets;
  pooling pool = pooling::mean;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    index_t const width = tokens.cols;
    index_t const first = offsets[static_cast<std::size_t>(image)];
    index_t const last = offsets[static_cast<std::size_t>(image) + 1];
    T* const out = y.data + image * y.stride;
    T const* const class_token = tokens.data + first * tokens.stride;
    if (pool != pooling::mean) block.for_each(width, [&](index_t i) { out[i] = class_token[i]; });
    if (pool == pooling::class_token) return;
    T* const mean = out + mean_column(pool, width);
    // Where no patch is seen the mean is 0.
    T const patches = static_cast<T>(last > first + 1 ? last - first - 1 : 1);
    block.for_each(width, [&](index_t i) {
      T sum = 0;
      for (index_t row = first + 1; row < last; ++row) sum += tokens.data[row * tokens.stride + i];
      mean[i] = sum / patches;
    });
  }
};

template <class T>
struct unpool_image {
  matrix_view<T const> y_grad;
  std::span<index_t const> offsets;
  pooling pool = pooling::mean;
  matrix_view<T> tokens_grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    index_t const width = tokens_grad.cols;
    index_t const first = offsets[static_cast<std::size_t>(image)];
    index_t const last = offsets[static_cast<std::size_t>(image) + 1];
    T const* const in = y_grad.data + image * y_grad.stride;
    T* const class_grad = tokens_grad.data + first * tokens_grad.stride;
    bool const has_class = pool != pooling::mean;
    block.for_each(width, [&](index_t i) { class_grad[i] = has_class ? in[i] : T{0}; });
    bool const has_mean = pool != pooling::class_token;
    T const* const mean = in + mean_column(pool, width);
    T const share = has_mean && last > first + 1 ? T{1} / static_cast<T>(last - first - 1) : T{0};
    for (index_t row = first + 1; row < last; ++row) {
      T* const grad = tokens_grad.data + row * tokens_grad.stride;
      block.for_each(width, [&](index_t i) { grad[i] = has_mean ? share * mean[i] : T{0}; });
    }
  }
};

}  // namespace kernel

/// y[b] = the feature of image b. tokens (R, D), each image's class token first, then its patches';
/// offsets (B + 1) of the images' rows; y (B, D or 2 D). The sum goes in the order of the rows.
template <Lane L, class T = scalar_of<L>>
void pool_tokens_forward(L const& lane,
                         matrix_view<scalar_of<L> const> tokens,
                         row_offsets const& offsets,
                         pooling pool,
                         matrix_view<scalar_of<L>> y) {
  assert(y.rows == offsets.images() && y.cols == pooled_width(pool, tokens.cols));
  lane.for_rows(y.rows, kernel::pool_image<T>{tokens, offsets.values(), pool, y});
}

/// Writes the gradient of every token (R, D); y_grad (B, D or 2 D).
template <Lane L, class T = scalar_of<L>>
void pool_tokens_backward(L const& lane,
                          matrix_view<scalar_of<L> const> y_grad,
                          row_offsets const& offsets,
                          pooling pool,
                          matrix_view<scalar_of<L>> tokens_grad) {
  assert(y_grad.rows == offsets.images() && y_grad.cols == pooled_width(pool, tokens_grad.cols));
  lane.for_rows(y_grad.rows, kernel::unpool_image<T>{y_grad, offsets.values(), pool, tokens_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
