#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/views.hpp>

#include <Eigen/Core>

#include <type_traits>

static_assert(EIGEN_VERSION_AT_LEAST(3, 4, 0), "mae needs Eigen 3.4 or later");

namespace mae {
inline namespace MAE_ISA {

/// The same values as a matrix of Eigen, without a copy: to read features, weights or pixels with.
template <class T>
auto eigen_map(matrix_view<T> view) {
  using matrix =
      Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using mapped = std::conditional_t<std::is_const_v<T>, matrix const, matrix>;
  return Eigen::Map<mapped, Eigen::Unaligned, Eigen::OuterStride<>>(
      view.data, view.rows, view.cols, Eigen::OuterStride<>(view.stride));
}

}  // namespace MAE_ISA
}  // namespace mae
