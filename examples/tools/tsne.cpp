#include "tsne.hpp"

#include "principal_axes.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace tools {
namespace {

using mae::index_t;

std::size_t at(index_t row, index_t n, index_t column) {
  return static_cast<std::size_t>(row * n + column);
}

std::vector<double> squared_distances(mae::matrix_view<float const> rows) {
  index_t const n = rows.rows;
  std::vector<double> all(static_cast<std::size_t>(n * n));
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < i; ++j) {
      double sum = 0;
      for (index_t k = 0; k < rows.cols; ++k) {
        double const apart = static_cast<double>(rows(i, k)) - static_cast<double>(rows(j, k));
        sum += apart * apart;
      }
      all[at(i, n, j)] = all[at(j, n, i)] = sum;
    }
  return all;
}

/// A row's affinities for a precision, and their entropy in nats.
double fill_row(std::vector<double> const& squares,
                index_t n,
                index_t i,
                double precision,
                std::vector<double>& p) {
  double nearest = std::numeric_limits<double>::infinity();
  for (index_t j = 0; j < n; ++j)
    if (j != i) nearest = std::min(nearest, squares[at(i, n, j)]);
  double sum = 0;
  double mean = 0;
  for (index_t j = 0; j < n; ++j) {
    double const beyond = squares[at(i, n, j)] - nearest;
    double const value = j == i ? 0 : std::exp(-precision * beyond);
    p[at(i, n, j)] = value;
    sum += value;
    mean += value * beyond;
  }
  for (index_t j = 0; j < n; ++j) p[at(i, n, j)] /= sum;
  return std::log(sum) + precision * mean / sum;
}

/// One dimension's momentum and its gains.
struct descent {
  std::vector<double> places;  // (n, 2)
  std::vector<double> speed;
  std::vector<double> gains;

  void step(std::vector<double> const& gradient, double rate, double momentum) {
    constexpr double least_gain = 0.01;
    for (std::size_t i = 0; i < places.size(); ++i) {
      bool const is_turning = (gradient[i] > 0) == (speed[i] > 0);
      gains[i] = std::max(least_gain, is_turning ? gains[i] * 0.8 : gains[i] + 0.2);
      speed[i] = momentum * speed[i] - rate * gains[i] * gradient[i];
      places[i] += speed[i];
    }
  }
};

/// 4 sum_j (p_ij - q_ij) (y_i - y_j) / (1 + |y_i - y_j|^2)
void compute_gradient(std::vector<double> const& p,
                      double exaggeration,
                      std::vector<double> const& y,
                      index_t n,
                      std::vector<double>& kernel,
                      std::vector<double>& gradient) {
  double total = 0;
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < i; ++j) {
      double const dx = y[at(i, 2, 0)] - y[at(j, 2, 0)];
      double const dy = y[at(i, 2, 1)] - y[at(j, 2, 1)];
      kernel[at(i, n, j)] = 1 / (1 + dx * dx + dy * dy);
      total += 2 * kernel[at(i, n, j)];
    }
  std::ranges::fill(gradient, 0.0);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < i; ++j) {
      double const k = kernel[at(i, n, j)];
      double const pull = 4 * (exaggeration * p[at(i, n, j)] - k / total) * k;
      for (index_t axis = 0; axis < 2; ++axis) {
        double const along = pull * (y[at(i, 2, axis)] - y[at(j, 2, axis)]);
        gradient[at(i, 2, axis)] += along;
        gradient[at(j, 2, axis)] -= along;
      }
    }
}

/// The first two axes, the first with a deviation of 1e-4.
std::vector<double> beginning(std::vector<float> const& axes) {
  constexpr double small = 1e-4;
  double squares = 0;
  for (std::size_t i = 0; i < axes.size(); i += 2)
    squares += static_cast<double>(axes[i]) * static_cast<double>(axes[i]);
  double const deviation = std::sqrt(squares / (static_cast<double>(axes.size()) / 2));
  std::vector<double> places(axes.begin(), axes.end());
  for (double& value : places) value *= small / std::max(deviation, 1e-300);
  return places;
}

}  // namespace

std::vector<double> tsne_affinities(std::vector<double> const& squared_distances,
                                    index_t n,
                                    double perplexity) {
  constexpr int tries = 100;
  constexpr double tolerance = 1e-6;
  double const wanted = std::log(perplexity);
  std::vector<double> p(squared_distances.size());
  for (index_t i = 0; i < n; ++i) {
    double precision = 1;
    double low = 0;
    double high = std::numeric_limits<double>::infinity();
    for (int t = 0; t < tries; ++t) {
      double const excess = fill_row(squared_distances, n, i, precision, p) - wanted;
      if (std::abs(excess) < tolerance) break;
      (excess > 0 ? low : high) = precision;
      precision = std::isinf(high) ? 2 * precision : (low + high) / 2;
    }
  }
  return p;
}

std::vector<float> place_by_tsne(mae::matrix_view<float const> rows, tsne_options const& options) {
  index_t const n = rows.rows;
  auto axes = find_principal_axes(rows, 2).coordinates;
  if (n < 4) return axes;
  double const perplexity =
      std::max(1.0, std::min(options.perplexity, static_cast<double>(n - 1) / 3));
  auto p = tsne_affinities(squared_distances(rows), n, perplexity);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j <= i; ++j)
      p[at(i, n, j)] = p[at(j, n, i)] =
          (p[at(i, n, j)] + p[at(j, n, i)]) / (2 * static_cast<double>(n));

  descent at_work{.places = beginning(axes),
                  .speed = std::vector<double>(axes.size(), 0.0),
                  .gains = std::vector<double>(axes.size(), 1.0)};
  std::vector<double> kernel(p.size());
  std::vector<double> gradient(axes.size());
  constexpr double exaggeration = 12;
  double const rate = std::max(50.0, static_cast<double>(n) / exaggeration / 4);
  for (int i = 0; i < options.iterations; ++i) {
    bool const is_early = 3 * i < options.iterations;
    compute_gradient(p, is_early ? exaggeration : 1, at_work.places, n, kernel, gradient);
    at_work.step(gradient, rate, is_early ? 0.5 : 0.8);
  }
  return {at_work.places.begin(), at_work.places.end()};
}

}  // namespace tools
