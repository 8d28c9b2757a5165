#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace mae {
inline namespace MAE_ISA {

/// e^x without a branch or a call, so that a loop over it becomes vector code: e^x = 2^n e^r with
/// |r| <= ln(2)/2 and a Taylor polynomial of degree 7, whose remainder is below 2^-26.
/// Relative error below 1e-7 for x in [-80, 88]; beyond, the value at the end of that range, NaN
/// included: a caller that must notice NaN looks at its other operands. e^-80 leaves room for the
/// products that follow: numbers too small to be normal take a processor a hundred times as long.
MAE_HOST_DEVICE constexpr float branchless_exp(float x) {
  constexpr float log2_e = std::numbers::log2e_v<float>;
  constexpr float ln2_high = 0.693359375F;  // 9 bits: its product with n is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float round_to_integer = 12582912.0F;  // 1.5 * 2^23
  x = x > -80.0F ? x : -80.0F;
  x = x < 88.0F ? x : 88.0F;
  float const n = (x * log2_e + round_to_integer) - round_to_integer;
  float const r = (x - n * ln2_high) - n * ln2_low;
  float p = 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return p * std::bit_cast<float>((static_cast<std::int32_t>(n) + 127) << 23);
}

/// In double, speed is no concern: double exists for gradient checks.
MAE_HOST_DEVICE inline double branchless_exp(double x) {
  return std::exp(x);
}

/// The standard normal distribution at x: what GELU and its derivative are made of.
template <class T>
struct normal_at {
  T cumulative;  // Phi(x)
  T density;     // phi(x)
};

/// Absolute error of Phi below 1.5e-7. The complementary error function is Abramowitz and
/// Stegun 7.1.26 (Hastings): erfc(z) = (a1 t + ... + a5 t^5) e^(-z^2), t = 1 / (1 + p z), z = |x| /
/// sqrt 2.
MAE_HOST_DEVICE constexpr normal_at<float> normal_distribution(float x) {
  constexpr float inverse_sqrt_2pi =
      std::numbers::inv_sqrtpi_v<float> / std::numbers::sqrt2_v<float>;
  float const magnitude = x < 0.0F ? -x : x;
  float const gauss = branchless_exp(-0.5F * x * x);
  float const t = 1.0F / (1.0F + 0.3275911F / std::numbers::sqrt2_v<float> * magnitude);
  float p = 1.061405429F;
  p = p * t - 1.453152027F;
  p = p * t + 1.421413741F;
  p = p * t - 0.284496736F;
  p = p * t + 0.254829592F;
  float const tail = 0.5F * p * t * gauss;
  return {x < 0.0F ? tail : 1.0F - tail, gauss * inverse_sqrt_2pi};
}

MAE_HOST_DEVICE inline normal_at<double> normal_distribution(double x) {
  constexpr double inverse_sqrt_2pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return {0.5 * std::erfc(-x / std::numbers::sqrt2), std::exp(-0.5 * x * x) * inverse_sqrt_2pi};
}

}  // namespace MAE_ISA
}  // namespace mae
