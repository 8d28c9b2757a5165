#pragma once

#include <mae/backend/eigen/eigen_map.hpp>
#include <mae/backend/eigen/symmetric_eigen.hpp>
#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <Eigen/Cholesky>

#include <cstddef>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

/// The weights W (outputs, inputs) that make sum |y - W x|^2 + ridge * |W|^2 least, from the lower
/// triangle of `products` (inputs + outputs, inputs + outputs): sums of the products of rows (x,
/// y), as add_outer_products makes them. Throws config_error where they are not finite, or inputs
/// depend on each other and the ridge is 0.
inline std::vector<double> ridge_weights(matrix_view<double const> products,
                                         index_t inputs,
                                         double ridge) {
  one_thread_of_eigen const alone;
  auto const all = eigen_map(products);
  index_t const outputs = products.rows - inputs;
  Eigen::MatrixXd squares = all.topLeftCorner(inputs, inputs);
  squares.diagonal().array() += ridge;
  Eigen::LLT<Eigen::MatrixXd, Eigen::Lower> const solved(squares);
  if (solved.info() != Eigen::Success)
    throw config_error(
        "a linear model has no weights: its inputs depend on each other, a larger ridge separates "
        "them");
  Eigen::MatrixXd const found = solved.solve(all.bottomLeftCorner(outputs, inputs).transpose());
  if (!found.allFinite())
    throw config_error("a linear model has no weights: values are too large, or not finite");
  std::vector<double> weights(static_cast<std::size_t>(outputs * inputs));
  eigen_map(matrix_view<double>(weights.data(), outputs, inputs)) = found.transpose();
  return weights;
}

}  // namespace MAE_ISA
}  // namespace mae
