#include "fixture.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/attention.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::padded_matrix;

std::vector<index_t> const ragged{0, 1, 5, 12, 14};  // images of 1, 4, 7 and 2 tokens
constexpr index_t heads = 5;
constexpr index_t head_width = 3;
constexpr index_t width = heads * head_width;

template <class T>
struct attended {
  padded_matrix<T> y;         // (rows, D)
  padded_matrix<T> log_sums;  // (rows, H)
};

/// Scratch memory of NaN, also where it is read as bfloat16: what uses it before it is written is
/// spoilt.
template <class O>
std::vector<mae::sum_of<O>> scratch_for(matrix_view<O const> qkv, index_t head_count) {
  std::vector<mae::sum_of<O>> scratch(
      static_cast<std::size_t>(mae::attention_scratch_size<mae::eigen_lane<O>>(
          {qkv.rows, qkv.rows, head_count, qkv.cols / 3 / head_count})));
  std::memset(scratch.data(), 0xFF, scratch.size() * sizeof(scratch.front()));
  return scratch;
}

template <class T>
attended<T> attend(matrix_view<T const> qkv,
                   std::vector<index_t> const& offsets,
                   index_t head_count = heads) {
  T const unset = std::numeric_limits<T>::quiet_NaN();
  attended<T> result{{qkv.rows, qkv.cols / 3, unset}, {qkv.rows, head_count, unset}};
  auto scratch = scratch_for(qkv, head_count);
  mae::attention_forward(mae::eigen_lane<T>{},
                         qkv,
                         offsets,
                         head_count,
                         result.y.view(),
                         result.log_sums.view(),
                         scratch);
  return result;
}

template <class T>
padded_matrix<T> attend_backward(matrix_view<T const> qkv,
                                 std::vector<index_t> const& offsets,
                                 attended<T> const& forward,
                                 padded_matrix<T> const& y_grad) {
  padded_matrix<T> qkv_grad(qkv.rows, qkv.cols, std::numeric_limits<T>::quiet_NaN());
  auto scratch = scratch_for(qkv, forward.log_sums.view().cols);
  mae::attention_backward(mae::eigen_lane<T>{},
                          qkv,
                          offsets,
                          forward.log_sums.view().cols,
                          forward.log_sums.view(),
                          y_grad.view(),
                          qkv_grad.view(),
                          scratch);
  return qkv_grad;
}

/// One query of one head over rows [first, last), in double: y's entries and the log of the sum.
template <class T>
double plain_attention(matrix_view<T const> qkv,
                       index_t first,
                       index_t last,
                       index_t row,
                       index_t head,
                       std::vector<double>& y) {
  std::vector<double> scores;
  for (index_t key = first; key < last; ++key) {
    double score = 0;
    for (index_t i = head * head_width; i < (head + 1) * head_width; ++i)
      score += static_cast<double>(qkv(row, i)) * static_cast<double>(qkv(key, width + i));
    scores.push_back(score / std::sqrt(static_cast<double>(head_width)));
  }
  double sum = 0;
  for (double const score : scores) sum += std::exp(score);
  y.assign(head_width, 0);
  for (index_t key = first; key < last; ++key)
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] +=
          std::exp(scores[static_cast<std::size_t>(key - first)]) / sum *
          static_cast<double>(qkv(key, 2 * width + head * head_width + static_cast<index_t>(i)));
  return std::log(sum);
}

/// Attention and its gradient in mixed precision, and in float of the same rounded operands.
struct mixed_and_exact {
  mixed_and_exact(index_t tokens, index_t head_count, index_t each) {
    using mae::bfloat16;
    index_t const cols = head_count * each;
    std::vector<index_t> const offsets{0, tokens};
    auto random = mae_test::stream_of(7);
    auto const round = [&](index_t count) {
      std::vector<bfloat16> values;
      for (index_t i = 0; i < count; ++i) values.emplace_back(static_cast<float>(random.normal()));
      return values;
    };
    auto const qkv = round(tokens * 3 * cols);
    auto const y_grad = round(tokens * cols);
    std::vector<bfloat16> y(y_grad.size());
    std::vector<bfloat16> qkv_grad(qkv.size());
    std::vector<float> log_sums(static_cast<std::size_t>(tokens * head_count));
    matrix_view<bfloat16 const> const in(qkv.data(), tokens, 3 * cols);
    matrix_view<float> const logs(log_sums.data(), tokens, head_count);
    auto scratch = scratch_for(in, head_count);
    mae::eigen_lane<bfloat16> const lane;
    mae::attention_forward(lane, in, offsets, head_count, {y.data(), tokens, cols}, logs, scratch);
    mae::attention_backward(lane,
                            in,
                            offsets,
                            head_count,
                            logs,
                            {y_grad.data(), tokens, cols},
                            {qkv_grad.data(), tokens, 3 * cols},
                            scratch);
    mixed_y = in_float(y);
    mixed_grad = in_float(qkv_grad);

    auto const whole_qkv = in_float(qkv);
    auto const whole_grad = in_float(y_grad);
    padded_matrix<float> padded_grad(tokens, cols);
    for (index_t row = 0; row < tokens; ++row)
      std::copy_n(whole_grad.data() + row * cols, cols, padded_grad.view().row(row).begin());
    matrix_view<float const> const exact_in(whole_qkv.data(), tokens, 3 * cols);
    auto const forward = attend<float>(exact_in, offsets, head_count);
    auto const backward = attend_backward<float>(exact_in, offsets, forward, padded_grad);
    for (index_t row = 0; row < tokens; ++row) {
      auto const y_row = forward.y.view().row(row);
      auto const grad_row = backward.view().row(row);
      exact_y.insert(exact_y.end(), y_row.begin(), y_row.end());
      exact_grad.insert(exact_grad.end(), grad_row.begin(), grad_row.end());
    }
  }

  static std::vector<float> in_float(std::vector<mae::bfloat16> const& values) {
    return {values.begin(), values.end()};
  }

  std::vector<float> mixed_y, mixed_grad, exact_y, exact_grad;
};

/// The norm of a - b over that of b.
double relative_difference(std::vector<float> const& a, std::vector<float> const& b) {
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - double{b[i]}, 2);
    norm += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

}  // namespace

TEST_CASE_TEMPLATE("attention equals a plain loop within each image", T, float, double) {
  auto random = mae_test::stream_of(3);
  padded_matrix<T> const qkv(ragged.back(), 3 * width, random);
  auto const [y, log_sums] = attend<T>(qkv.view(), ragged);
  double const tolerance = 100 * std::numeric_limits<T>::epsilon();
  std::vector<double> expected;
  for (std::size_t image = 0; image + 1 < ragged.size(); ++image)
    for (index_t row = ragged[image]; row < ragged[image + 1]; ++row)
      for (index_t head = 0; head < heads; ++head) {
        double const log_sum =
            plain_attention<T>(qkv.view(), ragged[image], ragged[image + 1], row, head, expected);
        REQUIRE(std::abs(log_sums(row, head) - log_sum) <= tolerance);
        for (index_t i = 0; i < head_width; ++i)
          REQUIRE(std::abs(y(row, head * head_width + i) - expected[static_cast<std::size_t>(i)]) <=
                  tolerance);
      }
  CHECK(y.gaps_are_intact());
  CHECK(log_sums.gaps_are_intact());
}

TEST_CASE("a sequence of one token attends to itself: its value") {
  auto random = mae_test::stream_of(4);
  padded_matrix<double> const qkv(1, 3 * width, random);
  auto const [y, log_sums] = attend<double>(qkv.view(), {0, 1});
  for (index_t i = 0; i < width; ++i) CHECK(y(0, i) == qkv(0, 2 * width + i));
}

TEST_CASE_TEMPLATE("an image's rows are the same bits alone and in any shard", T, float, double) {
  auto random = mae_test::stream_of(5);
  padded_matrix<T> const qkv(ragged.back(), 3 * width, random);
  padded_matrix<T> const y_grad(ragged.back(), width, random);
  auto const whole = attend<T>(qkv.view(), ragged);
  auto const whole_grad = attend_backward<T>(qkv.view(), ragged, whole, y_grad);
  for (std::size_t image = 0; image + 1 < ragged.size(); ++image) {
    index_t const first = ragged[image];
    index_t const tokens = ragged[image + 1] - first;
    auto const alone_qkv = qkv.view().middle_rows(first, tokens);
    auto const alone = attend<T>(alone_qkv, {0, tokens});
    CHECK(mae_test::largest_difference<T>(alone.y.view(),
                                          whole.y.view().middle_rows(first, tokens)) == 0);
    padded_matrix<T> grad_rows(tokens, width);
    for (index_t row = 0; row < tokens; ++row)
      std::ranges::copy(y_grad.view().row(first + row), grad_rows.view().row(row).begin());
    auto const alone_grad = attend_backward<T>(alone_qkv, {0, tokens}, alone, grad_rows);
    CHECK(mae_test::largest_difference<T>(alone_grad.view(),
                                          whole_grad.view().middle_rows(first, tokens)) == 0);
  }
}

TEST_CASE("a NaN reaches no other image") {
  auto random = mae_test::stream_of(6);
  padded_matrix<float> qkv(ragged.back(), 3 * width, random);
  std::ranges::fill(qkv.view().row(2), std::numeric_limits<float>::quiet_NaN());
  padded_matrix<float> const y_grad(ragged.back(), width, 1.0F);
  auto const forward = attend<float>(qkv.view(), ragged);
  auto const qkv_grad = attend_backward<float>(qkv.view(), ragged, forward, y_grad);
  for (index_t row = 0; row < ragged.back(); ++row)
    if (row < ragged[1] || row >= ragged[2]) {
      CHECK(std::ranges::none_of(forward.y.view().row(row), [](float x) { return std::isnan(x); }));
      CHECK(std::ranges::none_of(qkv_grad.view().row(row), [](float x) { return std::isnan(x); }));
    } else {
      CHECK(std::ranges::all_of(forward.y.view().row(row), [](float x) { return std::isnan(x); }));
    }
}

TEST_CASE("large scores neither overflow nor lose the largest") {
  padded_matrix<float> qkv(3, 3);  // one head of width 1
  for (index_t row = 0; row < 3; ++row) {
    qkv.view()(row, 0) = 1000;
    qkv.view()(row, 1) = static_cast<float>(row) - 3;  // scores -3000, -2000, -1000
    qkv.view()(row, 2) = static_cast<float>(row + 1);
  }
  auto const [y, log_sums] = attend<float>(qkv.view(), {0, 3}, 1);
  for (index_t row = 0; row < 3; ++row) {
    CHECK(y(row, 0) == 3);
    CHECK(log_sums(row, 0) == -1000);
  }
}

TEST_CASE("in mixed precision attention and its gradient are float's to two digits") {
  for (index_t const head_values : {4, 32, 48})
    for (index_t const tokens : {1, 7, 16, 17, 33, 65}) {
      CAPTURE(head_values);
      CAPTURE(tokens);
      mixed_and_exact const run(tokens, 2, head_values);
      CHECK(relative_difference(run.mixed_y, run.exact_y) <= 1e-2);
      CHECK(relative_difference(run.mixed_grad, run.exact_grad) <= 1e-2);
    }
}

TEST_CASE("attention and its gradient are PyTorch's") {
  mae_test::fixture const ops("ops");
  auto const qkv = ops.matrix("attention.qkv");
  auto const offsets = ops.indices("attention.offsets");
  index_t const head_count = std::stoi(ops.metadata("attention_heads"));
  auto const forward = attend<float>(qkv.view(), offsets, head_count);
  mae_test::check_output(forward.y, ops.matrix("attention.y"));
  auto const qkv_grad =
      attend_backward<float>(qkv.view(), offsets, forward, ops.matrix("attention.y_grad"));
  mae_test::check_gradient_parity(qkv_grad, ops.matrix("attention.qkv_grad"));
}
