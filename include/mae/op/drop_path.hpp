#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/store_each.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <cstddef>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct add_input_to_branch {
  matrix_view<T const> x;
  std::span<index_t const> offsets;
  matrix_view<float const> scales;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    T const scale = static_cast<T>(scales.data[image * scales.stride]);
    index_t const last = offsets[static_cast<std::size_t>(image) + 1];
    for (index_t row = offsets[static_cast<std::size_t>(image)]; row < last; ++row) {
      T const* const in = x.data + row * x.stride;
      T* const out = y.data + row * y.stride;
      block.for_each(y.cols, [&](index_t i) { out[i] = in[i] + scale * out[i]; });
    }
  }
};

template <class T, class O>
struct scale_branch_grad {
  matrix_view<T const> y_grad;
  std::span<index_t const> offsets;
  matrix_view<float const> scales;
  matrix_view<O> branch_grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    T const scale = static_cast<T>(scales.data[image * scales.stride]);
    index_t const last = offsets[static_cast<std::size_t>(image) + 1];
    for (index_t row = offsets[static_cast<std::size_t>(image)]; row < last; ++row) {
      T const* const in = y_grad.data + row * y_grad.stride;
      O* const out = branch_grad.data + row * branch_grad.stride;
      store_by_block(block, y_grad.cols, out, [&](index_t i) { return scale * in[i]; });
    }
  }
};

}  // namespace kernel

/// y = x + scale * y for the rows of each image: y (R, D) is what a residual branch says, before,
/// and the sum, after. offsets (B + 1) of the images' rows; scales (B, 1), in the lane's memory:
/// what is recorded reads them anew.
template <Lane L, class T = scalar_of<L>>
void drop_path_forward(L const& lane,
                       matrix_view<scalar_of<L> const> x,
                       row_offsets const& offsets,
                       matrix_view<float const> scales,
                       matrix_view<scalar_of<L>> y) {
  assert(x.rows == y.rows && x.cols == y.cols);
  assert(scales.rows == offsets.images() && scales.cols == 1);
  lane.for_rows(offsets.images(), kernel::add_input_to_branch<T>{x, offsets.values(), scales, y});
}

/// branch_grad (R, D) = scale * y_grad (R, D), as operands of a product. That of x is y_grad.
template <Lane L, class T = scalar_of<L>>
void drop_path_backward(L const& lane,
                        matrix_view<scalar_of<L> const> y_grad,
                        row_offsets const& offsets,
                        matrix_view<float const> scales,
                        matrix_view<operand_of<L>> branch_grad) {
  assert(y_grad.rows == branch_grad.rows && y_grad.cols == branch_grad.cols);
  assert(scales.rows == offsets.images() && scales.cols == 1);
  lane.for_rows(
      offsets.images(),
      kernel::scale_branch_grad<T, operand_of<L>>{y_grad, offsets.values(), scales, branch_grad});
}

}  // namespace MAE_ISA
}  // namespace mae
