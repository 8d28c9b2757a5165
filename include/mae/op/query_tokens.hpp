#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/linear.hpp>

#include <cassert>
#include <cstddef>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct place_query_row {
  T const* token;
  matrix_view<T const> positions;
  std::span<index_t const> patches;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    index_t const place = patches[static_cast<std::size_t>(row)] % (positions.rows - 1);
    T const* const at = positions.data + (place + 1) * positions.stride;
    T* const out = y.data + row * y.stride;
    T const* const all = token;
    block.for_each(y.cols, [&](index_t i) { out[i] = all[i] + at[i]; });
  }
};

/// Of a row of the table: the queries of its place, image after image.
template <class T>
struct add_query_position_grad {
  matrix_view<T const> y_grad;
  std::span<index_t const> patches;
  matrix_view<T> grad;

  MAE_HOST_DEVICE index_t find(index_t wanted, index_t first) const {
    auto last = static_cast<index_t>(patches.size());
    while (first < last) {
      index_t const middle = first + (last - first) / 2;
      if (patches[static_cast<std::size_t>(middle)] < wanted)
        first = middle + 1;
      else
        last = middle;
    }
    return first;
  }

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    auto const count = static_cast<index_t>(patches.size());
    if (row == 0 || count == 0) return;  // the class token asks nothing
    index_t const each = grad.rows - 1;
    T* const sum = grad.data + row * grad.stride;
    index_t const end = patches[static_cast<std::size_t>(count - 1)] + 1;
    index_t at = 0;
    for (index_t wanted = row - 1; wanted < end; wanted += each) {
      at = find(wanted, at);
      if (patches[static_cast<std::size_t>(at)] != wanted) continue;
      T const* const in = y_grad.data + at * y_grad.stride;
      block.for_each(grad.cols, [&](index_t i) { sum[i] += in[i]; });
    }
  }
};

}  // namespace kernel

/// What asks for hidden patches (CrossMAE: Fu et al. 2024, arXiv 2401.14391): y[r] = token +
/// positions[1 + the place of patch r]. token (D); positions (N + 1, D), the class token's first;
/// patches, rows of all images' (images * N), which ascend; y (their number, D).
template <Lane L, class T = scalar_of<L>>
void place_queries_forward(L const& lane,
                           std::span<scalar_of<L> const> token,
                           matrix_view<scalar_of<L> const> positions,
                           std::span<index_t const> patches,
                           matrix_view<scalar_of<L>> y) {
  assert(static_cast<index_t>(patches.size()) == y.rows && positions.cols == y.cols &&
         static_cast<index_t>(token.size()) == y.cols);
  lane.for_rows(y.rows, kernel::place_query_row<T>{token.data(), positions, patches, y});
}

/// Adds to the token's gradient; and, where they are learned, to the positions'.
template <Lane L, class T = scalar_of<L>>
void place_queries_backward(L const& lane,
                            matrix_view<scalar_of<L> const> y_grad,
                            std::span<index_t const> patches,
                            std::span<scalar_of<L>> token_grad,
                            matrix_view<scalar_of<L>> positions_grad) {
  lane.add_column_sums(y_grad.rows, kernel::matrix_element<T, T>{y_grad}, token_grad);
  if (positions_grad.data == nullptr) return;
  lane.for_rows(positions_grad.rows,
                kernel::add_query_position_grad<T>{y_grad, patches, positions_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
