#pragma once

#include <mae/backend/eigen/least_squares.hpp>
#include <mae/backend/eigen/symmetric_eigen.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// The last known value before `end`; 0 where there is none.
inline double last_known(std::span<double const> values, index_t end) {
  for (index_t i = end - 1; i >= 0; --i)
    if (!std::isnan(values[static_cast<std::size_t>(i)]))
      return values[static_cast<std::size_t>(i)];
  return 0;
}

/// The last known value of a phase, `phase` values after the context's end less whole periods; the
/// last of all where there is none.
inline double last_of_phase(std::span<double const> values, index_t phase, index_t period) {
  for (index_t i = std::ssize(values) + phase - period; i >= 0; i -= period)
    if (!std::isnan(values[static_cast<std::size_t>(i)]))
      return values[static_cast<std::size_t>(i)];
  return last_known(values, std::ssize(values));
}

}  // namespace detail

/// The last value for ever, or with a period above 1 the last period again and again: of each phase
/// the last value that is known. `contexts` (windows, context), NaN where a value is missing;
/// returns (windows, horizon).
inline std::vector<double> repeat_last(matrix_view<double const> contexts,
                                       index_t horizon,
                                       index_t period = 1) {
  std::vector<double> values;
  for (index_t i = 0; i < contexts.rows; ++i)
    for (index_t h = 0; h < horizon; ++h)
      values.push_back(detail::last_of_phase(contexts.row(i), h % period, period));
  return values;
}

/// A linear map from a context to a horizon, both less the context's last value; by least squares
/// with a ridge, in closed form. A missing value counts as the last before it.
class linear_forecast {
 public:
  /// Fits all windows of `values` (time) that have no missing value, of long series the last
  /// 20,000. The ridge is that of a power of 10 times the inputs' mean square which is best on the
  /// last fifth of them. Throws config_error where there are fewer than 10 such windows.
  linear_forecast(std::span<double const> values, index_t context, index_t horizon)
      : context_(context), horizon_(horizon) {
    auto const windows = whole_windows(values);
    if (windows.size() < 10)
      throw config_error("a linear model of " + std::to_string(context) + " values for the next " +
                         std::to_string(horizon) +
                         " needs 10 windows without missing values, and "
                         "there are " +
                         std::to_string(windows.size()));
    auto const held = windows.size() / 5;
    auto const used = std::span(windows).first(windows.size() - held);
    auto products = products_of(values, used);
    double best = 0;
    for (double const ridge : {1e-4, 1e-3, 1e-2, 1e-1, 1e0}) {
      weights_ = solve(products, ridge);
      double const error = error_of(values, std::span(windows).last(held));
      if (ridge_ > 0 && !(error < best)) continue;
      best = error;
      ridge_ = ridge;
    }
    add_products(values, std::span(windows).last(held), products);
    weights_ = solve(products, ridge_);
  }

  double ridge() const { return ridge_; }

  /// `contexts` (windows, context); returns (windows, horizon).
  std::vector<double> operator()(matrix_view<double const> contexts) const {
    std::vector<double> values;
    std::vector<double> inputs(static_cast<std::size_t>(context_));
    for (index_t i = 0; i < contexts.rows; ++i) {
      double const last = detail::last_known(contexts.row(i), context_);
      double known = last;
      for (index_t k = context_ - 1; k >= 0; --k) {  // what is missing at the beginning: the first
        double const value = contexts(i, k);
        if (!std::isnan(value)) known = value;
      }
      for (index_t k = 0; k < context_; ++k) {
        if (!std::isnan(contexts(i, k))) known = contexts(i, k);
        inputs[static_cast<std::size_t>(k)] = known - last;
      }
      for (index_t h = 0; h < horizon_; ++h) values.push_back(last + output(inputs, h));
    }
    return values;
  }

 private:
  double output(std::span<double const> inputs, index_t h) const {
    double sum = 0;
    for (index_t k = 0; k < context_; ++k)
      sum += weights_[static_cast<std::size_t>(h * context_ + k)] *
             inputs[static_cast<std::size_t>(k)];
    return sum;
  }

  /// Where windows without missing values begin.
  std::vector<index_t> whole_windows(std::span<double const> values) const {
    constexpr std::size_t most = 20'000;
    std::vector<index_t> found;
    index_t const length = context_ + horizon_;
    index_t whole = 0;  // values since the last missing one
    for (index_t i = 0; i < std::ssize(values); ++i) {
      whole = std::isnan(values[static_cast<std::size_t>(i)]) ? 0 : whole + 1;
      if (whole < length) continue;
      if (found.size() == 2 * most)  // so that of a long series few are held
        found.erase(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(most));
      found.push_back(i + 1 - length);
    }
    if (found.size() > most)
      found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(most));
    return found;
  }

  /// Adds the products of rows (context, horizon), less the last value, to the lower triangle.
  void add_products(std::span<double const> values,
                    std::span<index_t const> windows,
                    std::vector<double>& products) const {
    constexpr std::size_t block = 512;
    index_t const length = context_ + horizon_;
    std::vector<double> rows;
    for (std::size_t first = 0; first < windows.size(); first += block) {
      rows.clear();
      for (index_t const begin : windows.subspan(first, std::min(block, windows.size() - first))) {
        double const last = values[static_cast<std::size_t>(begin + context_ - 1)];
        for (index_t k = 0; k < length; ++k)
          rows.push_back(values[static_cast<std::size_t>(begin + k)] - last);
      }
      add_outer_products({rows.data(), std::ssize(rows) / length, length},
                         {products.data(), length, length});
    }
  }
  std::vector<double> products_of(std::span<double const> values,
                                  std::span<index_t const> windows) const {
    constexpr index_t most = 8192;  // half a gigabyte
    if (context_ + horizon_ > most)
      throw config_error("a linear model of " + std::to_string(context_) + " inputs and " +
                         std::to_string(horizon_) + " outputs: at most " + std::to_string(most) +
                         " together");
    auto const length = static_cast<std::size_t>(context_ + horizon_);
    std::vector<double> products(length * length);
    add_products(values, windows, products);
    return products;
  }
  std::vector<double> solve(std::vector<double> const& products, double ridge) const {
    index_t const length = context_ + horizon_;
    double trace = 0;
    for (index_t k = 0; k < context_; ++k)
      trace += products[static_cast<std::size_t>(k * length + k)];
    double const scale = trace > 0 ? trace / static_cast<double>(context_) : 1;
    return ridge_weights({products.data(), length, length}, context_, ridge * scale);
  }
  double error_of(std::span<double const> values, std::span<index_t const> windows) const {
    constexpr std::size_t most = 512;  // of many windows, so many
    double error = 0;
    std::size_t const stride = std::max<std::size_t>(1, windows.size() / most);
    for (std::size_t i = 0; i < windows.size(); i += stride) {
      auto const window = values.subspan(static_cast<std::size_t>(windows[i]));
      auto const said = (*this)({window.data(), 1, context_});
      for (std::size_t h = 0; h < said.size(); ++h) {
        double const off = said[h] - window[static_cast<std::size_t>(context_) + h];
        error += off * off;
      }
    }
    return error;
  }

  index_t context_;
  index_t horizon_;
  double ridge_ = 0;
  std::vector<double> weights_;  // (horizon, context)
};

}  // namespace mae
