#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <iterator>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct squared_error_row {
  matrix_view<T const> prediction;
  matrix_view<T const> target;
  T* losses;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const p = prediction.data + row * prediction.stride;
    T const* const t = target.data + row * target.stride;
    T const sum = block.template sum<T>(prediction.cols,
                                        [&](index_t i) { return (p[i] - t[i]) * (p[i] - t[i]); });
    block.single([&] { losses[row] = sum / static_cast<T>(prediction.cols); });
  }
};

template <class T>
struct loss_element {
  T const* losses;
  MAE_HOST_DEVICE double operator()(index_t i) const { return static_cast<double>(losses[i]); }
};

template <class T>
struct squared_error_row_grad {
  matrix_view<T const> prediction;
  matrix_view<T const> target;
  matrix_view<T> grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const p = prediction.data + row * prediction.stride;
    T const* const t = target.data + row * target.stride;
    T* const d = grad.data + row * grad.stride;
    T const scale = T{2} / static_cast<T>(prediction.cols);
    block.for_each(prediction.cols, [&](index_t i) { d[i] = scale * (p[i] - t[i]); });
  }
};

}  // namespace kernel

/// losses[r] = the mean of (prediction - target)^2 over row r (He et al. 2021, section 3).
/// prediction, target (rows, P); losses (rows).
template <Lane L, class T = scalar_of<L>>
void squared_error_forward(L const& lane,
                           matrix_view<scalar_of<L> const> prediction,
                           matrix_view<scalar_of<L> const> target,
                           std::span<scalar_of<L>> losses) {
  assert(prediction.rows == target.rows && prediction.cols == target.cols);
  assert(static_cast<index_t>(losses.size()) >= prediction.rows);
  lane.for_rows(prediction.rows, kernel::squared_error_row<T>{prediction, target, losses.data()});
}

/// *total += the sum of the losses.
template <Lane L, class T = scalar_of<L>>
void add_losses(L const& lane, std::span<scalar_of<L> const> losses, double* total) {
  lane.add_sum(std::ssize(losses), kernel::loss_element<T>{losses.data()}, total);
}

/// The gradient of the *sum* of all losses; the optimizer divides by the number of rows once a
/// step. `grad` may be `prediction`.
template <Lane L, class T = scalar_of<L>>
void squared_error_backward(L const& lane,
                            matrix_view<scalar_of<L> const> prediction,
                            matrix_view<scalar_of<L> const> target,
                            matrix_view<scalar_of<L>> grad) {
  lane.for_rows(prediction.rows, kernel::squared_error_row_grad<T>{prediction, target, grad});
}

}  // namespace MAE_ISA
}  // namespace mae
