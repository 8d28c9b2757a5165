#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// What an image's feature is made of: the class token, the mean of the patch tokens, both side by
/// side, or the first patch token.
enum class pooling : std::uint8_t { class_token, mean, both, first };

/// The values of a feature pooled of tokens of `width` values.
constexpr index_t pooled_width(pooling pool, index_t width) {
  return pool == pooling::both ? 2 * width : width;
}

/// Its name, in files.
constexpr char const* name_of(pooling pool) {
  constexpr std::array<char const*, 4> names{"class_token", "mean", "both", "first"};
  return names[static_cast<std::size_t>(pool)];
}

inline namespace MAE_ISA {

namespace kernel {

/// Whether a feature has one token as it is, and the mean of the patch tokens.
MAE_HOST_DEVICE constexpr bool has_token(pooling pool) {
  return pool != pooling::mean;
}
MAE_HOST_DEVICE constexpr bool has_mean(pooling pool) {
  return pool == pooling::mean || pool == pooling::both;
}
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
    index_t const chosen = pool == pooling::first ? first + 1 : first;
    bool const is_there = chosen < last;  // where no patch is seen the feature is 0
    T const* const token = tokens.data + chosen * tokens.stride;
    if (has_token(pool))
      block.for_each(width, [&](index_t i) { out[i] = is_there ? token[i] : T{0}; });
    if (!has_mean(pool)) return;
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
    index_t const chosen = pool == pooling::first ? first + 1 : first;
    T const* const mean = in + mean_column(pool, width);
    T const share = last > first + 1 ? T{1} / static_cast<T>(last - first - 1) : T{0};
    for (index_t row = first; row < last; ++row) {
      T* const grad = tokens_grad.data + row * tokens_grad.stride;
      bool const takes_token = has_token(pool) && row == chosen;
      bool const takes_mean = has_mean(pool) && row > first;
      block.for_each(width, [&](index_t i) {
        grad[i] = takes_token ? in[i] : takes_mean ? share * mean[i] : T{0};
      });
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
