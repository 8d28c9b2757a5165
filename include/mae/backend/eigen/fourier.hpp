#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <unsupported/Eigen/FFT>

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

/// The squared sizes of the Fourier coefficients 0, 1, ..., n / 2 of n values, by Eigen's FFT;
/// coefficient k is of k waves over all values. Quick where n is a power of 2.
inline std::vector<double> power_spectrum(std::span<double const> values) {
  std::vector<double> const given(values.begin(), values.end());
  std::vector<std::complex<double>> coefficients;
  Eigen::FFT<double> transform;
  transform.fwd(coefficients, given);
  std::vector<double> power;
  for (std::size_t k = 0; k <= values.size() / 2; ++k) power.push_back(std::norm(coefficients[k]));
  return power;
}

}  // namespace MAE_ISA
}  // namespace mae
