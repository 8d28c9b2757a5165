#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using positions = std::vector<mae::patch_index>;

/// Three patches of four values: mean 3 and unbiased variance 20/3; flat; nearly flat.
constexpr mae::model_config config{
    .image = {.height = 2, .width = 6, .channels = 1},
    .patch = {.height = 2, .width = 2},
    .encoder = {.depth = 1, .width = 4, .heads = 1},
    .decoder = {.depth = 1, .width = 4, .heads = 1},
};
constexpr double small = 1e-3;

template <class T>
std::vector<T> patches() {
  auto const s = static_cast<T>(small);
  return {0, 2, 4, 6, 5, 5, 5, 5, 1 - s, 1 + s, 1 - s, 1 + s};
}

/// The targets (rows, P) of some of those patches.
template <class T, class Objective>
std::vector<T> targets_of(Objective const& objective, positions const& rows) {
  auto const given = patches<T>();
  std::vector<T> targets(rows.size() * 4, T{-99});
  objective.target(config,
                   matrix_view<T const>(given.data(), 3, 4),
                   rows,
                   matrix_view<T>(targets.data(), std::ssize(rows), 4));
  return targets;
}

/// The pixels that predictions (rows, P) of those patches stand for.
template <class T, class Objective>
std::vector<T> pixels_of(Objective const& objective,
                         positions const& rows,
                         std::vector<T> const& predictions) {
  auto const given = patches<T>();
  std::vector<T> pixels(predictions.size());
  objective.to_pixels(matrix_view<T const>(given.data(), 3, 4),
                      rows,
                      matrix_view<T const>(predictions.data(), std::ssize(rows), 4),
                      matrix_view<T>(pixels.data(), std::ssize(rows), 4));
  return pixels;
}

static_assert(mae::pixels{}.target_width(config) == 4);
static_assert(mae::normalised_pixels{}.target_width(config) == 4);
static_assert(mae::normalised_pixels{}.epsilon == 1e-6);

}  // namespace

TEST_CASE_TEMPLATE("the target of plain pixels is the patch itself", T, float, double) {
  CHECK(targets_of<T>(mae::pixels{}, {0}) == std::vector<T>{0, 2, 4, 6});
  CHECK(targets_of<T>(mae::pixels{}, {1, 0}) == std::vector<T>{5, 5, 5, 5, 0, 2, 4, 6});
  CHECK(targets_of<T>(mae::pixels{}, {}).empty());
}

TEST_CASE_TEMPLATE("a normalised target has mean 0 and unbiased variance 1", T, float, double) {
  auto const targets = targets_of<T>(mae::normalised_pixels{}, {0});
  double const deviation = std::sqrt(20.0 / 3.0 + 1e-6);
  for (int i = 0; i < 4; ++i)
    CHECK(targets[static_cast<std::size_t>(i)] ==
          doctest::Approx((2.0 * i - 3.0) / deviation).epsilon(1e-6));
  double squares = 0;
  for (double const target : targets) squares += target * target / 3;
  CHECK(squares == doctest::Approx(1.0).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("a flat patch has a target of zeros", T, float, double) {
  CHECK(targets_of<T>(mae::normalised_pixels{}, {1}) == std::vector<T>{0, 0, 0, 0});
}

TEST_CASE("epsilon keeps a nearly flat patch small") {
  double const variance = 4.0 / 3.0 * small * small;
  for (double const epsilon : {1e-6, 4e-3}) {
    auto const targets = targets_of<double>(mae::normalised_pixels{epsilon}, {2});
    CHECK(targets[0] == doctest::Approx(-small / std::sqrt(variance + epsilon)));
    CHECK(targets[3] == doctest::Approx(small / std::sqrt(variance + epsilon)));
  }
}

TEST_CASE("targets stand in the order of the rows that are asked for") {
  mae::normalised_pixels const objective;
  auto const both = targets_of<double>(objective, {2, 0});
  auto const first = targets_of<double>(objective, {2});
  auto const second = targets_of<double>(objective, {0});
  CHECK(std::vector<double>(both.begin(), both.begin() + 4) == first);
  CHECK(std::vector<double>(both.begin() + 4, both.end()) == second);
}

TEST_CASE("targets are read and written between padded rows") {
  std::vector<double> given{0, 2, -7, 10, 20, -7};  // (2, 2), a row every 3 values
  std::vector<double> targets(6, -9);
  mae::pixels{}.target(config,
                       matrix_view<double const>(given.data(), 2, 2, 3),
                       positions{1, 0},
                       matrix_view<double>(targets.data(), 2, 2, 3));
  CHECK(targets == std::vector<double>{10, 20, -9, 0, 2, -9});
  mae::normalised_pixels{0.0}.target(config,
                                     matrix_view<double const>(given.data(), 2, 2, 3),
                                     positions{1, 0},
                                     matrix_view<double>(targets.data(), 2, 2, 3));
  double const unit = std::sqrt(0.5);
  for (std::size_t const row : {0U, 3U}) {
    CHECK(targets[row] == doctest::Approx(-unit));
    CHECK(targets[row + 1] == doctest::Approx(unit));
    CHECK(targets[row + 2] == -9);
  }
}

TEST_CASE_TEMPLATE("to_pixels undoes target", T, float, double) {
  positions const rows{2, 0, 1};
  auto const check = [&](auto const& objective) {
    auto const pixels = pixels_of<T>(objective, rows, targets_of<T>(objective, rows));
    auto const expected = targets_of<T>(mae::pixels{}, rows);
    REQUIRE(pixels.size() == expected.size());
    for (std::size_t i = 0; i < pixels.size(); ++i)
      CHECK(static_cast<double>(pixels[i]) ==
            doctest::Approx(static_cast<double>(expected[i])).epsilon(1e-6));
  };
  check(mae::pixels{});
  check(mae::normalised_pixels{});
  check(mae::normalised_pixels{4e-3});
}

TEST_CASE("a prediction becomes pixels by the true patch's mean and deviation") {
  auto const pixels = pixels_of<double>(mae::normalised_pixels{0.0}, {0}, {0, 1, -1, 2});
  double const deviation = std::sqrt(20.0 / 3.0);
  CHECK(pixels[0] == doctest::Approx(3.0));
  CHECK(pixels[1] == doctest::Approx(3.0 + deviation));
  CHECK(pixels[2] == doctest::Approx(3.0 - deviation));
  CHECK(pixels[3] == doctest::Approx(3.0 + 2 * deviation));
}

TEST_CASE("a patch of one value counts as flat") {
  std::vector<float> const given{7, -3};
  std::vector<float> values(2, -99);
  matrix_view<float> const view(values.data(), 2, 1);
  matrix_view<float const> const patches_of_one(given.data(), 2, 1);
  mae::normalised_pixels const objective;
  objective.target(config, patches_of_one, positions{0, 1}, view);
  CHECK(values == std::vector<float>{0, 0});
  std::vector<float> pixels(2, -99);
  objective.to_pixels(patches_of_one,
                      positions{0, 1},
                      matrix_view<float const>(values.data(), 2, 1),
                      matrix_view<float>(pixels.data(), 2, 1));
  CHECK(pixels == given);
}

TEST_CASE("an objective says what it was made of") {
  CHECK(mae::pixels{}.settings() == mae::settings_list{{"objective", "pixels"}});
  CHECK(mae::normalised_pixels{0.25}.settings() ==
        mae::settings_list{{"objective", "normalised"}, {"target_epsilon", "0.25"}});
}
