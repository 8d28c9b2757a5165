#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <vector>

namespace tools {

/// The rows of a matrix (n, D), less their mean, along the axes of their greatest variance.
struct principal_axes {
  std::vector<float> coordinates;  // (n, count), the greatest variance first
  std::vector<double> shares;      // (count), of the whole variance
};

/// `count` axes; of more than there are dimensions or rows, the rest is 0. Of an axis's two
/// directions, the one in which its largest component is positive.
principal_axes find_principal_axes(mae::matrix_view<float const> rows, mae::index_t count);

}  // namespace tools
