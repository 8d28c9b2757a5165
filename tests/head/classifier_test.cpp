#include "editable_file.hpp"
#include "model_images.hpp"
#include "network_of_heads.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/pooling.hpp>

#include <doctest/doctest.h>

#include <cstddef>
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

/// The head over given tokens of two images, with values of its own.
class lone_classifier {
  using backend = mae_test::backend;
  using lane = backend::lane;

 public:
  static constexpr mae::index_t tokens = 7;

  explicit lone_classifier(bool normalises) : head_(a_classifier(pooling::both, normalises)) {
    mae::detail::table_walk table(layout_);
    head_.walk(table);
    values_ = mae_test::padded_matrix<double>(1, layout_.size(), random_);
    classifier::weights<double const, mae::linear_weights<double const>> bound;
    mae::tensor_binder<double const> at(layout_, values_.vector().data());
    head_.walk(at, bound);
    packed_.place([&](auto& packing) { head_.walk(packing, bound, operands_); });
    packed_.pack(backend_);
    mae::carver<double> count;
    carve(count);
    memory_ = mae::host_buffer<double>(count.used());
    mae::carver<double> memory(memory_.data());
    carve(memory);
  }

  /// Of all weights, as they lie in the layout.
  std::vector<double> gradient(mae::matrix_view<double> tokens_grad) {
    std::vector<double> flat(static_cast<std::size_t>(layout_.size()));
    classifier::weights<double, mae::linear_weights<double>> bound;
    mae::tensor_binder<double> at(layout_, flat.data());
    head_.walk(at, bound);
    mae::shard_view shard;
    shard.images = 2;
    shard.encoder_offsets = starts_;
    std::vector<double> const labels{3, 0};
    std::vector<double> losses(2);
    mae::head_input<lane> const in{lane_, shard, tokens_.view(), {labels.data(), 2, 1}, {}, 1e-6};
    pass_.forward(in, operands_, losses);
    pass_.backward(in, operands_, tokens_grad, bound);
    return flat;
  }

 private:
  void carve(mae::carver<double>& memory) {
    pass_ = mae::classifier_pass<lane>::carve(
        memory, head_, mae::shard_capacity{.images = 2}, mae::pass_kind::training);
  }

  classifier head_;
  mae::random_stream random_ = mae_test::stream_of(5);
  mae_test::padded_matrix<double> tokens_{tokens, odd_config.encoder.width, random_};
  std::vector<mae::index_t> starts_{0, 4, tokens};
  mae::parameter_layout layout_;
  mae_test::padded_matrix<double> values_{1, 1};
  backend backend_{1};
  lane lane_;
  mae::detail::packed_layers<backend> packed_{mae::pass_kind::training};
  classifier::weights<double const, mae::linear_operands<lane>> operands_;
  mae::host_buffer<double> memory_;
  mae::classifier_pass<lane> pass_;
};

}  // namespace

static_assert(mae::HeadOn<classifier, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<classifier, mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("R1: a classifier's gradient, whatever is pooled, normalised and smoothed") {
  for (auto const pool : {pooling::class_token, pooling::mean, pooling::both, pooling::first})
    for (bool const normalises : {false, true}) {
      CAPTURE(static_cast<int>(pool));
      CAPTURE(normalises);
      network_of<classifier> network(a_classifier(pool, normalises, normalises ? 0.1 : 0.0));
      mae_test::check_gradients(network);
    }
}

TEST_CASE("without a place for the tokens' gradient, the weights' are the same") {
  for (bool const normalises : {false, true}) {
    CAPTURE(normalises);
    lone_classifier head(normalises);
    mae_test::padded_matrix<double> tokens_grad(lone_classifier::tokens, odd_config.encoder.width);
    auto const expected = head.gradient(tokens_grad.view());
    CHECK(expected.front() != 0);
    CHECK(head.gradient({}) == expected);
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
  CHECK(refusal({.classes = 2}) == "a classifier needs the width of its encoder");
  CHECK(refusal({.encoder_width = 8, .classes = 2, .smoothing = 1.0}) ==
        "label smoothing must be in [0, 1), it is 1");
  double const not_a_number = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal({.encoder_width = 8, .classes = 2, .smoothing = not_a_number}) ==
        "label smoothing must be in [0, 1), it is nan");
}
