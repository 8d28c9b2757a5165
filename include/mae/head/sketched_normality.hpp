#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// Unit vectors drawn evenly from the sphere: (count, width).
inline std::vector<double> random_directions(index_t count, index_t width, random_stream& random) {
  std::vector<double> directions(static_cast<std::size_t>(count * width));
  for (index_t i = 0; i < count; ++i) {
    std::span<double> const one(directions.data() + i * width, static_cast<std::size_t>(width));
    double square = 0;
    for (double& value : one) {
      value = random.normal();
      square += value * value;
    }
    for (double& value : one) value /= std::sqrt(square);
  }
  return directions;
}

namespace detail {

/// How far one direction's values are from a standard normal distribution: Epps and Pulley's
/// statistic with the weight exp(-t^2 / 2), n times the integral over [-3, 3] of |mean of exp(itx)
/// - exp(-t^2 / 2)|^2 by the trapezoid rule, of which the half above 0 is summed.
class normality_test {
 public:
  static constexpr std::size_t knots = 17;

  normality_test() {
    for (std::size_t k = 0; k < knots; ++k) {
      double const at = step * static_cast<double>(k);
      bool const is_end = k == 0 || k + 1 == knots;
      expected_[k] = std::exp(-at * at / 2);
      weights_[k] = (is_end ? step : 2 * step) * expected_[k];
    }
  }

  /// Returns the statistic of `values` (n); adds its gradient times `scale` to `gradient` (n).
  double measure(std::span<double const> values, double scale, std::span<double> gradient) {
    wave_of(values);
    auto const count = static_cast<double>(values.size());
    double sum = 0;
    std::array<double, knots> of_cosine{};
    std::array<double, knots> of_sine{};
    for (std::size_t k = 0; k < knots; ++k) {
      double const real = cosines_[k] / count - expected_[k];
      double const imaginary = sines_[k] / count;
      sum += weights_[k] * (real * real + imaginary * imaginary);
      double const at = step * static_cast<double>(k);
      of_cosine[k] = 2 * scale * weights_[k] * at * imaginary;
      of_sine[k] = -2 * scale * weights_[k] * at * real;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      double grad = 0;
      for_waves(values[i], [&](std::size_t k, double cosine, double sine) {
        grad += of_cosine[k] * cosine + of_sine[k] * sine;
      });
      gradient[i] += grad;
    }
    return count * sum;
  }

 private:
  static constexpr double step = 3.0 / static_cast<double>(knots - 1);

  /// body(k, cos(k step x), sin(k step x)): by turning on, one cosine and sine a value.
  template <class Body>
  static void for_waves(double value, Body const& body) {
    double const turn_cosine = std::cos(step * value);
    double const turn_sine = std::sin(step * value);
    double cosine = 1;
    double sine = 0;
    for (std::size_t k = 0; k < knots; ++k) {
      body(k, cosine, sine);
      double const next = cosine * turn_cosine - sine * turn_sine;
      sine = sine * turn_cosine + cosine * turn_sine;
      cosine = next;
    }
  }
  void wave_of(std::span<double const> values) {
    cosines_ = sines_ = {};
    for (double const value : values)
      for_waves(value, [&](std::size_t k, double cosine, double sine) {
        cosines_[k] += cosine;
        sines_[k] += sine;
      });
  }

  std::array<double, knots> expected_{}, weights_{}, cosines_{}, sines_{};
};

}  // namespace detail

/// How far each view's rows are from a standard normal distribution, in the mean over views and
/// directions: SIGReg (Balestriero and LeCun 2025, arXiv 2511.08544). z (images * views, E), the
/// views of an image one after the other; directions (M, E). Adds the gradient times `scale` to
/// `gradient` (images * views, E). Linear in the number of images; sums are in a fixed order.
template <class T>
double sketched_normality(matrix_view<T const> z,
                          index_t views,
                          matrix_view<double const> directions,
                          double scale,
                          std::span<double> gradient) {
  index_t const images = z.rows / views;
  double const share = 1 / static_cast<double>(views * directions.rows);
  std::vector<double> along(static_cast<std::size_t>(images));
  std::vector<double> grads(along.size());
  detail::normality_test test;
  double sum = 0;
  for (index_t view = 0; view < views; ++view)
    for (index_t d = 0; d < directions.rows; ++d) {
      auto const direction = directions.row(d);
      for (index_t i = 0; i < images; ++i) {
        auto const row = z.row(i * views + view);
        double product = 0;
        for (std::size_t k = 0; k < direction.size(); ++k)
          product += static_cast<double>(row[k]) * direction[k];
        along[static_cast<std::size_t>(i)] = product;
      }
      grads.assign(grads.size(), 0.0);
      sum += test.measure(along, scale * share, grads);
      for (index_t i = 0; i < images; ++i) {
        double* const to = gradient.data() + (i * views + view) * z.cols;
        for (std::size_t k = 0; k < direction.size(); ++k)
          to[k] += grads[static_cast<std::size_t>(i)] * direction[k];
      }
    }
  return sum * share;
}

/// The mean squared distance of an image's views from their mean, over all values. z as above; adds
/// the gradient times `scale` to `gradient`.
template <class T>
double view_spread(matrix_view<T const> z,
                   index_t views,
                   double scale,
                   std::span<double> gradient) {
  auto const all = static_cast<double>(z.rows * z.cols);
  double sum = 0;
  for (index_t first = 0; first < z.rows; first += views)
    for (index_t k = 0; k < z.cols; ++k) {
      double mean = 0;
      for (index_t v = 0; v < views; ++v)
        mean += static_cast<double>(z(first + v, k)) / static_cast<double>(views);
      for (index_t v = 0; v < views; ++v) {
        double const off = static_cast<double>(z(first + v, k)) - mean;
        sum += off * off;
        gradient[static_cast<std::size_t>((first + v) * z.cols + k)] += 2 * scale * off / all;
      }
    }
  return sum / all;
}

}  // namespace mae
