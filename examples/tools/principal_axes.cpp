#include "principal_axes.hpp"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cstddef>

namespace tools {

principal_axes find_principal_axes(mae::matrix_view<float const> rows, mae::index_t count) {
  using mae::index_t;
  using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::MatrixXd all = Eigen::Map<row_major const>(rows.data, rows.rows, rows.cols).cast<double>();
  Eigen::RowVectorXd const mean = all.colwise().mean();
  all.rowwise() -= mean;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> const solver(all.transpose() * all);
  double const whole = std::max(0.0, solver.eigenvalues().sum());
  principal_axes found{std::vector<float>(static_cast<std::size_t>(rows.rows * count)),
                       std::vector<double>(static_cast<std::size_t>(count))};
  for (index_t k = 0; k < std::min(count, rows.cols); ++k) {
    index_t const at = rows.cols - 1 - k;  // they rise
    double const variance = std::max(0.0, solver.eigenvalues()[at]);
    if (!(variance > 1e-12 * whole)) break;
    Eigen::VectorXd axis = solver.eigenvectors().col(at);
    index_t largest = 0;
    axis.cwiseAbs().maxCoeff(&largest);
    if (axis[largest] < 0) axis = -axis;
    Eigen::VectorXd const along = all * axis;
    for (index_t i = 0; i < rows.rows; ++i)
      found.coordinates[static_cast<std::size_t>(i * count + k)] = static_cast<float>(along[i]);
    found.shares[static_cast<std::size_t>(k)] = variance / whole;
  }
  return found;
}

}  // namespace tools
