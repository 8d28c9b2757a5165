#pragma once

#include <mae/backend/eigen/eigen_map.hpp>
#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <Eigen/Eigenvalues>

#include <cstddef>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

/// Of a symmetric matrix (n, n): eigenvalues from the largest on, and a unit vector for each.
struct symmetric_axes {
  std::vector<double> values;   // (n)
  std::vector<double> vectors;  // (n, n), one a row; the largest entry of each is positive
};

/// Where a program is compiled for OpenMP, Eigen shares products among its threads, however many
/// there are; on one the sums are the same everywhere.
class one_thread_of_eigen {
 public:
  one_thread_of_eigen() { Eigen::setNbThreads(1); }
  one_thread_of_eigen(one_thread_of_eigen const&) = delete;
  one_thread_of_eigen& operator=(one_thread_of_eigen const&) = delete;
  ~one_thread_of_eigen() { Eigen::setNbThreads(before_); }

 private:
  int before_ = Eigen::nbThreads();
};

/// By Eigen's solver. `matrix` is finite; its lower triangle is read. Throws config_error where
/// the solver does not converge.
inline symmetric_axes axes_of(matrix_view<double const> matrix) {
  one_thread_of_eigen const alone;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> const solved(eigen_map(matrix));
  if (solved.info() != Eigen::Success)
    throw config_error(
        "the eigenvalues of a symmetric matrix were not found: are its values finite?");
  index_t const n = matrix.rows;
  symmetric_axes axes;
  for (index_t i = n - 1; i >= 0; --i) {
    auto const vector = solved.eigenvectors().col(i);
    index_t largest = 0;
    vector.cwiseAbs().maxCoeff(&largest);
    double const sign = vector(largest) < 0 ? -1 : 1;
    axes.values.push_back(solved.eigenvalues()(i));
    for (index_t k = 0; k < n; ++k) axes.vectors.push_back(sign * vector(k));
  }
  return axes;
}

/// Adds the products of all pairs of columns of `rows` (n, P) to the lower triangle of `products`
/// (P, P).
inline void add_outer_products(matrix_view<double const> rows, matrix_view<double> products) {
  one_thread_of_eigen const alone;
  auto const given = eigen_map(rows);
  eigen_map(products).selfadjointView<Eigen::Lower>().rankUpdate(given.transpose());
}

}  // namespace MAE_ISA
}  // namespace mae
