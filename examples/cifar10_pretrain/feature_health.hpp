#pragma once

#include <mae/core/views.hpp>

#include <span>
#include <vector>

namespace pretrain {

/// What features tell of themselves without labels. What collapses, to one point or to few
/// directions, is seen here before a probe sees it.
struct feature_health {
  /// exp of the entropy of the singular values' shares: how many directions are in use, 1 to
  /// min(n, D) (RankMe: Garrido et al. 2023, eq. 1).
  double effective_rank = 0;
  /// The mean squared distance of two views of an image on the unit sphere, 0 to 4; lower: nearer
  /// (Wang & Isola 2020, alpha = 2).
  double alignment = 0;
  /// log of the mean of exp(-2 squared distance) over pairs of images, on the unit sphere, at most
  /// 0; lower: better spread (Wang & Isola 2020, t = 2).
  double uniformity = 0;
  /// sqrt(D) times the mean over dimensions of the features' deviation on the unit sphere: 0 where
  /// all images have one feature, 1 where they lie in all directions alike (Chen & He 2021, fig.
  /// 2).
  double deviation = 0;
};

/// exp of the entropy of the singular values' shares, of finite features (n, D); 0 where all are 0.
double effective_rank(mae::matrix_view<float const> features);

/// Of features (n, D) of n >= 2 images, and of other views of the same ones. What is not finite
/// makes figures that are not.
feature_health measure_health(mae::matrix_view<float const> features,
                              mae::matrix_view<float const> views);

/// The eigenvalues of a symmetric matrix (n, n), in no order: Householder's reduction to three
/// diagonals, then implicit QL (Golub & Van Loan 2013, 8.3). `matrix` is finite.
std::vector<double> symmetric_eigenvalues(std::vector<double> matrix, mae::index_t n);

}  // namespace pretrain
