#include "feature_health.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

namespace pretrain {
namespace {

using mae::index_t;

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

std::size_t at(index_t row, index_t n, index_t column) {
  return static_cast<std::size_t>(row * n + column);
}

/// Rows on the unit sphere; one of zeros stays where it is.
std::vector<double> on_sphere(mae::matrix_view<float const> features) {
  std::vector<double> all(features.data, features.data + features.size());
  for (index_t i = 0; i < features.rows; ++i) {
    auto const row = std::span(all).subspan(static_cast<std::size_t>(i * features.cols),
                                            static_cast<std::size_t>(features.cols));
    double const length = std::sqrt(std::inner_product(row.begin(), row.end(), row.begin(), 0.0));
    if (length == 0) continue;
    for (double& value : row) value /= length;
  }
  return all;
}

double squared_distance(double const* a, double const* b, index_t width) {
  double sum = 0;
  for (index_t k = 0; k < width; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}

/// The products of all pairs of the smaller side: rows (n, n) or columns (D, D).
std::vector<double> gram(mae::matrix_view<float const> features) {
  bool const of_rows = features.rows <= features.cols;
  index_t const n = of_rows ? features.rows : features.cols;
  index_t const depth = of_rows ? features.cols : features.rows;
  std::vector<double> factor(static_cast<std::size_t>(n * depth));  // (n, depth)
  for (index_t i = 0; i < n; ++i)
    for (index_t k = 0; k < depth; ++k)
      factor[at(i, depth, k)] = of_rows ? features(i, k) : features(k, i);
  std::vector<double> products(static_cast<std::size_t>(n * n), 0.0);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (index_t k = 0; k < depth; ++k) sum += factor[at(i, depth, k)] * factor[at(j, depth, k)];
      products[at(i, n, j)] = products[at(j, n, i)] = sum;
    }
  return products;
}

double uniformity(std::vector<double> const& sphere, index_t images, index_t width) {
  double sum = 0;
  for (index_t i = 0; i < images; ++i)
    for (index_t j = 0; j < i; ++j)
      sum += std::exp(-2 *
                      squared_distance(&sphere[at(i, width, 0)], &sphere[at(j, width, 0)], width));
  return std::log(2 * sum / static_cast<double>(images * (images - 1)));
}

double deviation(std::vector<double> const& sphere, index_t images, index_t width) {
  double total = 0;
  for (index_t k = 0; k < width; ++k) {
    double sum = 0;
    double squares = 0;
    for (index_t i = 0; i < images; ++i) sum += sphere[at(i, width, k)];
    double const mean = sum / static_cast<double>(images);
    for (index_t i = 0; i < images; ++i)
      squares += (sphere[at(i, width, k)] - mean) * (sphere[at(i, width, k)] - mean);
    total += std::sqrt(squares / static_cast<double>(images));
  }
  return total / std::sqrt(static_cast<double>(width));
}

/// A symmetric matrix of three diagonals: `diagonal` (n), and `beside` (n), of which the last is 0.
struct three_diagonals {
  std::vector<double> diagonal;
  std::vector<double> beside;
};

/// Reflects the rows and columns behind `k` so that column k has one value below its diagonal,
/// which is returned.
double reflect(std::vector<double>& a, index_t n, index_t k) {
  double squares = 0;
  for (index_t i = k + 1; i < n; ++i) squares += a[at(i, n, k)] * a[at(i, n, k)];
  double const first = a[at(k + 1, n, k)];
  double const length = std::copysign(std::sqrt(squares), -first);
  if (squares == first * first) return first;
  std::vector<double> v(static_cast<std::size_t>(n), 0.0);
  for (index_t i = k + 1; i < n; ++i) v[static_cast<std::size_t>(i)] = a[at(i, n, k)];
  v[static_cast<std::size_t>(k + 1)] -= length;
  double const scale = 1 / (squares - first * length);  // 2 / v'v
  std::vector<double> w(v.size(), 0.0);
  double along = 0;
  for (index_t i = k + 1; i < n; ++i) {
    double sum = 0;
    for (index_t j = k + 1; j < n; ++j) sum += a[at(i, n, j)] * v[static_cast<std::size_t>(j)];
    w[static_cast<std::size_t>(i)] = scale * sum;
    along += scale * sum * v[static_cast<std::size_t>(i)];
  }
  for (std::size_t i = 0; i < w.size(); ++i) w[i] -= scale / 2 * along * v[i];
  for (index_t i = k + 1; i < n; ++i)
    for (index_t j = k + 1; j < n; ++j) {
      auto const r = static_cast<std::size_t>(i);
      auto const c = static_cast<std::size_t>(j);
      a[at(i, n, j)] -= v[r] * w[c] + w[r] * v[c];
    }
  return length;
}

three_diagonals tridiagonal(std::vector<double> a, index_t n) {
  three_diagonals found{std::vector<double>(static_cast<std::size_t>(n), 0.0),
                        std::vector<double>(static_cast<std::size_t>(n), 0.0)};
  for (index_t k = 0; k + 1 < n; ++k)
    found.beside[static_cast<std::size_t>(k)] = k + 2 < n ? reflect(a, n, k) : a[at(k + 1, n, k)];
  for (index_t k = 0; k < n; ++k) found.diagonal[static_cast<std::size_t>(k)] = a[at(k, n, k)];
  return found;
}

/// The first place from `from` on at which the matrix falls into two.
std::size_t end_of_block(three_diagonals const& m, std::size_t from) {
  std::size_t end = from;
  for (; end + 1 < m.diagonal.size(); ++end) {
    double const around = std::abs(m.diagonal[end]) + std::abs(m.diagonal[end + 1]);
    if (std::abs(m.beside[end]) <= std::numeric_limits<double>::epsilon() * around) break;
  }
  return end;
}

/// One implicit QL step with Wilkinson's shift on [first, last].
void step_ql(three_diagonals& m, std::size_t first, std::size_t last) {
  auto& d = m.diagonal;
  auto& e = m.beside;
  double g = (d[first + 1] - d[first]) / (2 * e[first]);
  double r = std::hypot(g, 1.0);
  g = d[last] - d[first] + e[first] / (g + std::copysign(r, g));
  double sine = 1;
  double cosine = 1;
  double p = 0;
  for (std::size_t i = last; i-- > first;) {
    double const f = sine * e[i];
    double const b = cosine * e[i];
    r = std::hypot(f, g);
    e[i + 1] = r;
    if (r == 0) {  // it falls into two on the way
      d[i + 1] -= p;
      e[last] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = d[i + 1] - p;
    r = (d[i] - g) * sine + 2 * cosine * b;
    p = sine * r;
    d[i + 1] = g + p;
    g = cosine * r - b;
  }
  d[first] -= p;
  e[first] = g;
  e[last] = 0;
}

}  // namespace

std::vector<double> symmetric_eigenvalues(std::vector<double> matrix, index_t n) {
  constexpr int most_steps = 60;  // of each; two or three are usual
  auto m = tridiagonal(std::move(matrix), n);
  for (std::size_t first = 0; first < m.diagonal.size(); ++first)
    for (int step = 0; step < most_steps; ++step) {
      std::size_t const last = end_of_block(m, first);
      if (last == first) break;
      step_ql(m, first, last);
    }
  return m.diagonal;
}

double effective_rank(mae::matrix_view<float const> features) {
  auto singular = symmetric_eigenvalues(gram(features), std::min(features.rows, features.cols));
  double sum = 0;
  for (double& value : singular) sum += value = std::sqrt(std::max(value, 0.0));
  if (sum == 0) return 0;
  double entropy = 0;
  for (double const value : singular)
    if (value > 0) entropy -= value / sum * std::log(value / sum);
  return std::exp(entropy);
}

feature_health measure_health(mae::matrix_view<float const> features,
                              mae::matrix_view<float const> views) {
  auto const is_finite = [](mae::matrix_view<float const> all) {
    return std::all_of(
        all.data, all.data + all.size(), [](float value) { return std::isfinite(value); });
  };
  if (!is_finite(features) || !is_finite(views)) return {nothing, nothing, nothing, nothing};
  index_t const images = features.rows;
  index_t const width = features.cols;
  auto const sphere = on_sphere(features);
  auto const others = on_sphere(views);
  return {.effective_rank = effective_rank(features),
          .alignment = squared_distance(sphere.data(), others.data(), features.size()) /
                       static_cast<double>(images),
          .uniformity = uniformity(sphere, images, width),
          .deviation = deviation(sphere, images, width)};
}

}  // namespace pretrain
