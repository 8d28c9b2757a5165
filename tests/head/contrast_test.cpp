#include "contrast_reference.hpp"
#include "model_images.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/contrast.hpp>
#include <mae/head/info_nce.hpp>
#include <mae/head/key_questions.hpp>
#include <mae/head/projection_layers.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/op/linear.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;

static_assert(mae::HeadOn<mae::contrast, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<mae::contrast, mae::eigen_lane<mae::bfloat16>>);
static_assert(mae::couples_samples<mae::contrast>);

double loss_of(std::vector<double> const& z,
               index_t width,
               index_t views,
               double temperature,
               std::vector<double>& gradient) {
  index_t const rows = std::ssize(z) / width;
  gradient.assign(z.size(), 0);
  return mae::info_nce(matrix_view<double const>(z.data(), rows, width),
                       views,
                       temperature,
                       matrix_view<double>(gradient.data(), rows, width));
}

/// As the definition says it.
double loss_by_definition(std::vector<double> const& z,
                          index_t width,
                          index_t views,
                          double temperature) {
  index_t const images = std::ssize(z) / width / views;
  auto const cosine = [&](index_t a, index_t b) {
    double ab = 0, aa = 0, bb = 0;
    for (index_t k = 0; k < width; ++k) {
      double const x = z[static_cast<std::size_t>(a * width + k)];
      double const y = z[static_cast<std::size_t>(b * width + k)];
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    return ab / std::sqrt(aa * bb);
  };
  double sum = 0;
  index_t terms = 0;
  for (index_t a = 0; a < views; ++a)
    for (index_t b = 0; b < views; ++b)
      for (index_t i = 0; i < images && a != b; ++i) {
        double others = 0;
        for (index_t j = 0; j < images; ++j)
          others += std::exp(cosine(i * views + a, j * views + b) / temperature);
        sum += std::log(others) - cosine(i * views + a, i * views + b) / temperature;
        ++terms;
      }
  return sum / static_cast<double>(terms);
}

void check_reference(std::span<double const> rows,
                     index_t views,
                     double loss,
                     std::span<double const> expected) {
  std::vector<double> gradient;
  CHECK(loss_of({rows.begin(), rows.end()}, 6, views, 0.2, gradient) ==
        doctest::Approx(loss).epsilon(1e-14));
  REQUIRE(gradient.size() == expected.size());
  for (std::size_t i = 0; i < gradient.size(); ++i)
    CHECK(gradient[i] == doctest::Approx(expected[i]).epsilon(1e-11));
}

}  // namespace

TEST_CASE("InfoNCE is what its definition says, and its gradient that loss's") {
  struct shape {
    index_t images, views, width;
    double temperature;
  };
  for (auto const of : {shape{2, 2, 5, 0.2}, shape{7, 2, 3, 1}, shape{4, 3, 8, 0.1}}) {
    CAPTURE(of.images);
    CAPTURE(of.views);
    auto random = mae_test::stream_of(static_cast<std::uint64_t>(of.images));
    std::vector<double> z(static_cast<std::size_t>(of.images * of.views * of.width));
    for (double& value : z) value = random.normal();
    std::vector<double> gradient, unused;
    CHECK(
        loss_of(z, of.width, of.views, of.temperature, gradient) ==
        doctest::Approx(loss_by_definition(z, of.width, of.views, of.temperature)).epsilon(1e-13));
    for (std::size_t i = 0; i < z.size(); ++i) {
      constexpr double step = 1e-6;
      auto above = z, below = z;
      above[i] += step;
      below[i] -= step;
      double const numeric = (loss_of(above, of.width, of.views, of.temperature, unused) -
                              loss_of(below, of.width, of.views, of.temperature, unused)) /
                             (2 * step);
      CHECK(std::abs(numeric - gradient[i]) <= 1e-8);
    }
  }
}

TEST_CASE("InfoNCE of two and of three views, and its gradient, are PyTorch's") {
  namespace reference = contrast_reference;
  check_reference(reference::rows_of_two, 2, reference::loss_of_two, reference::gradient_of_two);
  check_reference(
      reference::rows_of_three, 3, reference::loss_of_three, reference::gradient_of_three);
}

TEST_CASE("InfoNCE of features that are all alike is the logarithm of how many images there are") {
  std::vector<double> gradient;
  std::vector<double> const z(static_cast<std::size_t>(9 * 2 * 4), 0.5);
  CHECK(loss_of(z, 4, 2, 0.2, gradient) == doctest::Approx(std::log(9.0)));
}

namespace {

namespace reference = contrast_reference;
constexpr index_t width = 6;
constexpr index_t rows = 15;  // 5 images of 3 views

matrix_view<double const> matrix_of(std::span<double const> values, index_t cols = width) {
  return {values.data(), std::ssize(values) / cols, cols};
}

mae::key_queue reference_queue() {
  mae::key_queue queue;
  index_t number = 0;
  for (mae::image_index const image : {7, 2, 9, 0, 2, 11})
    queue.add(
        std::span(reference::keys_queue).subspan(static_cast<std::size_t>(width * number++), width),
        image);
  return queue;
}

void check_close(std::span<double const> found, std::span<double const> expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-10));
}

/// The reference's predictor on a lane: what its layers' tensors are in a flat array.
template <class T>
mae::projection_layers::weights<T, mae::linear_weights<T>> predictor_in(T* values) {
  auto const take = [&](index_t size) { return std::exchange(values, values + size); };
  auto const vector = [&](index_t size) {
    return std::span<T>(take(size), static_cast<std::size_t>(size));
  };
  auto const layer = [&](index_t out, index_t in) {
    T* const weight = take(out * in);
    return mae::linear_weights<T>{{weight, out, in}, vector(out)};
  };
  mae::projection_layers::weights<T, mae::linear_weights<T>> of;
  of.norm.weight = vector(width);
  of.norm.bias = vector(width);
  of.first = layer(4, width);
  of.second = layer(width, 4);
  return of;
}

}  // namespace

TEST_CASE("a predictor's questions and their gradients, to own and to moving keys, are PyTorch's") {
  using backend = mae::eigen_backend<double>;
  using lane_type = backend::lane;
  backend const here(1);
  mae::projection_layers const part{width, 4, width};
  auto const values = predictor_in(reference::keys_predictor.data());
  mae::detail::packed_layers<backend> packed(mae::pass_kind::training);
  mae::projection_layers::weights<double const, mae::linear_operands<lane_type>> operands;
  packed.place([&](auto& at) { part.walk("predictor", at, values, operands); });
  packed.pack(here);

  auto lane = here.make_lane();
  lane.reserve_products(rows, width);
  lane.reserve_transposed(rows, width);
  mae::host_buffer<double> memory(4096);
  mae::carver<double> room(memory.data());
  auto const pass =
      mae::projection_layers_pass<lane_type>::carve(room, part, rows, mae::pass_kind::training);
  mae::shard_view const shard;
  mae::head_input<lane_type> const in{lane, shard, {}, {}, {}, 1e-6};
  std::vector<double> queries(reference::keys_queries.size());
  auto const projected = matrix_of(reference::keys_projected);
  pass.forward(in, operands, projected, {queries.data(), rows, width});
  check_close(queries, reference::keys_queries);

  auto const check = [&](matrix_view<double const> keys,
                         mae::key_queue const* earlier,
                         double loss,
                         std::span<double const> of_queries,
                         std::span<double const> of_projected,
                         std::span<double const> of_values) {
    std::vector<mae::image_index> const images{4, 2, 5, 0, 8};
    std::vector<double> gradient(queries.size()), below(queries.size());
    std::vector<double> weights(reference::keys_predictor.size());
    CHECK(mae::info_nce_of_keys(matrix_of(queries),
                                keys,
                                3,
                                0.2,
                                images,
                                earlier,
                                matrix_view<double>(gradient.data(), rows, width)) ==
          doctest::Approx(loss).epsilon(1e-13));
    check_close(gradient, of_queries);
    pass.backward(in,
                  operands,
                  projected,
                  matrix_of(gradient),
                  {below.data(), rows, width},
                  predictor_in(weights.data()));
    check_close(below, of_projected);
    check_close(weights, of_values);
  };
  check(projected,
        nullptr,
        reference::loss_of_own_keys,
        reference::queries_gradient_of_own_keys,
        reference::projected_gradient_of_own_keys,
        reference::predictor_gradient_of_own_keys);
  auto const queue = reference_queue();
  check(matrix_of(reference::keys_averaged),
        &queue,
        reference::loss_of_moving_keys,
        reference::queries_gradient_of_moving_keys,
        reference::projected_gradient_of_moving_keys,
        reference::predictor_gradient_of_moving_keys);
}

TEST_CASE("an image's own earlier key is no answer to avoid, and keys have no gradient") {
  mae::contrast const head{
      .projection = {.outputs = width}, .predictor = 3, .moving_keys = true, .queue = 6};
  std::vector<double> z(static_cast<std::size_t>(4 * 2 * width)), averaged(z.size());
  auto random = mae_test::stream_of(3);
  for (auto* const values : {&z, &averaged})
    for (double& value : *values) value = random.normal();
  mae::key_queue queue;
  std::vector<mae::image_index> const images{5, 8};
  auto const loss_with = [&] {
    std::vector<double> gradient(z.size(), 1);
    double const loss = head.couple(matrix_of(z, 2 * width),
                                    matrix_view<double>(gradient.data(), 4, 2 * width),
                                    {random, matrix_of(averaged, 2 * width), images, &queue});
    for (std::size_t i = 0; i < gradient.size(); ++i)
      CHECK((gradient[i] == 0) == (i % (2 * width) >= width));
    return loss;
  };
  double const alone = loss_with();
  head.remember<double>({random, matrix_of(averaged, 2 * width), {images.data(), 1}}, queue);
  CHECK(queue.size() == 1);
  double const other = loss_with();
  CHECK(other > alone);  // image 5's key, for the questions of image 8
  queue.images[0] = 1000;
  CHECK(loss_with() > other);  // now of neither
  queue.keep_last(0);
  CHECK(queue.size() == 0);
  CHECK(loss_with() == alone);
}

TEST_CASE("a row of zeros, and a temperature near 0, leave loss and gradient finite") {
  std::vector<double> gradient;
  CHECK(std::isfinite(loss_of({0, 0, 1, 1, 3, -1, 2, 2}, 2, 2, 1e-3, gradient)));
  for (double const value : gradient) CHECK(std::isfinite(value));
}

TEST_CASE("contrast that cannot be is refused") {
  auto const refusal = [](mae::contrast const& head) {
    try {
      head.fitted(mae_test::odd_config).require_valid();
    } catch (mae::config_error const& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal({}).empty());
  CHECK(refusal({.views = 1}) ==
        "contrast compares views of an image: it takes two at least, not 1");
  for (double const temperature : {0.0, -0.2})
    CHECK(refusal({.temperature = temperature})
              .starts_with("the temperature of contrast must be positive and finite"));
  CHECK(!refusal({.temperature = std::numeric_limits<double>::quiet_NaN()}).empty());
  CHECK(!refusal({.temperature = std::numeric_limits<double>::infinity()}).empty());
  CHECK(refusal({.predictor = -1}).starts_with("contrast's predictor needs values, or 0"));
  CHECK(refusal({.moving_keys = true, .queue = -1}).starts_with("contrast's queue keeps a number"));
  CHECK(refusal({.queue = 64}).starts_with("contrast's queue needs moving keys"));
  CHECK(refusal({.moving_keys = true, .queue = 64}).empty());
  CHECK(refusal({.projection = {.hidden = 0}}) ==
        "a projector's layers need values, not 0 and 128");
}
