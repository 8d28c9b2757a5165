#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/math.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/head_slices.hpp>
#include <mae/op/linear.hpp>

#include <cassert>
#include <span>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

/// Which rows of an image are asked: all but the first `skipped`.
template <class T>
struct asked_rows {
  matrix_view<T const> tokens;
  index_t first;
  index_t count;

  MAE_HOST_DEVICE asked_rows(matrix_view<T const> all,
                             std::span<index_t const> offsets,
                             index_t skipped,
                             index_t image)
      : tokens(all),
        first(offsets[static_cast<std::size_t>(image)] + skipped),
        count(offsets[static_cast<std::size_t>(image) + 1] - first) {}

  /// products(row, m) = factor * the product of a row with row m of `vectors`.
  template <class Block>
  MAE_HOST_DEVICE void multiply(Block const& block,
                                matrix_view<T const> vectors,
                                T factor,
                                matrix_view<T> products) const {
    block.for_rows(count * vectors.rows, [&](auto const& team, index_t i) {
      index_t const row = first + i / vectors.rows;
      index_t const m = i % vectors.rows;
      T const* const x = tokens.data + row * tokens.stride;
      T const* const v = vectors.data + m * vectors.stride;
      T const sum =
          team.template sum<T>(tokens.cols, [&](index_t c) { return x[c] * v[c]; }) * factor;
      team.single([&] { products.data[row * products.stride + m] = sum; });
    });
  }

  /// sums(m) = the sum over rows of weights(row, m) * the row, in their order. A core goes through
  /// a row's values, a thread of a GPU through the rows.
  template <class Block>
  MAE_HOST_DEVICE void add_weighted(Block const& block,
                                    matrix_view<T const> weights,
                                    matrix_view<T> sums) const {
    auto const weight = [&](index_t j, index_t m) {
      return weights.data[(first + j) * weights.stride + m];
    };
    if constexpr (Block::is_core) {
      for (index_t m = 0; m < sums.rows; ++m) {
        T* __restrict const y = sums.data + m * sums.stride;
        for (index_t c = 0; c < sums.cols; ++c) y[c] = T{0};
        for (index_t j = 0; j < count; ++j) {
          T const share = weight(j, m);
          T const* const x = tokens.data + (first + j) * tokens.stride;
          for (index_t c = 0; c < sums.cols; ++c) y[c] += share * x[c];
        }
      }
    } else {
      block.for_each(sums.size(), [&](index_t i) {
        index_t const m = i / sums.cols;
        index_t const c = i % sums.cols;
        T sum = 0;
        for (index_t j = 0; j < count; ++j)
          sum += weight(j, m) * tokens.data[(first + j) * tokens.stride + c];
        sums.data[m * sums.stride + c] = sum;
      });
    }
  }
};

template <class T>
struct pool_image_by_queries {
  matrix_view<T const> tokens;
  std::span<index_t const> offsets;
  index_t skipped = 0;
  matrix_view<T const> queries;
  T scale;
  matrix_view<T> shares;
  matrix_view<T> y;

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    asked_rows<T> const rows(tokens, offsets, skipped, image);
    auto const score = [&](index_t j, index_t m) -> T& {
      return shares.data[(rows.first + j) * shares.stride + m];
    };
    rows.multiply(block, queries, scale, shares);
    block.barrier();
    if (rows.count > 0)
      block.for_rows(queries.rows, [&](auto const& team, index_t m) {
        T const top = team.template max<T>(rows.count, [&](index_t j) { return score(j, m); });
        T const sum = team.template sum<T>(
            rows.count, [&](index_t j) { return branchless_exp(score(j, m) - top); });
        team.barrier();
        team.for_each(rows.count,
                      [&](index_t j) { score(j, m) = branchless_exp(score(j, m) - top) / sum; });
      });
    block.barrier();
    rows.add_weighted(
        block, shares, {y.data + image * y.stride, queries.rows, queries.cols, queries.cols});
  }
};

/// With p the shares, dp the products of the tokens and the gradient, and delta the sum over the
/// image of p dp: the scores' gradient is scale p (dp - delta).
template <class T>
struct pool_image_by_queries_grad {
  matrix_view<T const> tokens;
  std::span<index_t const> offsets;
  index_t skipped = 0;
  matrix_view<T const> queries;
  T scale;
  matrix_view<T const> shares;
  matrix_view<T const> y_grad;
  matrix_view<T> slopes;
  matrix_view<T> queries_grad;  // (B, M D)
  matrix_view<T> tokens_grad;   // or none

  template <class Block>
  MAE_HOST_DEVICE void operator()(Block const& block, index_t image) const {
    asked_rows<T> const rows(tokens, offsets, skipped, image);
    matrix_view<T const> const dy{
        y_grad.data + image * y_grad.stride, queries.rows, queries.cols, queries.cols};
    rows.multiply(block, dy, T{1}, slopes);
    block.barrier();
    block.for_rows(queries.rows, [&](auto const& team, index_t m) {
      auto const share = [&](index_t j) {
        return shares.data[(rows.first + j) * shares.stride + m];
      };
      auto const slope = [&](index_t j) -> T& {
        return slopes.data[(rows.first + j) * slopes.stride + m];
      };
      T const delta =
          team.template sum<T>(rows.count, [&](index_t j) { return share(j) * slope(j); });
      team.barrier();
      team.for_each(rows.count,
                    [&](index_t j) { slope(j) = scale * share(j) * (slope(j) - delta); });
    });
    block.barrier();
    rows.add_weighted(block,
                      slopes,
                      {queries_grad.data + image * queries_grad.stride,
                       queries.rows,
                       queries.cols,
                       queries.cols});
    if (tokens_grad.data != nullptr) write_tokens_grad(block, rows, dy);
  }

 private:
  template <class Block>
  MAE_HOST_DEVICE void write_tokens_grad(Block const& block,
                                         asked_rows<T> const& rows,
                                         matrix_view<T const> dy) const {
    for (index_t row = rows.first - skipped; row < rows.first + rows.count; ++row) {
      T* const grad = tokens_grad.data + row * tokens_grad.stride;
      T const* const share = shares.data + row * shares.stride;
      T const* const slope = slopes.data + row * slopes.stride;
      bool const is_asked = row >= rows.first;
      block.for_each(queries.cols, [&](index_t c) {
        T sum = 0;
        for (index_t m = 0; is_asked && m < queries.rows; ++m)
          sum += share[m] * dy.data[m * dy.stride + c] +
                 slope[m] * queries.data[m * queries.stride + c];
        grad[c] = sum;
      });
    }
  }
};

}  // namespace kernel

/// Whose tokens are asked, by what: tokens (R, D); offsets (B + 1) of the images' rows, of which
/// the first `skipped` are not asked (the class token); queries (M, D), the same for all images.
template <class T>
struct queried_tokens {
  matrix_view<T const> tokens;
  row_offsets offsets;
  index_t skipped = 0;
  matrix_view<T const> queries;
};

/// What query m finds in image b, as attention finds it (Vaswani et al. 2017, arXiv 1706.03762, Eq.
/// 1): y[b, m] = the sum over its tokens x of softmax(x . q_m / sqrt(D)) x. y (B, M D), 0 where no
/// row is asked; shares (R, M), the softmax, for the backward pass.
template <Lane L, class T = scalar_of<L>>
void pool_by_queries_forward(L const& lane,
                             queried_tokens<scalar_of<L>> const& asked,
                             matrix_view<scalar_of<L>> shares,
                             matrix_view<scalar_of<L>> y) {
  auto const& queries = asked.queries;
  assert(y.rows == asked.offsets.images() && y.cols == queries.size() &&
         shares.cols == queries.rows);
  lane.for_rows(y.rows,
                kernel::pool_image_by_queries<T>{asked.tokens,
                                                 asked.offsets.values(),
                                                 asked.skipped,
                                                 queries,
                                                 kernel::attention_scale<T>(queries.cols),
                                                 shares,
                                                 y});
}

/// Room for what only the backward pass of pool_by_queries needs.
template <class T>
struct query_gradients {
  matrix_view<T> slopes;    // (R, M)
  matrix_view<T> of_image;  // (B, M D)
};

/// Adds the gradient of the queries (M D), row after row, and writes that of every token (R, D),
/// unless there is no matrix for it. y_grad (B, M D).
template <Lane L, class T = scalar_of<L>>
void pool_by_queries_backward(L const& lane,
                              queried_tokens<scalar_of<L>> const& asked,
                              matrix_view<scalar_of<L> const> shares,
                              matrix_view<scalar_of<L> const> y_grad,
                              query_gradients<scalar_of<L>> const& room,
                              matrix_view<scalar_of<L>> tokens_grad,
                              std::span<scalar_of<L>> queries_grad) {
  lane.for_rows(
      y_grad.rows,
      kernel::pool_image_by_queries_grad<T>{asked.tokens,
                                            asked.offsets.values(),
                                            asked.skipped,
                                            asked.queries,
                                            kernel::attention_scale<T>(asked.queries.cols),
                                            shares,
                                            y_grad,
                                            room.slopes,
                                            room.of_image,
                                            tokens_grad});
  lane.add_column_sums(y_grad.rows, kernel::matrix_element<T, T>{room.of_image}, queries_grad);
}

}  // namespace MAE_ISA
}  // namespace mae
