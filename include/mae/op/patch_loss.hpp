#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <cstdint>
#include <iterator>
#include <span>

namespace mae {

/// What the errors of a patch's predicted values cost: the mean over the values of the square
/// (He et al. 2021, section 3), of the magnitude, or of the magnitude with the square's round
/// bottom: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, as PyTorch's smooth_l1_loss.
struct patch_loss {
  enum class kind : std::uint8_t { squared, l1, smooth_l1 };

  kind of = kind::squared;
  double beta = 1.0;  // of smooth_l1

  friend bool operator==(patch_loss const&, patch_loss const&) = default;
};

inline namespace MAE_ISA {

namespace kernel {

// value(d) is what an error costs; factor * slope(d) its derivative.

template <class T>
struct squared_cost {
  static constexpr int factor = 2;
  MAE_HOST_DEVICE T value(T d) const { return d * d; }
  MAE_HOST_DEVICE T slope(T d) const { return d; }
};

/// Of smooth_l1, and with beta 0 of l1: one functor, to be compiled once.
template <class T>
struct l1_cost {
  static constexpr int factor = 1;
  T beta = 0;
  T inverse_beta = 0;

  MAE_HOST_DEVICE T value(T d) const {
    T const size = d < T{0} ? -d : d;
    return size < beta ? T{0.5} * d * d * inverse_beta : size - T{0.5} * beta;
  }
  MAE_HOST_DEVICE T slope(T d) const {
    return d < -beta ? T{-1} : d > beta ? T{1} : d * inverse_beta;
  }
};

template <class T, class Cost>
struct patch_loss_row {
  matrix_view<T const> prediction;
  matrix_view<T const> target;
  T* losses;
  Cost cost;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const p = prediction.data + row * prediction.stride;
    T const* const t = target.data + row * target.stride;
    Cost const of = cost;
    T const sum =
        block.template sum<T>(prediction.cols, [&](index_t i) { return of.value(p[i] - t[i]); });
    block.single([&] { losses[row] = sum / static_cast<T>(prediction.cols); });
  }
};

template <class T>
struct loss_element {
  T const* losses;
  T const* weights;

  MAE_HOST_DEVICE double operator()(index_t i) const {
    auto const loss = static_cast<double>(losses[i]);
    return weights == nullptr ? loss : static_cast<double>(weights[i]) * loss;
  }
};

template <class T, class Cost>
struct patch_loss_row_grad {
  matrix_view<T const> prediction;
  matrix_view<T const> target;
  matrix_view<T> grad;
  Cost cost;
  T const* weights;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const p = prediction.data + row * prediction.stride;
    T const* const t = target.data + row * target.stride;
    T* const d = grad.data + row * grad.stride;
    Cost const of = cost;
    T const mean = T{Cost::factor} / static_cast<T>(prediction.cols);
    T const scale = weights == nullptr ? mean : weights[row] * mean;
    block.for_each(prediction.cols, [&](index_t i) { d[i] = scale * of.slope(p[i] - t[i]); });
  }
};

}  // namespace kernel

/// body(cost) with the functor of a loss.
template <class T, class Body>
void with_cost(patch_loss const& loss, Body const& body) {
  if (loss.of == patch_loss::kind::squared) return body(kernel::squared_cost<T>{});
  bool const smooth = loss.of == patch_loss::kind::smooth_l1;
  body(smooth ? kernel::l1_cost<T>{static_cast<T>(loss.beta), static_cast<T>(1 / loss.beta)}
              : kernel::l1_cost<T>{});
}

/// losses[r] = the loss of row r, the mean over its values. prediction, target (rows, P); losses
/// (rows).
template <Lane L, class T = scalar_of<L>>
void patch_loss_forward(L const& lane,
                        patch_loss const& loss,
                        matrix_view<scalar_of<L> const> prediction,
                        matrix_view<scalar_of<L> const> target,
                        std::span<scalar_of<L>> losses) {
  assert(prediction.rows == target.rows && prediction.cols == target.cols);
  assert(static_cast<index_t>(losses.size()) >= prediction.rows);
  with_cost<T>(loss, [&](auto cost) {
    lane.for_rows(
        prediction.rows,
        kernel::patch_loss_row<T, decltype(cost)>{prediction, target, losses.data(), cost});
  });
}

/// *total += the sum of the losses, each times its weight: without weights, 1.
template <Lane L, class T = scalar_of<L>>
void add_losses(L const& lane,
                std::span<scalar_of<L> const> losses,
                double* total,
                scalar_of<L> const* weights = nullptr) {
  lane.add_sum(std::ssize(losses), kernel::loss_element<T>{losses.data(), weights}, total);
}

/// The gradient of the *sum* of all losses, each times its weight (without weights, 1); the
/// optimizer divides by the number of rows, or the sum of weights, once a step. `grad` may be
/// `prediction`. A value without an error has none.
template <Lane L, class T = scalar_of<L>>
void patch_loss_backward(L const& lane,
                         patch_loss const& loss,
                         matrix_view<scalar_of<L> const> prediction,
                         matrix_view<scalar_of<L> const> target,
                         matrix_view<scalar_of<L>> grad,
                         scalar_of<L> const* weights = nullptr) {
  with_cost<T>(loss, [&](auto cost) {
    lane.for_rows(
        prediction.rows,
        kernel::patch_loss_row_grad<T, decltype(cost)>{prediction, target, grad, cost, weights});
  });
}

}  // namespace MAE_ISA
}  // namespace mae
