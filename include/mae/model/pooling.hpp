#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/pooling.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// What the final norm is of: every token, or what is pooled of them, as in models that were
/// fine-tuned on the mean (the official code's and timm's fc_norm).
enum class norm_place : std::uint8_t { tokens, pooled };

inline namespace MAE_ISA {

/// The feature of an image's tokens (N + 1, D), the class token first. `out` (D or 2 D), written.
template <class T>
void pool_tokens(matrix_view<T const> tokens, pooling pool, T* out) {
  if (pool != pooling::mean) out = std::copy_n(tokens.data, tokens.cols, out);
  if (pool == pooling::class_token) return;
  std::fill_n(out, tokens.cols, T{0});
  for (index_t r = 1; r < tokens.rows; ++r)
    for (index_t c = 0; c < tokens.cols; ++c) out[c] += tokens(r, c);
  for (index_t c = 0; c < tokens.cols; ++c) out[c] /= static_cast<T>(tokens.rows - 1);
}

/// Normalises rows (n, D), in place.
template <class T>
void normalise_rows(matrix_view<T> rows,
                    std::span<T const> weight,
                    std::span<T const> bias,
                    double epsilon) {
  for (index_t r = 0; r < rows.rows; ++r) {
    T* const row = rows.data + r * rows.stride;
    double mean = 0;
    for (index_t c = 0; c < rows.cols; ++c) mean += static_cast<double>(row[c]);
    mean /= static_cast<double>(rows.cols);
    double variance = 0;
    for (index_t c = 0; c < rows.cols; ++c) {
      double const from_mean = static_cast<double>(row[c]) - mean;
      variance += from_mean * from_mean;
    }
    double const scale = 1 / std::sqrt(variance / static_cast<double>(rows.cols) + epsilon);
    for (index_t c = 0; c < rows.cols; ++c) {
      auto const at = static_cast<std::size_t>(c);
      double const normalised = (static_cast<double>(row[c]) - mean) * scale;
      row[c] = static_cast<T>(normalised * static_cast<double>(weight[at]) +
                              static_cast<double>(bias[at]));
    }
  }
}

}  // namespace MAE_ISA

}  // namespace mae
