#include "feature_health.hpp"

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <Eigen/Eigenvalues>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace {

using mae::index_t;
using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::vector<float> noise(index_t values, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> all(static_cast<std::size_t>(values));
  for (float& value : all) value = normal(random);
  return all;
}

mae::matrix_view<float const> view(std::vector<float> const& all, index_t rows) {
  return {all.data(), rows, std::ssize(all) / rows};
}

matrix of(mae::matrix_view<float const> all) {
  return Eigen::Map<Eigen::Matrix<float, -1, -1, Eigen::RowMajor> const>(
             all.data, all.rows, all.cols)
      .cast<double>();
}

TEST_CASE("eigenvalues are Eigen's, of any symmetric matrix") {
  for (index_t const n : {1, 2, 3, 7, 40}) {
    CAPTURE(n);
    matrix const half = of(view(noise(n * n, static_cast<unsigned>(n)), n));
    for (matrix const& m : {matrix(half + half.transpose()),
                            matrix(half * half.transpose()),
                            matrix(matrix::Identity(n, n)),
                            matrix(matrix::Zero(n, n)),
                            matrix(matrix::Ones(n, n))}) {
      auto found = pretrain::symmetric_eigenvalues({m.data(), m.data() + m.size()}, n);
      std::ranges::sort(found);
      Eigen::SelfAdjointEigenSolver<matrix> const solver(m, Eigen::EigenvaluesOnly);
      double const largest = solver.eigenvalues().cwiseAbs().maxCoeff() + 1e-300;
      for (index_t i = 0; i < n; ++i)
        CHECK(std::abs(found[static_cast<std::size_t>(i)] - solver.eigenvalues()[i]) <=
              1e-13 * static_cast<double>(n) * largest);
    }
  }
}

TEST_CASE("health is what its definitions say, with more images than dimensions and with fewer") {
  for (index_t const images : {5, 24}) {
    CAPTURE(images);
    constexpr index_t width = 11;
    auto const features = noise(images * width, 1);
    auto const views = noise(images * width, 2);
    auto const found = pretrain::measure_health(view(features, images), view(views, images));

    matrix const z = of(view(features, images));
    matrix const u = z.rowwise().normalized();
    matrix const v = of(view(views, images)).rowwise().normalized();
    Eigen::VectorXd const p = [&] {
      Eigen::SelfAdjointEigenSolver<matrix> const solver(z.transpose() * z, Eigen::EigenvaluesOnly);
      auto const largest = solver.eigenvalues().tail(std::min(images, width));
      return Eigen::VectorXd(largest.cwiseSqrt() / largest.cwiseSqrt().sum());
    }();
    CHECK(found.effective_rank ==
          doctest::Approx(std::exp(-(p.array() * p.array().log()).sum())).epsilon(1e-9));
    CHECK(found.alignment ==
          doctest::Approx((u - v).rowwise().squaredNorm().mean()).epsilon(1e-12));
    double sum = 0;
    for (index_t i = 0; i < images; ++i)
      for (index_t j = 0; j < images; ++j)
        if (i != j) sum += std::exp(-2 * (u.row(i) - u.row(j)).squaredNorm());
    CHECK(found.uniformity ==
          doctest::Approx(std::log(sum / static_cast<double>(images * (images - 1)))));
    matrix const centred = u.rowwise() - u.colwise().mean();
    Eigen::VectorXd const deviations =
        (centred.colwise().squaredNorm() / static_cast<double>(images)).cwiseSqrt();
    CHECK(found.deviation == doctest::Approx(deviations.mean() * std::sqrt(width)));
  }
}

TEST_CASE("features that fell into one point have rank 1, and neither spread nor distance") {
  std::vector<float> all;
  for (int i = 0; i < 6; ++i) all.insert(all.end(), {1, 2, 3, 4});
  auto const found = pretrain::measure_health(view(all, 6), view(all, 6));
  CHECK(found.effective_rank == doctest::Approx(1).epsilon(1e-6));
  CHECK(found.alignment == 0);
  CHECK(found.uniformity == 0);
  CHECK(found.deviation == doctest::Approx(0));
}

TEST_CASE("directions in equal use count each, and features that are not finite count as nothing") {
  std::vector<float> all(16, 0.0F);
  for (std::size_t i = 0; i < 4; ++i) all[5 * i] = 3;
  CHECK(pretrain::measure_health(view(all, 4), view(all, 4)).effective_rank == doctest::Approx(4));
  all[3] = std::numeric_limits<float>::infinity();
  auto const found = pretrain::measure_health(view(all, 4), view(all, 4));
  CHECK(std::isnan(found.effective_rank));
  CHECK(std::isnan(found.alignment));
}

}  // namespace
