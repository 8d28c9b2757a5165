#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <cmath>
#include <iterator>
#include <span>

namespace mae {

/// The label of a row that is not to be learnt from.
inline constexpr int ignored_label = -1;

inline namespace MAE_ISA {

namespace kernel {

/// A row's label: a class, and another with the share that it has.
template <class T>
struct class_mixture {
  MAE_HOST_DEVICE class_mixture(matrix_view<T const> labels, index_t row) {
    T const* const said = labels.data + row * labels.stride;
    is_ignored = said[0] < T{0};
    first = second = static_cast<index_t>(said[0]);
    if (labels.cols == 1 || is_ignored) return;
    second = static_cast<index_t>(said[1]);
    share = said[2];
  }

  bool is_ignored;
  index_t first, second;
  T share = 0;
};

template <class T>
struct cross_entropy_row {
  matrix_view<T const> logits;
  matrix_view<T const> labels;
  T smoothing;
  T* losses;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const z = logits.data + row * logits.stride;
    class_mixture<T> const label(labels, row);
    if (label.is_ignored) {
      block.single([&] { losses[row] = T{0}; });
      return;
    }
    T const most = block.template max<T>(logits.cols, [&](index_t i) { return z[i]; });
    T const sum =
        block.template sum<T>(logits.cols, [&](index_t i) { return std::exp(z[i] - most); });
    T const mean = block.template sum<T>(logits.cols, [&](index_t i) { return z[i] - most; }) /
                   static_cast<T>(logits.cols);
    block.single([&] {
      T const chosen = (T{1} - label.share) * z[label.first] + label.share * z[label.second] - most;
      losses[row] = std::log(sum) - (T{1} - smoothing) * chosen - smoothing * mean;
    });
  }
};

template <class T>
struct cross_entropy_row_grad {
  matrix_view<T const> logits;
  matrix_view<T const> labels;
  T smoothing;
  matrix_view<T> grad;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t row) const {
    T const* const z = logits.data + row * logits.stride;
    T* const d = grad.data + row * grad.stride;
    class_mixture<T> const label(labels, row);
    if (label.is_ignored) {
      block.for_each(logits.cols, [&](index_t i) { d[i] = T{0}; });
      return;
    }
    T const most = block.template max<T>(logits.cols, [&](index_t i) { return z[i]; });
    T const scale =
        T{1} / block.template sum<T>(logits.cols, [&](index_t i) { return std::exp(z[i] - most); });
    T const everywhere = smoothing / static_cast<T>(logits.cols);
    block.barrier();  // d may be z: all sums are done before the first value changes
    block.for_each(logits.cols, [&](index_t i) {
      T const said =
          (i == label.first ? T{1} - label.share : T{0}) + (i == label.second ? label.share : T{0});
      T const wanted = everywhere + (T{1} - smoothing) * said;
      d[i] = std::exp(z[i] - most) * scale - wanted;
    });
  }
};

}  // namespace kernel

/// losses[r] = the cross entropy of row r's softmax and its label, of which the share `smoothing`
/// is given to all classes alike (Szegedy et al. 2015, arXiv 1512.00567; as PyTorch's
/// cross_entropy); 0 for an ignored label. logits (rows, K); labels (rows, 1), whole numbers below
/// K or `ignored_label`, or (rows, 3), a second class and its share of the label beside the first:
/// the loss is linear in the label, so that of a mixture is the mixture of losses; losses (rows).
template <Lane L, class T = scalar_of<L>>
void cross_entropy_forward(L const& lane,
                           matrix_view<scalar_of<L> const> logits,
                           matrix_view<scalar_of<L> const> labels,
                           double smoothing,
                           std::span<scalar_of<L>> losses) {
  assert(labels.rows == logits.rows && (labels.cols == 1 || labels.cols == 3));
  assert(std::ssize(losses) >= logits.rows);
  lane.for_rows(
      logits.rows,
      kernel::cross_entropy_row<T>{logits, labels, static_cast<T>(smoothing), losses.data()});
}

/// The gradient of the *sum* of all losses; `grad` may be `logits`. An ignored row has none.
template <Lane L, class T = scalar_of<L>>
void cross_entropy_backward(L const& lane,
                            matrix_view<scalar_of<L> const> logits,
                            matrix_view<scalar_of<L> const> labels,
                            double smoothing,
                            matrix_view<scalar_of<L>> grad) {
  lane.for_rows(logits.rows,
                kernel::cross_entropy_row_grad<T>{logits, labels, static_cast<T>(smoothing), grad});
}

}  // namespace MAE_ISA
}  // namespace mae
