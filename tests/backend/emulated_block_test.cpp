#include "emulated_block.hpp"

#include "fixture.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/patch_loss.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

namespace {

using mae::index_t;
using mae_test::emulated_lane;
using mae_test::emulated_threads;
using mae_test::padded_matrix;

constexpr std::uint64_t seeds = 4;

/// The largest difference; infinite where one is not a number.
double difference(padded_matrix<double> const& a, padded_matrix<double> const& b) {
  double worst = 0;
  for (index_t i = 0; i < a.view().rows; ++i)
    for (index_t j = 0; j < a.view().cols; ++j) {
      double const d = std::abs(a(i, j) - b(i, j));
      worst = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(worst, d);
    }
  return worst;
}

struct attention_results {
  padded_matrix<double> y, log_sums, qkv_grad;
};

/// Attention forward and backward over images of 3, 45 and 21 rows: several chunks and tiles.
template <class Lane>
attention_results attend(Lane const& lane) {
  constexpr index_t heads = 2;
  constexpr index_t width = 10;
  std::vector<index_t> const offsets{0, 3, 48, 69};
  auto random = mae_test::stream_of(3);
  padded_matrix<double> const qkv(69, 3 * width, random);
  padded_matrix<double> const y_grad(69, width, random);
  attention_results results{{69, width}, {69, heads}, {69, 3 * width}};
  std::vector<double> scratch(
      static_cast<std::size_t>(mae::attention_scratch_size<Lane>({69, 45, heads, width / heads})));
  mae::attention_forward(
      lane, qkv.view(), offsets, heads, results.y.view(), results.log_sums.view(), scratch);
  mae::attention_backward(lane,
                          qkv.view(),
                          offsets,
                          heads,
                          results.log_sums.view(),
                          y_grad.view(),
                          results.qkv_grad.view(),
                          scratch);
  return results;
}

struct cross_results {
  padded_matrix<double> y, log_sums, q_grad, kv_grad;
};

/// Likewise of 0, 45 and 7 queries of 7, 33 and 21 keys.
template <class Lane>
cross_results attend_across(Lane const& lane) {
  constexpr index_t heads = 2;
  constexpr index_t width = 10;
  std::vector<index_t> const queries{0, 0, 45, 52};
  std::vector<index_t> const keys{0, 7, 40, 61};
  auto random = mae_test::stream_of(3);
  padded_matrix<double> const q(52, width, random);
  padded_matrix<double> const kv(61, 2 * width, random);
  padded_matrix<double> const y_grad(52, width, random);
  constexpr double unset = std::numeric_limits<double>::quiet_NaN();  // the op writes all of it
  cross_results results{
      {52, width, unset}, {52, heads, unset}, {52, width, unset}, {61, 2 * width, unset}};
  std::vector<double> scratch(
      static_cast<std::size_t>(mae::attention_scratch_size<Lane>({52, 45, heads, width / heads})));
  mae::attention_rows const rows{queries, keys};
  mae::cross_attention_forward(
      lane, q.view(), kv.view(), rows, heads, results.y.view(), results.log_sums.view(), scratch);
  mae::cross_attention_backward(lane,
                                q.view(),
                                kv.view(),
                                rows,
                                heads,
                                results.log_sums.view(),
                                y_grad.view(),
                                results.q_grad.view(),
                                results.kv_grad.view(),
                                scratch);
  return results;
}

}  // namespace

TEST_CASE("cross-attention's blocks do the same by many threads") {
  auto const expected = attend_across(mae::eigen_lane<double>{});
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    auto const found = attend_across(emulated_lane<double>(seed));
    CHECK(difference(found.y, expected.y) < 1e-13);
    CHECK(difference(found.log_sums, expected.log_sums) < 1e-13);
    CHECK(difference(found.q_grad, expected.q_grad) < 1e-12);
    CHECK(difference(found.kv_grad, expected.kv_grad) < 1e-12);
  }
}

TEST_CASE("attention's blocks do the same by many threads, in whatever order these run") {
  auto const expected = attend(mae::eigen_lane<double>{});
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    auto const found = attend(emulated_lane<double>(seed));
    CHECK(difference(found.y, expected.y) < 1e-13);
    CHECK(difference(found.log_sums, expected.log_sums) < 1e-13);
    CHECK(difference(found.qkv_grad, expected.qkv_grad) < 1e-12);
  }
}

TEST_CASE("a missing barrier shows") {
  auto const expected = attend(mae::eigen_lane<double>{});
  auto const found = attend(emulated_lane<double>(0, /*has_barriers=*/false));
  CHECK(difference(found.y, expected.y) > 1e-6);
  CHECK(difference(found.qkv_grad, expected.qkv_grad) > 1e-6);
}

TEST_CASE("a barrier that some threads never reach is an error, not a wait without end") {
  emulated_threads threads(0);
  CHECK_THROWS_AS(threads.run(emulated_threads::size,
                              [&](int thread) {
                                if (thread > 0)
                                  threads.wait(thread, emulated_threads::scope::block);
                              }),
                  std::logic_error);
}

TEST_CASE("rows' functors do the same by a team of threads") {
  constexpr index_t rows = 5;
  constexpr index_t cols = 23;
  auto random = mae_test::stream_of(4);
  padded_matrix<double> const x(rows, cols, random);
  padded_matrix<double> const y_grad(rows, cols, random);
  padded_matrix<double> const weights(2, cols, random);
  mae::norm_weights<double const> const norm{weights.view().row(0), weights.view().row(1)};
  struct results {
    padded_matrix<double> y, statistics, x_grad, weights_grad, losses, losses_grad;
  };
  auto const run = [&](auto const& lane) {
    results all{{rows, cols}, {rows, 2}, {rows, cols}, {2, cols}, {1, rows}, {rows, cols}};
    mae::layer_norm_forward(lane, x.view(), norm, 1e-6, all.y.view(), all.statistics.view());
    mae::layer_norm_backward(lane,
                             x.view(),
                             norm,
                             all.statistics.view(),
                             y_grad.view(),
                             all.x_grad.view(),
                             {all.weights_grad.view().row(0), all.weights_grad.view().row(1)});
    mae::patch_loss_forward(lane, {}, x.view(), y_grad.view(), all.losses.vector());
    mae::patch_loss_backward(lane, {}, x.view(), y_grad.view(), all.losses_grad.view());
    return all;
  };
  auto const expected = run(mae::eigen_lane<double>{});
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    auto const found = run(emulated_lane<double>(seed));
    CHECK(difference(found.y, expected.y) < 1e-13);
    CHECK(difference(found.statistics, expected.statistics) < 1e-13);
    CHECK(difference(found.x_grad, expected.x_grad) < 1e-13);
    CHECK(difference(found.weights_grad, expected.weights_grad) < 1e-13);
    CHECK(difference(found.losses, expected.losses) < 1e-13);
    CHECK(difference(found.losses_grad, expected.losses_grad) < 1e-13);
  }
}
