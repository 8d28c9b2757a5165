#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace mae {
inline namespace MAE_ISA {

/// x within [least, most], where least < 0 < most; NaN becomes one of the two. As integers, the
/// bits of negative floats are the greater the further from zero, unsigned, and below all others,
/// signed. By masks, since of conditionals compilers make branches that compute what follows for
/// each end of the range apart.
MAE_HOST_DEVICE constexpr float clamp_by_bits(float x, float least, float most) {
  auto const lower = std::bit_cast<std::uint32_t>(least);
  auto const upper = std::bit_cast<std::uint32_t>(most);
  auto const choose = [](bool first, std::uint32_t a, std::uint32_t b) {
    return b ^ ((a ^ b) & (0U - static_cast<std::uint32_t>(first)));
  };
  auto const bits = std::bit_cast<std::uint32_t>(x);
  auto const raised = choose(bits < lower, bits, lower);
  bool const is_below = static_cast<std::int32_t>(raised) < static_cast<std::int32_t>(upper);
  return std::bit_cast<float>(choose(is_below, raised, upper));
}

/// e^x without a branch or a call, so that a loop over it becomes vector code: e^x = 2^n e^r with
/// |r| <= ln(2)/2 and the polynomial 1 + r + r^2 (...) of degree 6 whose greatest relative error is
/// least, 4e-9.
/// Relative error below 1e-7 for x in [-80, 88]; beyond, the value at the end of that range, NaN
/// included: a caller that must notice NaN looks at its other operands. e^-80 leaves room for the
/// products that follow: numbers too small to be normal take a processor a hundred times as long.
MAE_HOST_DEVICE constexpr float branchless_exp(float x) {
  constexpr float log2_e = std::numbers::log2e_v<float>;
  constexpr float ln2_high = 0.693359375F;  // 9 bits: its product with n is exact
  constexpr float ln2_low = -2.12194440e-4F;
  constexpr float round_to_integer = 12582912.0F;  // 1.5 * 2^23
  x = clamp_by_bits(x, -80.0F, 88.0F);
  float const shifted = x * log2_e + round_to_integer;  // its lowest bits are n
  float const n = shifted - round_to_integer;
  float const r = (x - n * ln2_high) - n * ln2_low;
  float p = 0.00138145988F;
  p = p * r + 0.00836871658F;
  p = p * r + 0.041668389F;
  p = p * r + 0.166665211F;
  p = p * r + 0.49999994F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) +
                              (std::bit_cast<std::uint32_t>(shifted) << 23U));
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

/// Absolute error of Phi below 3.5e-7: the formula's is 0.75e-7, the rest is rounding near x = 0.
/// Half of erfc(z) by Abramowitz and Stegun 7.1.26 (Hastings), z = |x| / sqrt 2, t = 1 / (1 + p z):
/// erfc(z) = (a1 t + ... + a5 t^5) e^(-z^2).
MAE_HOST_DEVICE constexpr normal_at<float> normal_distribution(float x) {
  constexpr float inverse_sqrt_2pi =
      std::numbers::inv_sqrtpi_v<float> / std::numbers::sqrt2_v<float>;
  auto const magnitude = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0x7FFFFFFFU);
  float const gauss = branchless_exp(-0.5F * x * x);
  float const t = 1.0F / (1.0F + 0.3275911F / std::numbers::sqrt2_v<float> * magnitude);
  float p = 0.5F * 1.061405429F;
  p = p * t - 0.5F * 1.453152027F;
  p = p * t + 0.5F * 1.421413741F;
  p = p * t - 0.5F * 0.284496736F;
  p = p * t + 0.5F * 0.254829592F;
  float const tail = p * t * gauss;
  // By masks, as above: a branch here keeps loops over it from being vector code.
  auto const below = 0U - static_cast<std::uint32_t>(x < 0.0F);
  auto const lower = std::bit_cast<std::uint32_t>(tail);
  auto const upper = std::bit_cast<std::uint32_t>(1.0F - tail);
  return {std::bit_cast<float>(upper ^ ((upper ^ lower) & below)), gauss * inverse_sqrt_2pi};
}

MAE_HOST_DEVICE inline normal_at<double> normal_distribution(double x) {
  constexpr double inverse_sqrt_2pi = std::numbers::inv_sqrtpi / std::numbers::sqrt2;
  return {0.5 * std::erfc(-x / std::numbers::sqrt2), std::exp(-0.5 * x * x) * inverse_sqrt_2pi};
}

}  // namespace MAE_ISA
}  // namespace mae
