#include "eval_sets.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/knn.hpp>
#include <mae/eval/labelled_features.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using eval_sets::cloud_set;
using mae::index_t;
using backend = mae::eigen_backend<float>;

/// Whether kNN elects `label` for one image.
bool elects(mae::labelled_features const& train,
            std::vector<float> const& image,
            index_t label,
            index_t classes,
            mae::knn_options const& options) {
  backend processor(1);
  std::vector<index_t> const labels{label};
  mae::labelled_features const test{{image.data(), 1, static_cast<index_t>(image.size())}, labels};
  return mae::knn_top1(processor, train, test, classes, options) == 1.0;
}

}  // namespace

TEST_CASE("every image's elected class is PyTorch's") {
  auto const train = eval_sets::reference_train();
  auto const test = eval_sets::reference_test();
  backend processor(2);
  mae::knn_options const options{.neighbours = 7};
  CHECK(mae::knn_top1(processor, train, test, 3, options) ==
        doctest::Approx(eval_reference::knn_top1));
  // With the elected classes for labels, each of them must be found.
  CHECK(mae::knn_top1(processor, train, {test.features, eval_reference::knn_classes}, 3, options) ==
        1.0);
}

TEST_CASE("neighbours are found across tiles, whatever the number of threads") {
  cloud_set const train(1500, 12, 5, 0.7, 1);
  cloud_set const test(333, 12, 5, 0.7, 2);
  backend one(1);
  backend three(3);
  double const top1 = mae::knn_top1(one, train.view, test.view, 5);
  CHECK(top1 == mae::knn_top1(three, train.view, test.view, 5));
  CHECK(top1 > 0.5);
  CHECK(top1 < 1.0);
  // Every training image is its own nearest neighbour, the last of a tile and of the set included.
  CHECK(mae::knn_top1(three, train.view, train.view, 5, {.neighbours = 1}) == 1.0);
}

TEST_CASE("several numbers of neighbours at once are each of them alone") {
  cloud_set const train(1500, 12, 5, 0.7, 1);
  cloud_set const test(333, 12, 5, 0.7, 2);
  backend processor(2);
  std::vector<index_t> const numbers{20, 1, 200, 5};
  auto const together = mae::knn_top1(processor, train.view, test.view, 5, numbers);
  std::vector<double> alone;
  for (index_t const number : numbers)
    alone.push_back(mae::knn_top1(processor, train.view, test.view, 5, {.neighbours = number}));
  CHECK(together == alone);
  CHECK(together[1] != together[0]);
}

TEST_CASE("length does not count, direction does") {
  std::vector<float> const values{100.0F, 1.0F, 0.0F, 0.01F};
  std::vector<index_t> const labels{0, 1};
  mae::labelled_features const train{{values.data(), 2, 2}, labels};
  CHECK(elects(train, {1.0F, 50.0F}, 1, 2, {.neighbours = 1}));
  CHECK(elects(train, {5.0F, 1.0F}, 0, 2, {.neighbours = 1}));
}

TEST_CASE("votes are weighed by similarity, the temperature says how much") {
  // One neighbour of class 0 at cosine 1, two of class 1 at cosine 0.8: 1 against 2 exp(-0.2 / t).
  std::vector<float> const values{1.0F, 0.0F, 0.8F, 0.6F, 0.8F, -0.6F};
  std::vector<index_t> const labels{0, 1, 1};
  mae::labelled_features const train{{values.data(), 3, 2}, labels};
  CHECK(elects(train, {2.0F, 0.0F}, 0, 2, {.neighbours = 3}));
  CHECK(elects(train, {2.0F, 0.0F}, 1, 2, {.neighbours = 3, .temperature = 1.0}));
  CHECK(elects(train, {2.0F, 0.0F}, 0, 2, {.neighbours = 1, .temperature = 1.0}));
  // A temperature near 0 overflows nothing.
  CHECK(elects(train, {2.0F, 0.0F}, 0, 2, {.neighbours = 3, .temperature = 1e-6}));
}

TEST_CASE("of equally similar images the earlier counts, of equal votes the lower class") {
  std::vector<float> const values{1.0F, 0.0F, 1.0F, 0.0F, 1.0F, 0.0F};
  std::vector<index_t> const labels{2, 1, 0};
  mae::labelled_features const train{{values.data(), 3, 2}, labels};
  CHECK(elects(train, {1.0F, 0.0F}, 2, 3, {.neighbours = 1}));
  CHECK(elects(train, {1.0F, 0.0F}, 1, 3, {.neighbours = 2}));
  // Two equals, then two that are nearer: the later of the equals leaves first. Votes count alike.
  std::vector<float> const late{0.6F, 0.8F, 0.6F, 0.8F, 1.0F, 0.0F, 1.0F, 0.0F};
  std::vector<index_t> const late_labels{0, 1, 0, 1};
  mae::labelled_features const late_train{{late.data(), 4, 2}, late_labels};
  CHECK(elects(late_train, {1.0F, 0.0F}, 0, 2, {.neighbours = 3, .temperature = 1e3}));
  // An image without a direction is equally far from all.
  CHECK(elects(train, {0.0F, 0.0F}, 2, 3, {.neighbours = 1}));
}

TEST_CASE("options that cannot be used are refused") {
  backend processor(1);
  auto const train = eval_sets::reference_train();
  auto const refused = [&](mae::knn_options const& options) {
    CHECK_THROWS_AS(mae::knn_top1(processor, train, train, 3, options), mae::config_error);
  };
  refused({.neighbours = 0});
  refused({.neighbours = 61});
  refused({.temperature = 0.0});
  refused({.temperature = -1.0});
  auto const refused_list = [&](std::vector<index_t> const& neighbours) {
    CHECK_THROWS_AS(mae::knn_top1(processor, train, train, 3, neighbours), mae::config_error);
  };
  refused_list({});
  refused_list({1, 61});
  refused_list({5, 0});
}
