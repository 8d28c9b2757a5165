#include <mae/data/figures.hpp>

#include <doctest/doctest.h>

#include <cmath>

namespace {

using mae::figure;
using mae::detail::figure_distance;

constexpr float period = 0.5F;

bool inside(figure kind, float x, float y) {
  return figure_distance(kind, {x, y}, period) < 0.0F;
}

/// The share of the square from -1.2 to 1.2 that the figure covers, times that square's area.
double area(figure kind) {
  constexpr int steps = 600;
  int count = 0;
  for (int i = 0; i < steps; ++i)
    for (int j = 0; j < steps; ++j)
      count += inside(kind,
                      -1.2F + 2.4F * (static_cast<float>(i) + 0.5F) / steps,
                      -1.2F + 2.4F * (static_cast<float>(j) + 0.5F) / steps)
                   ? 1
                   : 0;
  return 5.76 * count / (steps * steps);
}

}  // namespace

TEST_CASE("outlines have the areas of their geometry") {
  double const pi = std::acos(-1.0);
  CHECK(std::abs(area(figure::disc) - pi) < 0.01);
  CHECK(std::abs(area(figure::ring) - 0.75 * pi) < 0.01);
  CHECK(std::abs(area(figure::square) - 2.56) < 0.02);
  CHECK(std::abs(area(figure::triangle) - 0.75 * std::sqrt(3.0)) < 0.01);
  CHECK(std::abs(area(figure::cross) - (2 * 1.2 - 0.36)) < 0.02);
  // Ten triangles between the centre, a point at 1 and a notch at 1/2.
  CHECK(std::abs(area(figure::star) - 10 * 0.5 * 0.5 * std::sin(pi / 5)) < 0.01);
}

TEST_CASE("textures cover the share of the disc that they should") {
  double const pi = std::acos(-1.0);
  CHECK(std::abs(area(figure::stripes) / pi - 0.5) < 0.04);
  CHECK(std::abs(area(figure::checkers) / pi - 0.5) < 0.04);
  CHECK(std::abs(area(figure::dots) / pi - pi * 0.32 * 0.32) < 0.04);
  // Rings from 1/8 to 3/8 and from 5/8 to 7/8.
  CHECK(std::abs(area(figure::target) / pi - (9 - 1 + 49 - 25) / 64.0) < 0.01);
}

TEST_CASE("the distance to a star's edge changes evenly across it") {
  // Along the axis of a point: outside, the distance to the tip.
  CHECK(figure_distance(figure::star, {0.0F, 1.1F}, period) == doctest::Approx(0.1).epsilon(1e-4));
  CHECK(inside(figure::star, 0.0F, 0.98F));
  CHECK(inside(figure::star, 0.0F, -0.48F));  // the notch is at 1/2
  CHECK(!inside(figure::star, 0.0F, -0.52F));
}
