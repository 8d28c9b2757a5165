#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/set_zero.hpp>

#include <cassert>
#include <cmath>
#include <span>

namespace mae {
inline namespace MAE_ISA {

/// Where the tokens of each image lie among packed rows: image i has rows
/// [offsets[i], offsets[i + 1]). offsets (images + 1).
using row_offsets = std::span<index_t const>;

namespace kernel {

/// Scores become probabilities in place; the log of the row's sum of exponentials is kept, since
/// with it the backward pass rebuilds the row without a second reduction.
template <class T>
struct softmax_row {
  matrix_view<T> scores;
  T scale;
  T* log_sums;
  index_t log_sum_stride;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T* const s = scores.data + row * scores.stride;
    T const top = block.template max<T>(scores.cols, [&](index_t i) { return s[i]; });
    block.for_each(scores.cols, [&](index_t i) { s[i] = branchless_exp((s[i] - top) * scale); });
    block.barrier();
    T const sum = block.template sum<T>(scores.cols, [&](index_t i) { return s[i]; });
    T const inverse = T{1} / sum;
    block.for_each(scores.cols, [&](index_t i) { s[i] *= inverse; });
    log_sums[row * log_sum_stride] = top * scale + std::log(sum);
  }
};

/// Scores become probabilities by the kept log sums; the probabilities' gradients become the
/// scores': ds = scale * p * (dp - sum(p * dp)).
template <class T>
struct softmax_row_grad {
  matrix_view<T> scores;
  matrix_view<T> grad;
  T scale;
  T const* log_sums;
  index_t log_sum_stride;

  template <class Block>
  void operator()(Block const& block, index_t row) const {
    T* const p = scores.data + row * scores.stride;
    T* const d = grad.data + row * grad.stride;
    T const log_sum = log_sums[row * log_sum_stride];
    block.for_each(scores.cols, [&](index_t i) { p[i] = branchless_exp(p[i] * scale - log_sum); });
    block.barrier();
    T const dot = block.template sum<T>(scores.cols, [&](index_t i) { return p[i] * d[i]; });
    block.for_each(scores.cols, [&](index_t i) { d[i] = scale * p[i] * (d[i] - dot); });
  }
};

/// One head's queries, keys and values of one image, within the packed rows of qkv.
template <class T>
struct head_slices {
  matrix_view<T> query;  // (tokens, D / H) each
  matrix_view<T> key;
  matrix_view<T> value;
};

template <class T>
head_slices<T> slice_head(
    matrix_view<T> qkv, index_t first, index_t tokens, index_t head, index_t head_width) {
  index_t const width = qkv.cols / 3;
  auto const rows = qkv.middle_rows(first, tokens);
  auto const slice = [&](index_t part) {
    return rows.middle_cols(part * width + head * head_width, head_width);
  };
  return {slice(0), slice(1), slice(2)};
}

template <Lane L, class T>
void attend_scores(L const& lane, head_slices<T const> const& head, matrix_view<T> scores) {
  set_zero(lane, scores);
  lane.add_product(product_form::nt, head.query, head.key, scores);
}

}  // namespace kernel

/// How many scalars of scratch memory attention needs for images of up to `tokens` tokens.
constexpr index_t attention_scratch_size(index_t tokens) {
  return 2 * tokens * tokens;
}

/// Multi-head self-attention within each image (Vaswani et al. 2017, arXiv 1706.03762, Eq. 1):
/// softmax(Q K^T / sqrt(D / H)) V. qkv (rows, 3 D): queries, keys and values side by side, each H
/// heads of D / H; y (rows, D); log_sums (rows, H) for the backward pass.
template <Lane L, class T = scalar_of<L>>
void attention_forward(L const& lane,
                       matrix_view<scalar_of<L> const> qkv,
                       row_offsets offsets,
                       index_t heads,
                       matrix_view<scalar_of<L>> y,
                       matrix_view<scalar_of<L>> log_sums,
                       std::span<scalar_of<L>> scratch) {
  index_t const head_width = y.cols / heads;
  T const scale = T{1} / std::sqrt(static_cast<T>(head_width));
  set_zero(lane, y);
  for (std::size_t image = 0; image + 1 < offsets.size(); ++image) {
    index_t const first = offsets[image];
    index_t const tokens = offsets[image + 1] - first;
    assert(static_cast<index_t>(scratch.size()) >= attention_scratch_size(tokens));
    matrix_view<T> const scores(scratch.data(), tokens, tokens);
    for (index_t h = 0; h < heads; ++h) {
      auto const head = kernel::slice_head<T const>(qkv, first, tokens, h, head_width);
      kernel::attend_scores(lane, head, scores);
      lane.for_rows(tokens,
                    kernel::softmax_row<T>{scores, scale, &log_sums(first, h), log_sums.stride});
      lane.add_product(product_form::nn,
                       scores,
                       head.value,
                       y.middle_rows(first, tokens).middle_cols(h * head_width, head_width));
    }
  }
}

/// The gradient of qkv from that of y; the probabilities are computed again, which costs less than
/// keeping them. qkv_grad (rows, 3 D).
template <Lane L, class T = scalar_of<L>>
void attention_backward(L const& lane,
                        matrix_view<scalar_of<L> const> qkv,
                        row_offsets offsets,
                        index_t heads,
                        matrix_view<scalar_of<L> const> log_sums,
                        matrix_view<scalar_of<L> const> y_grad,
                        matrix_view<scalar_of<L>> qkv_grad,
                        std::span<scalar_of<L>> scratch) {
  index_t const head_width = y_grad.cols / heads;
  T const scale = T{1} / std::sqrt(static_cast<T>(head_width));
  set_zero(lane, qkv_grad);
  for (std::size_t image = 0; image + 1 < offsets.size(); ++image) {
    index_t const first = offsets[image];
    index_t const tokens = offsets[image + 1] - first;
    assert(static_cast<index_t>(scratch.size()) >= attention_scratch_size(tokens));
    matrix_view<T> const scores(scratch.data(), tokens, tokens);
    matrix_view<T> const scores_grad(scratch.data() + scores.size(), tokens, tokens);
    for (index_t h = 0; h < heads; ++h) {
      auto const head = kernel::slice_head<T const>(qkv, first, tokens, h, head_width);
      auto const grad = kernel::slice_head<T>(qkv_grad, first, tokens, h, head_width);
      matrix_view<T const> const out_grad =
          y_grad.middle_rows(first, tokens).middle_cols(h * head_width, head_width);
      kernel::attend_scores(lane, head, scores);
      set_zero(lane, scores_grad);
      lane.add_product(product_form::nt, out_grad, head.value, scores_grad);
      lane.for_rows(tokens,
                    kernel::softmax_row_grad<T>{
                        scores, scores_grad, scale, &log_sums(first, h), log_sums.stride});
      lane.add_product(product_form::tn, scores, out_grad, grad.value);
      lane.add_product(product_form::nn, scores_grad, head.key, grad.query);
      lane.add_product(product_form::tn, scores_grad, head.query, grad.key);
    }
  }
}

}  // namespace MAE_ISA
}  // namespace mae
