#include "model_images.hpp"
#include "network_of_heads.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/attentive_classifier.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>

#include <doctest/doctest.h>

#include <vector>

namespace {

using mae::attentive_classifier;
using mae_test::network_of;
using mae_test::odd_config;

attentive_classifier with_queries(mae::index_t queries) {
  return {.encoder_width = odd_config.encoder.width,
          .classes = 4,
          .queries = queries,
          .smoothing = queries == 1 ? 0.0 : 0.1};
}

}  // namespace

static_assert(mae::HeadOn<attentive_classifier, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<attentive_classifier, mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("R1: an attentive classifier's gradient, alone and beside a painter") {
  for (mae::index_t const queries : {1, 3}) {
    network_of<attentive_classifier> alone(with_queries(queries));
    mae_test::check_gradients(alone);
  }
  network_of<mae::painter, attentive_classifier> both(mae_test::a_painter(), with_queries(2));
  mae_test::check_gradients(both);
}

TEST_CASE("an attentive classifier's tensors are queries and a layer of what they find") {
  network_of<attentive_classifier> const network(with_queries(3));
  CHECK(network.layout.find("attentive.queries").size() == 3 * odd_config.encoder.width);
  CHECK(network.layout.find("attentive.head.weight").shape ==
        std::vector<mae::index_t>{4, 3 * odd_config.encoder.width});
  CHECK(network.layout.find("attentive.head.bias").segment == "attentive");
}

TEST_CASE("an attentive classifier that cannot be is refused") {
  auto const check_refused = [](attentive_classifier const& head) {
    CHECK_THROWS_AS(
        mae::layout_of(mae::network_parts<attentive_classifier>{odd_config, 1e-6, {head}}),
        mae::config_error);
  };
  check_refused(with_queries(0));
  check_refused({.encoder_width = 8, .classes = 1});
  check_refused({.classes = 3});
  check_refused({.encoder_width = 8, .classes = 3, .smoothing = 1});
}
