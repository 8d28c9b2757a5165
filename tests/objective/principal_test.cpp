#include "objective_reference.hpp"
#include "reference_pixels.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/objective/fit_principal.hpp>
#include <mae/objective/principal.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;

/// As `patches` of make_objective_reference.py: (40, 6).
std::vector<float> reference_patches() {
  constexpr std::array<float, 6> factors{3, 1, 2, 1.5F, 0.5F, 1};
  auto patches = reference_pixels({40, 3, 2});
  for (std::size_t i = 0; i < patches.size(); ++i) patches[i] *= factors[i % 6];
  return patches;
}

mae::principal_basis reference_basis(index_t dropped) {
  auto const patches = reference_patches();
  return mae::fit_principal_components(matrix_view<float const>(patches.data(), 40, 6), dropped);
}

constexpr auto forty = sizes_of({40, 3, 2}, {1, 3});

}  // namespace

TEST_CASE("components are numpy's eigenvectors of the covariance") {
  auto const basis = reference_basis(2);
  CHECK(basis.patches == 40);
  CHECK(greatest_difference(basis.mean, objective_reference::principal_mean) < 1e-7);
  CHECK(greatest_difference(basis.variances, objective_reference::principal_variances) < 1e-7);
  CHECK(greatest_difference(basis.components, objective_reference::principal_components) < 1e-6);
}

TEST_CASE_TEMPLATE("targets are coordinates, of a mean square of 1", T, float, double) {
  mae::principal_components const objective(reference_basis(2));
  CHECK(objective.dropped() == 2);
  auto const found = all_targets_of<T>(objective, forty, reference_patches());
  CHECK(greatest_difference(found, objective_reference::principal_targets) < 1e-5);
  double squares = 0;
  for (auto const value : found) squares += static_cast<double>(value) * static_cast<double>(value);
  CHECK(squares / 160 == doctest::Approx(39.0 / 40));  // the variances are unbiased
}

TEST_CASE("what was left out of a target is painted as the true patch has it") {
  mae::principal_components const objective(reference_basis(2));
  auto const patches = reference_patches();
  matrix_view<float const> const given(patches.data(), 40, 6);
  std::vector<mae::patch_index> const rows{7, 31};
  std::vector<float> predicted(8);
  objective.target(forty, given, rows, matrix_view<float>(predicted.data(), 2, 4));
  std::vector<float> pixels(12, -99);
  auto const paint = [&] {
    objective.to_pixels(given,
                        rows,
                        matrix_view<float const>(predicted.data(), 2, 4),
                        matrix_view<float>(pixels.data(), 2, 6));
  };
  paint();
  for (std::size_t k = 0; k < 6; ++k) {
    CHECK(pixels[k] == doctest::Approx(patches[42 + k]));
    CHECK(pixels[6 + k] == doctest::Approx(patches[186 + k]));
  }
  std::ranges::fill(predicted, 0.5F);
  paint();
  auto const again = all_targets_of<float>(
      objective, sizes_of({2, 3, 2}, {1, 3}), std::vector<float>(pixels.begin(), pixels.end()));
  for (float const value : again) CHECK(value == doctest::Approx(0.5).epsilon(1e-4));
  auto const whole = mae::principal_components(reference_basis(0));
  auto const before = all_targets_of<float>(whole, forty, patches);
  auto const after = all_targets_of<float>(
      whole, sizes_of({2, 3, 2}, {1, 3}), std::vector<float>(pixels.begin(), pixels.end()));
  for (std::size_t k = 0; k < 2; ++k)
    CHECK(after[k] == doctest::Approx(before[42 + k]).epsilon(1e-4));
}

TEST_CASE("the seed draws the patches, and threads change nothing") {
  auto const config = sizes_of({8, 8, 3}, {4, 4});
  auto const read = [](index_t image, std::span<float> pixels) {
    auto const all = reference_pixels({8, 8, 3});
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = all[(i * 7 + static_cast<std::size_t>(image) * 13) % all.size()];
  };
  mae::pixel_statistics const statistics{.mean = {0.5, 0.4, 0.3}, .deviation = {0.2, 0.2, 0.4}};
  auto const fit = [&](std::uint64_t seed, int workers) {
    mae::thread_pool threads(workers);
    return mae::fit_principal_components(
        {.dropped = 1, .patches = 100, .seed = seed}, 20, config, statistics, read, threads);
  };
  auto const one = fit(4, 1);
  CHECK(one.components == fit(4, 3).components);
  CHECK(one.components != fit(5, 1).components);
  CHECK(one.patches == 100);
  CHECK(one.variances.size() == 48);
  CHECK(one.components.size() == std::size_t{47} * 48);
}

TEST_CASE("bad components are refused") {
  CHECK_THROWS_WITH_AS(reference_basis(6),
                       "principal components: 6 are to be left out of the 6 that a patch has; at "
                       "least one must stay",
                       mae::config_error);
  CHECK_THROWS_AS(reference_basis(-1), mae::config_error);
  mae::principal_components const objective(reference_basis(2));
  CHECK_THROWS_AS(static_cast<void>(objective.target_width(sizes_of({4, 4, 1}, {2, 2}))),
                  mae::config_error);
  auto torn = reference_basis(2);
  torn.variances.pop_back();
  CHECK_THROWS_AS(mae::principal_components{torn}, mae::config_error);
  auto infinite = reference_basis(2);
  infinite.components[3] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(mae::principal_components{infinite}, mae::config_error);
  std::vector<float> const flat(12, 0.25F);
  CHECK_THROWS_AS(mae::principal_components(mae::fit_principal_components(
                      matrix_view<float const>(flat.data(), 3, 4), 1)),
                  mae::config_error);
  CHECK_THROWS_AS(mae::fit_principal_components(matrix_view<float const>(flat.data(), 1, 4), 1),
                  mae::config_error);
}
