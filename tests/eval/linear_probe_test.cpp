#include "eval_sets.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_probe.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace {

using eval_sets::cloud_set;
using mae::index_t;
using backend = mae::eigen_backend<float>;

}  // namespace

TEST_CASE("a probe separates what a linear classifier can, and generalises") {
  cloud_set const train(2000, 16, 4, 0.5, 1);
  cloud_set const test(1000, 16, 4, 0.5, 2);
  backend processor(2);
  auto const result = mae::linear_probe(
      processor, train.view, test.view, 4, {.epochs = 10, .batch = 128, .seed = 3});
  // The four coordinates of a class and the four of another, averaged, differ by 1 with a deviation
  // of 0.35: the best classifier errs in about 1% of images.
  CHECK(result.top1 > 0.98);
  CHECK(result.train_top1 > 0.98);
  CHECK(result.loss < 0.1);
}

TEST_CASE("a probe on features that say nothing names a class by chance") {
  cloud_set const train(2000, 16, 4, 1e6, 1);
  cloud_set const test(2000, 16, 4, 1e6, 2);
  backend processor(2);
  auto const result = mae::linear_probe(processor, train.view, test.view, 4, {.epochs = 3});
  CHECK(result.top1 > 0.2);
  CHECK(result.top1 < 0.3);
}

TEST_CASE("a probe does not depend on the threads, but on its seed") {
  cloud_set const train(700, 12, 3, 1.0, 1);
  cloud_set const test(300, 12, 3, 1.0, 2);
  auto const probed = [&](int threads, std::uint64_t seed) {
    backend processor(threads);
    return mae::linear_probe(
        processor, train.view, test.view, 3, {.epochs = 4, .batch = 200, .seed = seed});
  };
  auto const one = probed(1, 7);
  auto const three = probed(3, 7);
  CHECK(one.loss == three.loss);
  CHECK(one.top1 == three.top1);
  CHECK(one.train_top1 == three.train_top1);
  CHECK(one.loss != probed(1, 8).loss);
}

TEST_CASE("a training set smaller than a batch is one batch") {
  backend processor(1);
  auto const result = mae::linear_probe(
      processor, eval_sets::reference_train(), eval_sets::reference_test(), 3, {.epochs = 40});
  CHECK(result.train_top1 > 0.6);
}

TEST_CASE("options that cannot be used are refused") {
  backend processor(1);
  auto const train = eval_sets::reference_train();
  auto const refused = [&](mae::probe_options const& options) {
    CHECK_THROWS_AS(mae::linear_probe(processor, train, train, 3, options), mae::config_error);
  };
  refused({.epochs = 0});
  refused({.batch = 1});
  refused({.learning_rate = 0.0});
  refused({.learning_rate = std::numeric_limits<double>::infinity()});
  refused({.momentum = 1.0});
  refused({.momentum = -0.1});
  mae::labelled_features const single{train.features.middle_rows(0, 1), train.labels.first(1)};
  CHECK_THROWS_AS(mae::linear_probe(processor, single, train, 3), mae::config_error);
}

TEST_CASE("sets that cannot be compared are refused by name") {
  auto const train = eval_sets::reference_train();
  auto const test = eval_sets::reference_test();
  CHECK_NOTHROW(mae::require_comparable(train, test, 3));
  CHECK_THROWS_WITH_AS(mae::require_comparable(train, test, 2),
                       "training features: the label of image 2 is 2, of 2 classes",
                       mae::config_error);
  CHECK_THROWS_AS(mae::require_comparable(train, test, 1), mae::config_error);
  CHECK_THROWS_WITH_AS(mae::require_comparable(train, {test.features, test.labels.first(39)}, 3),
                       "test features: 39 labels for 40 images",
                       mae::config_error);
  CHECK_THROWS_AS(mae::require_comparable({}, test, 3), mae::config_error);
  CHECK_THROWS_AS(mae::require_comparable(train, {test.features.middle_cols(0, 5), test.labels}, 3),
                  mae::config_error);

  std::vector<index_t> labels(test.labels.begin(), test.labels.end());
  labels[3] = -1;
  CHECK_THROWS_AS(mae::require_comparable(train, {test.features, labels}, 3), mae::config_error);
  std::vector<float> values(eval_reference::test_features.begin(),
                            eval_reference::test_features.end());
  values[6 * 5 + 2] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(mae::require_comparable(train, {{values.data(), 40, 6}, test.labels}, 3),
                       "test features: those of image 5 are not finite",
                       mae::config_error);
}
