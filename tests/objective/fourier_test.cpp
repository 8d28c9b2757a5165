#include "objective_reference.hpp"
#include "reference_pixels.hpp"

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/objective/fourier.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>
#include <span>
#include <vector>

TEST_CASE_TEMPLATE("magnitudes are numpy's of any patch", T, float, double) {
  double const tolerance = sizeof(T) == 4 ? 1e-6 : 1e-8;
  auto const check = [&](mae::image_extent const& extent, std::span<double const> expected) {
    auto const config = sizes_of(extent, {extent.height, extent.width});
    auto const found =
        all_targets_of<T>(mae::fourier_magnitudes(), config, reference_pixels(extent));
    CHECK(greatest_difference(found, expected) < tolerance);
  };
  check({4, 6, 2}, objective_reference::fourier_4x6);
  check({5, 3, 1}, objective_reference::fourier_5x3);
  check({1, 4, 3}, objective_reference::fourier_1x4);
}

TEST_CASE("each patch is transformed by itself, whatever the other sizes were before") {
  auto const config = sizes_of({8, 6, 2}, {4, 6});
  auto pixels = reference_pixels({4, 6, 2});
  pixels.insert(pixels.begin(), 48, 0.5F);  // a flat patch above
  auto const found = all_targets_of<float>(mae::fourier_magnitudes(), config, pixels);
  CHECK(greatest_difference(std::span(found).subspan(32), objective_reference::fourier_4x6) < 1e-6);
  CHECK(found[0] == doctest::Approx(0.5 * std::sqrt(24.0)));
  for (std::size_t i = 1; i < 16; ++i) CHECK(std::abs(found[i]) < 1e-6F);
}

TEST_CASE("no patch size is louder: the squares over all frequencies are those of the pixels") {
  auto const config = sizes_of({4, 4, 1}, {4, 4});
  auto const pixels = reference_pixels(config.image);
  auto const found = all_targets_of<double>(mae::fourier_magnitudes(), config, pixels);
  double squares = 0;  // column frequency 1 of 0, 1, 2 stands for its mirror, too
  for (std::size_t i = 0; i < found.size(); ++i)
    squares += found[i] * found[i] * (i % 3 == 1 ? 2 : 1);
  double const expected = std::transform_reduce(pixels.begin(), pixels.end(), pixels.begin(), 0.0);
  CHECK(squares == doctest::Approx(expected));
}
