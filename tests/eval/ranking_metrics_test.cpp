#include "ranking_reference.hpp"

#include <mae/core/error.hpp>
#include <mae/eval/ranking_metrics.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace {

namespace reference = ranking_reference;
using numbers = std::vector<double>;

void check(double found, double expected) {
  CHECK(found == doctest::Approx(expected).epsilon(1e-13));
}

}  // namespace

TEST_CASE("NDCG and average precision are scikit-learn's, with ties and without") {
  auto const of = [](std::span<double const> scores) {
    return [scores](mae::index_t most, mae::ranking_gain gain) {
      return mae::ndcg(reference::grades, scores, most, gain).value();
    };
  };
  auto const scores = of(reference::scores);
  auto const tied = of(reference::tied);
  constexpr auto linear = mae::ranking_gain::linear;
  constexpr auto exponential = mae::ranking_gain::exponential;
  check(scores(0, linear), reference::ndcg_of_scores);
  check(scores(5, linear), reference::ndcg_of_scores_at_5);
  check(scores(0, exponential), reference::exponential_of_scores);
  check(scores(5, exponential), reference::exponential_of_scores_at_5);
  check(tied(0, linear), reference::ndcg_of_tied);
  check(tied(5, linear), reference::ndcg_of_tied_at_5);
  check(tied(0, exponential), reference::exponential_of_tied);
  check(tied(5, exponential), reference::exponential_of_tied_at_5);
  auto const precision = [](std::span<double const> of_scores, double least) {
    return mae::average_precision(reference::grades, of_scores, least).value();
  };
  check(precision(reference::scores, 1), reference::precision_of_scores_from_1);
  check(precision(reference::scores, 3), reference::precision_of_scores_from_3);
  check(precision(reference::tied, 1), reference::precision_of_tied_from_1);
  check(precision(reference::tied, 3), reference::precision_of_tied_from_3);
}

TEST_CASE("the order of images of one score decides nothing, and by hand") {
  numbers const relevance{2, 0, 1}, other{0, 1, 2}, same{1, 1, 1};
  CHECK(mae::ndcg(relevance, same) == mae::ndcg(other, same));
  double const places = 1 + 1 / std::log2(3.0) + 0.5;
  check(mae::ndcg(relevance, same).value(), places / (2 + 1 / std::log2(3.0)));
  check(mae::average_precision(relevance, same).value(), 2.0 / 3);
  CHECK(mae::ndcg(relevance, numbers{3, 1, 2}).value() == 1);
  CHECK(mae::average_precision(relevance, numbers{3, 1, 2}).value() == 1);
  check(mae::average_precision(relevance, numbers{1, 3, 2}).value(), (1.0 / 2 + 2.0 / 3) / 2);
}

TEST_CASE("queries without a relevant image are left out of the means, which say how many count") {
  mae::ranking_grades grades(2);
  CHECK(std::isnan(grades.mean_ndcg()));
  CHECK(std::isnan(grades.mean_average_precision()));
  grades.add(numbers{0, 0}, numbers{1, 2});
  grades.add(numbers{1, 0}, numbers{1, 2});
  grades.add(numbers{1, 0}, numbers{2, 1});
  grades.add({}, {});
  CHECK(grades.queries() == 2);
  check(grades.mean_ndcg(), (1 + 1 / std::log2(3.0)) / 2);
  check(grades.mean_average_precision(), 0.75);
  CHECK_FALSE(mae::ndcg(numbers{0}, numbers{1}).has_value());
}

TEST_CASE("scores and grades that cannot be ranked are refused") {
  double const nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(mae::ndcg(numbers{1, 2}, numbers{1}), mae::config_error);
  CHECK_THROWS_AS(mae::ndcg(numbers{1, 2}, numbers{1, nan}), mae::config_error);
  CHECK_THROWS_AS(mae::ndcg(numbers{1, -2}, numbers{1, 1}), mae::config_error);
  CHECK_THROWS_AS(mae::average_precision(numbers{nan}, numbers{1}), mae::config_error);
}
