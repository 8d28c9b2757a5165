#include "editable_file.hpp"
#include "model_images.hpp"
#include "network_of_heads.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/painter.hpp>
#include <mae/op/pooling.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

namespace {

using mae::classifier;
using mae::painter;
using mae::pooling;
using mae_test::network_of;
using mae_test::odd_config;

classifier a_classifier(pooling pool, bool normalises, double smoothing = 0) {
  return {.encoder_width = odd_config.encoder.width,
          .classes = 4,
          .pool = pool,
          .normalises = normalises,
          .smoothing = smoothing};
}

}  // namespace

static_assert(mae::HeadOn<classifier, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<classifier, mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("R1: a classifier's gradient, whatever is pooled, normalised and smoothed") {
  for (auto const pool : {pooling::class_token, pooling::mean, pooling::both})
    for (bool const normalises : {false, true}) {
      CAPTURE(static_cast<int>(pool));
      CAPTURE(normalises);
      network_of<classifier> network(a_classifier(pool, normalises, normalises ? 0.1 : 0.0));
      mae_test::check_gradients(network);
    }
}

TEST_CASE("R1: a classifier beside a painter") {
  network_of<painter, classifier> network(mae_test::a_painter(),
                                          a_classifier(pooling::both, true, 0.2));
  mae_test::check_gradients(network);
}

TEST_CASE("a classifier's tensors have timm's names; without a norm there is none") {
  network_of<classifier> const plain(a_classifier(pooling::mean, false));
  CHECK(plain.layout.find("head.weight").segment == classifier::name);
  CHECK(plain.layout.find("head.weight").shape ==
        std::vector<mae::index_t>{4, odd_config.encoder.width});
  CHECK_THROWS(plain.layout.find("fc_norm.weight"));
  network_of<classifier> const both(a_classifier(pooling::both, true));
  CHECK(both.layout.find("fc_norm.weight").size() == 2 * odd_config.encoder.width);
}

TEST_CASE("a classifier that cannot be is refused") {
  auto const refusal = [](classifier const& head) {
    return refusal_of<mae::config_error>([&] {
      mae::layout_of(mae::network_parts<classifier>{odd_config, 1e-6, {head}});
    });
  };
  CHECK(refusal({.encoder_width = 8, .classes = 1}) ==
        "a classifier needs at least two classes, not 1");
  CHECK(refusal({.encoder_width = 8, .classes = 2, .smoothing = 1.0}) ==
        "label smoothing must be in [0, 1), it is 1");
  double const not_a_number = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal({.encoder_width = 8, .classes = 2, .smoothing = not_a_number}) ==
        "label smoothing must be in [0, 1), it is nan");
}
