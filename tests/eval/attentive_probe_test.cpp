#include "attentive_reference.hpp"

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/attentive_probe.hpp>
#include <mae/eval/feature_classifier.hpp>
#include <mae/eval/feature_pass.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/head/attentive_classifier.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/linear.hpp>
#include <mae/optimizer/adamw.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <numeric>
#include <span>
#include <vector>

namespace {

namespace reference = attentive_reference;
using mae::attentive_classifier;
using mae::index_t;

constexpr index_t token_values = reference::tokens * reference::width;

mae::labelled_features reference_tokens() {
  return {{reference::all_tokens.data(), reference::images, token_values}, reference::labels};
}

template <class Values, class Expected>
void check_close(Values const& values, Expected const& expected, double tolerance) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(std::abs(values[i] - expected[i]) <= tolerance * (1.0 + std::abs(expected[i])));
}

template <mae::Backend B>
using tokens_classifier = mae::feature_classifier<B, attentive_classifier, mae::adamw>;

template <mae::Backend B>
tokens_classifier<B> classifier_of(index_t width,
                                   index_t tokens,
                                   index_t classes,
                                   index_t queries,
                                   index_t batch,
                                   B const& backend) {
  return {{.encoder_width = width, .classes = classes, .queries = queries, .skipped = 0},
          {.of_image = tokens, .weights_beneath = true},
          batch,
          mae::adamw{.weight_decay = reference::decay, .beta2 = 0.999},
          backend};
}

/// Twelve steps over three batches in turn, half a cosine to 0, against PyTorch's.
template <mae::Backend B>
void check_twelve_steps(B const& backend, double tolerance) {
  using T = typename B::scalar;
  constexpr std::size_t steps = 12;
  auto probe = classifier_of(reference::width,
                             reference::tokens,
                             reference::classes,
                             reference::queries,
                             reference::batch,
                             backend);
  std::vector<T> const first(reference::first_queries.begin(), reference::first_queries.end());
  probe.set(probe.weights().queries, first);
  std::vector<mae::image_index> rows(static_cast<std::size_t>(reference::batch));
  std::vector<double> losses;
  for (std::size_t step = 0; step < steps; ++step) {
    std::iota(rows.begin(), rows.end(), static_cast<mae::image_index>(step % 3 * rows.size()));
    double const cosine =
        0.5 + 0.5 * std::cos(std::numbers::pi * static_cast<double>(step) / steps);
    losses.push_back(probe.train(reference_tokens(), rows, reference::rate * cosine));
  }
  check_close(losses, reference::probe_losses, tolerance);
  auto const& [queries, layer] = probe.weights();
  check_close(queries, reference::probe_queries, tolerance);
  check_close(std::span(layer.weight.data, static_cast<std::size_t>(layer.weight.size())),
              reference::probe_weight,
              tolerance);
  check_close(layer.bias, reference::probe_bias, tolerance);
  mae::labelled_features const chosen{reference_tokens().features, reference::chosen};
  CHECK(probe.accuracy(chosen) == 1.0);
}

/// The logits of the reference's tokens, by its folded weights.
template <mae::Backend B>
std::vector<double> folded_logits(B const& backend) {
  using T = typename B::scalar;
  using pass_type = mae::detail::feature_pass<B, attentive_classifier>;
  attentive_classifier const head{.encoder_width = reference::width,
                                  .classes = reference::classes,
                                  .queries = reference::heads * reference::aim_queries,
                                  .skipped = 0};
  pass_type pass(backend, head, reference::tokens, reference::images);
  std::vector<T> const queries(reference::folded_queries.begin(), reference::folded_queries.end());
  std::vector<T> const weight(reference::folded_weight.begin(), reference::folded_weight.end());
  std::vector<T> const bias(reference::folded_bias.begin(), reference::folded_bias.end());
  attentive_classifier::weights<T const, mae::linear_weights<T const>> const weights{
      queries, {{weight.data(), reference::classes, head.pooled()}, bias}};
  typename pass_type::operands_type operands;
  mae::detail::packed_layers<B> packed(mae::pass_kind::inference);
  packed.place([&](auto& at) { head.walk(at, weights, operands); });
  packed.pack(backend);
  std::ranges::copy(reference::all_tokens, pass.features(reference::images).data);
  auto const logits = pass.predict(reference::images, operands);
  return {logits.data, logits.data + logits.size()};
}

/// Images of a few tokens, one of which, anywhere, tells the class; the others are as likely of
/// any.
struct needle_set {
  index_t width;
  std::vector<float> values;
  std::vector<index_t> labels;

  needle_set(index_t count, index_t tokens, index_t width_of_token, index_t classes, int seed)
      : width(tokens * width_of_token) {
    mae::random_stream random({.seed = static_cast<std::uint64_t>(seed)});
    for (index_t i = 0; i < count; ++i) {
      labels.push_back(i % classes);
      index_t const place = random.below(static_cast<std::uint64_t>(tokens));
      for (index_t token = 0; token < tokens; ++token)
        for (index_t j = 0; j < width_of_token; ++j) {
          bool const is_needle = token == place;
          double const class_value = is_needle && j == labels.back() ? 3.0 : 0.0;
          double const mark = is_needle && j == width_of_token - 1 ? 4.0 : 0.0;
          // What other tokens say of classes is louder, and no image's own.
          double const noise = random.normal() * (j < classes && !is_needle ? 2.0 : 0.3);
          values.push_back(static_cast<float>(class_value + mark + noise));
        }
    }
  }
  mae::labelled_features view() const {
    return {{values.data(), std::ssize(labels), width}, labels};
  }
};

}  // namespace

TEST_CASE("R2: queries and a layer have the logits of AIM's probe with keys, values and heads") {
  check_close(folded_logits(mae::eigen_backend<double>(1)), reference::aim_logits, 1e-12);
  check_close(folded_logits(mae::eigen_backend<float>(1)), reference::aim_logits, 1e-5);
}

TEST_CASE("R2: twelve steps of an attentive probe are PyTorch's") {
  SUBCASE("fp64") {
    check_twelve_steps(mae::eigen_backend<double>(2), 2e-6);
  }
  SUBCASE("fp32") {
    check_twelve_steps(mae::eigen_backend<float>(2), 2e-5);
  }
}

TEST_CASE("the number of threads changes no bit of an attentive probe") {
  needle_set const images(700, 5, 12, 4, 1);
  auto const trained = [&](int threads) {
    auto probe = classifier_of(12, 5, 4, 3, 610, mae::eigen_backend<float>(threads));
    mae::random_stream random({.seed = 4, .use = mae::purpose::probe});
    probe.draw(probe.weights().queries, 0.5, random);
    std::vector<mae::image_index> rows(610);
    std::iota(rows.begin(), rows.end(), 50);
    std::vector<double> found;
    for (int step = 0; step < 5; ++step) found.push_back(probe.train(images.view(), rows, 0.01));
    for (float const value : probe.values()) found.push_back(value);
    found.push_back(probe.accuracy(images.view()));
    return found;
  };
  auto const one = trained(1);
  CHECK(one[4] < one[0]);
  for (int const threads : {2, 3}) CHECK(trained(threads) == one);
}

TEST_CASE("queries find the token that tells, which the mean of all does not") {
  constexpr index_t tokens = 16;
  needle_set const train(1200, tokens, 10, 4, 1);
  needle_set const test(400, tokens, 10, 4, 2);
  mae::eigen_backend<float> const backend(2);
  mae::attentive_options const options{
      .queries = 2, .epochs = 20, .batch = 100, .learning_rate = 1e-2};
  auto const found = mae::attentive_probe(backend, train.view(), test.view(), 4, tokens, options);
  CHECK(found.top1 > 0.95);
  auto const mean_of = [](needle_set const& set) {
    std::vector<float> means;
    for (index_t i = 0; i < std::ssize(set.labels); ++i)
      for (index_t j = 0; j < 10; ++j) {
        float sum = 0;
        for (index_t token = 0; token < tokens; ++token)
          sum += set.values[static_cast<std::size_t>(i * set.width + token * 10 + j)];
        means.push_back(sum);
      }
    return means;
  };
  auto const train_means = mean_of(train);
  auto const test_means = mean_of(test);
  auto const of_means = mae::linear_probe(backend,
                                          {{train_means.data(), 1200, 10}, train.labels},
                                          {{test_means.data(), 400, 10}, test.labels},
                                          4);
  CHECK(of_means.top1 < 0.6);

  auto const rounded = [](needle_set const& set) {
    std::vector<mae::bfloat16> values;
    for (float const value : set.values) values.emplace_back(value);
    return values;
  };
  auto const train_values = rounded(train);
  auto const test_values = rounded(test);
  mae::labelled_rows<mae::bfloat16> const short_train{{train_values.data(), 1200, train.width},
                                                      train.labels};
  mae::labelled_rows<mae::bfloat16> const short_test{{test_values.data(), 400, test.width},
                                                     test.labels};
  auto const of_short = mae::attentive_probe(backend, short_train, short_test, 4, tokens, options);
  CHECK(std::abs(of_short.top1 - found.top1) <= 0.01);
}

TEST_CASE("an attentive probe refuses what cannot be") {
  mae::eigen_backend<float> const backend(1);
  auto const set = reference_tokens();
  auto const refused = [&](mae::attentive_options const& options, index_t tokens) {
    CHECK_THROWS_AS(mae::attentive_probe(backend, set, set, reference::classes, tokens, options),
                    mae::config_error);
  };
  refused({.queries = 0}, reference::tokens);
  refused({.epochs = 0}, reference::tokens);
  refused({.batch = 1}, reference::tokens);
  refused({.learning_rate = 0}, reference::tokens);
  refused({.weight_decay = -1}, reference::tokens);
  refused({}, 0);
  CHECK_THROWS_WITH(mae::attentive_probe(backend, set, set, reference::classes, 4),
                    "attentive probe: 30 values of an image are not those of 4 tokens");
}
