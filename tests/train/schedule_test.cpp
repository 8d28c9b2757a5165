#include <mae/train/options.hpp>
#include <mae/train/schedule.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

TEST_CASE("the learning rate rises from 0 to its peak and falls to 0 along half a cosine") {
  mae::cosine_schedule const lr{.peak = 0.8, .warmup_steps = 10, .total_steps = 110};
  CHECK(lr(0) == 0.0);
  CHECK(lr(1) == doctest::Approx(0.08).epsilon(1e-15));
  CHECK(lr(5) == doctest::Approx(0.4).epsilon(1e-15));
  CHECK(lr(10) == 0.8);
  CHECK(lr(60) == doctest::Approx(0.4).epsilon(1e-14));
  CHECK(lr(35) == doctest::Approx(0.4 * (1.0 + std::numbers::sqrt2 / 2.0)).epsilon(1e-14));
  CHECK(std::abs(lr(110)) < 1e-16);
  for (int step = 0; step < 110; ++step) CHECK((lr(step + 1) > lr(step)) == (step < 10));
}

TEST_CASE("without a warm-up the first step has the peak") {
  mae::cosine_schedule const lr{.peak = 1e-3, .warmup_steps = 0, .total_steps = 4};
  CHECK(lr(0) == 1e-3);
  CHECK(lr(2) == doctest::Approx(0.5e-3).epsilon(1e-14));
}

TEST_CASE("the cosine may end above 0") {
  mae::cosine_schedule const lr{.peak = 0.8, .warmup_steps = 10, .total_steps = 110, .least = 0.2};
  CHECK(lr(5) == doctest::Approx(0.4).epsilon(1e-15));
  CHECK(lr(10) == doctest::Approx(0.8).epsilon(1e-15));
  CHECK(lr(60) == doctest::Approx(0.5).epsilon(1e-14));
  CHECK(lr(110) == doctest::Approx(0.2).epsilon(1e-14));
}

TEST_CASE("a warm-up of half an epoch may end between two steps") {
  mae::cosine_schedule const lr{.peak = 1, .warmup_steps = 2.5, .total_steps = 12.5};
  CHECK(lr(2) == doctest::Approx(0.8).epsilon(1e-15));
  CHECK(lr(3) == doctest::Approx(0.5 + 0.5 * std::cos(std::numbers::pi * 0.05)).epsilon(1e-15));
}

TEST_CASE("the linear rule scales a base learning rate by the images of a step") {
  static_assert(mae::scaled_lr(1.5e-4, 256) == 1.5e-4);
  CHECK(mae::scaled_lr(1.5e-4, 4096) == doctest::Approx(2.4e-3).epsilon(1e-15));
  CHECK(mae::scaled_lr(1.5e-4, 64) == doctest::Approx(3.75e-5).epsilon(1e-15));
}
