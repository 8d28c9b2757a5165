#include <mae/core/math.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

double exact_cumulative(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

double exact_density(double x) {
  return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
}

/// f(x) for about two million floats: every 1,009th bit pattern of magnitude up to `limit`, both
/// signs, so that all binades are visited.
template <class F>
void sweep(float limit, F const& f) {
  for (std::uint32_t bits = 0; bits <= std::bit_cast<std::uint32_t>(limit); bits += 1009) {
    f(std::bit_cast<float>(bits));
    f(-std::bit_cast<float>(bits));
  }
}

double exp_error(float x) {
  double const exact = std::exp(static_cast<double>(x));
  return std::abs(static_cast<double>(mae::branchless_exp(x)) - exact) / exact;
}

}  // namespace

TEST_CASE("clamp_by_bits keeps what lies within its limits, and ends there for all else") {
  constexpr auto clamped = [](float x) { return mae::clamp_by_bits(x, -80.0F, 88.0F); };
  for (float const x : {-80.0F, -79.5F, -1e-40F, 0.0F, 1e-40F, 1.0F, 88.0F}) CHECK(clamped(x) == x);
  CHECK(std::signbit(clamped(-0.0F)));
  for (float const x : {-80.5F, -1e30F, -infinity}) CHECK(clamped(x) == -80.0F);
  for (float const x : {88.5F, 1e30F, infinity}) CHECK(clamped(x) == 88.0F);
  for (float const x : {not_a_number, -not_a_number}) CHECK(std::abs(clamped(x)) >= 80.0F);
  static_assert(clamped(100.0F) == 88.0F);
}

TEST_CASE("branchless_exp has a relative error below 1e-7 over its range") {
  double worst = 0;
  auto const look_at = [&](float x) {
    if (x >= -80.0F) worst = std::max(worst, exp_error(x));
  };
  sweep(87.0F, look_at);
  // Where the rounding to an integer changes, the remainder is largest.
  for (int n = -125; n <= 126; ++n) {
    auto x = static_cast<float>((n + 0.5) * std::numbers::ln2);
    for (int step = 0; step < 5; ++step) x = std::nextafter(x, -infinity);
    for (int step = 0; step < 10; ++step, x = std::nextafter(x, infinity)) look_at(x);
  }
  for (float const x : {87.0F, 87.5F, 88.0F, -80.0F}) look_at(x);
  CHECK(worst < 1e-7);
  CHECK(mae::branchless_exp(0.0F) == 1.0F);
}

TEST_CASE("branchless_exp is constant beyond its range, infinities and NaN included") {
  float const least = mae::branchless_exp(-80.0F);
  float const most = mae::branchless_exp(88.0F);
  for (float const x : {-80.1F, -1e5F, std::numeric_limits<float>::lowest(), -infinity})
    CHECK(mae::branchless_exp(x) == least);
  for (float const x : {88.1F, 1e5F, std::numeric_limits<float>::max(), infinity})
    CHECK(mae::branchless_exp(x) == most);
  CHECK((mae::branchless_exp(not_a_number) == least || mae::branchless_exp(not_a_number) == most));
  CHECK(std::isfinite(most));
  CHECK(std::isnormal(least * 1e-3F));
}

TEST_CASE("the normal distribution in float: absolute error below 3.5e-7") {
  double worst_cumulative = 0;
  double worst_density = 0;
  auto const visit = [&](float x) {
    auto const normal = mae::normal_distribution(x);
    worst_cumulative =
        std::max(worst_cumulative, std::abs(normal.cumulative - exact_cumulative(x)));
    worst_density = std::max(worst_density, std::abs(normal.density - exact_density(x)));
  };
  sweep(20.0F, visit);
  for (float const x : {100.0F, -100.0F, 1e10F, -1e10F}) visit(x);
  // The formula is right to 0.75e-7 (half of erfc's 1.5e-7); the rest is rounding near x = 0.
  CHECK(worst_cumulative < 3.5e-7);
  CHECK(worst_density < 1e-7);
}

TEST_CASE("the normal distribution in double is exact to rounding") {
  for (int i = -80; i <= 80; ++i) {
    double const x = i / 10.0;
    auto const normal = mae::normal_distribution(x);
    CHECK(std::abs(normal.cumulative - exact_cumulative(x)) <= 1e-15);
    CHECK(std::abs(normal.density - exact_density(x)) <= 1e-15);
  }
  CHECK(mae::branchless_exp(1.0) == std::exp(1.0));
}

TEST_CASE("the normal distribution's probability is NaN where x is") {
  CHECK(std::isnan(mae::normal_distribution(not_a_number).cumulative));
  CHECK(std::isnan(mae::normal_distribution(std::numeric_limits<double>::quiet_NaN()).cumulative));
}
