#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <Eigen/Core>

#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// Which operand of a product is read transposed; all matrices are row-major.
enum class product_form {
  nn,  // c (M, N) += a (M, K) * b (K, N)
  nt,  // c (M, N) += a (M, K) * b (N, K)^T
  tn,  // c (M, N) += a (K, M)^T * b (K, N)
};

/// The same values as a matrix of Eigen, without a copy: to read features, weights or pixels with.
template <class T>
auto eigen_map(matrix_view<T> view) {
  using matrix =
      Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using mapped = std::conditional_t<std::is_const_v<T>, matrix const, matrix>;
  return Eigen::Map<mapped, Eigen::Unaligned, Eigen::OuterStride<>>(
      view.data, view.rows, view.cols, Eigen::OuterStride<>(view.stride));
}

/// c += the product of a and b in the given form by Eigen, on the calling thread: what the lanes'
/// products are held to.
template <product_form Form, class T>
void add_product(matrix_view<std::type_identity_t<T> const> a,
                 matrix_view<std::type_identity_t<T> const> b,
                 matrix_view<T> c) {
  if constexpr (Form == product_form::nn)
    eigen_map(c).noalias() += eigen_map(a) * eigen_map(b);
  else if constexpr (Form == product_form::nt)
    eigen_map(c).noalias() += eigen_map(a) * eigen_map(b).transpose();
  else
    eigen_map(c).noalias() += eigen_map(a).transpose() * eigen_map(b);
}

}  // namespace MAE_ISA
}  // namespace mae
