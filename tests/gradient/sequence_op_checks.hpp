#pragma once

#include "gradient_check.hpp"
#include "padded_matrix.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/drop_path.hpp>
#include <mae/op/pooling.hpp>
#include <mae/op/query_pooling.hpp>
#include <mae/op/query_tokens.hpp>
#include <mae/op/token_maps.hpp>
#include <mae/op/tokens.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace mae_test {

struct attention_shape {
  index_t heads;
  index_t head_width;
  std::vector<index_t> lengths;  // tokens of each image
};

/// One image of a single token, whose softmax is constant, is in every ragged shape.
inline attention_shape shape_of_attention(std::size_t shape) {
  switch (shape) {
    case 0:
      return {1, 5, {6}};
    case 1:
      return {5, 4, {1, 5}};
    default:
      return {2, 3, {4, 1, 7, 2}};
  }
}

inline void check_attention(std::size_t shape, std::uint64_t seed) {
  auto const s = shape_of_attention(shape);
  index_t const width = s.heads * s.head_width;
  std::vector<index_t> offsets(s.lengths.size() + 1, 0);
  std::partial_sum(s.lengths.begin(), s.lengths.end(), offsets.begin() + 1);
  index_t const rows = offsets.back();
  auto random = stream_of(seed);
  padded_matrix<double> qkv(rows, 3 * width, random);
  padded_matrix<double> const y_grad(rows, width, random);
  padded_matrix<double> log_sums(rows, s.heads, unset);
  using lane_type = mae::eigen_lane<double>;
  std::vector<double> scratch(static_cast<std::size_t>(mae::attention_scratch_size<lane_type>(
      {rows, *std::max_element(s.lengths.begin(), s.lengths.end()), s.heads, s.head_width})));
  lane_type const lane;
  auto const forward = [&] {
    padded_matrix<double> y(rows, width, unset);
    mae::attention_forward(lane, qkv.view(), offsets, s.heads, y.view(), log_sums.view(), scratch);
    return y;
  };
  forward();
  padded_matrix<double> qkv_grad(rows, 3 * width, unset);
  mae::attention_backward(
      lane, qkv.view(), offsets, s.heads, log_sums.view(), y_grad.view(), qkv_grad.view(), scratch);
  check_gradient("qkv", forward, y_grad, qkv.view(), qkv_grad);
}

/// Queries and keys of the same images in other numbers: an image without queries, and one with a
/// single key, are in every ragged shape.
inline void check_cross_attention(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<std::array<index_t, 5>, 3> query_ends{
      {{0, 6, 6, 6, 6}, {0, 1, 1, 23, 24}, {0, 0, 4, 9, 11}}};
  constexpr std::array<std::array<index_t, 5>, 3> key_ends{
      {{0, 3, 3, 3, 3}, {0, 4, 7, 8, 30}, {0, 2, 3, 9, 16}}};
  auto const s = shape_of_attention(shape);
  auto const images = shape == 0 ? 1 : 4;
  std::vector<index_t> const queries(query_ends[shape].begin(),
                                     query_ends[shape].begin() + images + 1);
  std::vector<index_t> const keys(key_ends[shape].begin(), key_ends[shape].begin() + images + 1);
  index_t const width = s.heads * s.head_width;
  auto random = stream_of(seed);
  padded_matrix<double> q(queries.back(), width, random);
  padded_matrix<double> kv(keys.back(), 2 * width, random);
  padded_matrix<double> const y_grad(queries.back(), width, random);
  padded_matrix<double> log_sums(queries.back(), s.heads, unset);
  using lane_type = mae::eigen_lane<double>;
  std::vector<double> scratch(static_cast<std::size_t>(mae::attention_scratch_size<lane_type>(
      {queries.back(), std::max(queries.back(), keys.back()), s.heads, s.head_width})));
  lane_type const lane;
  mae::attention_rows const rows{queries, keys};
  auto const forward = [&] {
    padded_matrix<double> y(queries.back(), width, unset);
    mae::cross_attention_forward(
        lane, q.view(), kv.view(), rows, s.heads, y.view(), log_sums.view(), scratch);
    return y;
  };
  forward();
  padded_matrix<double> q_grad(queries.back(), width, unset);
  padded_matrix<double> kv_grad(keys.back(), 2 * width, unset);
  mae::cross_attention_backward(lane,
                                q.view(),
                                kv.view(),
                                rows,
                                s.heads,
                                log_sums.view(),
                                y_grad.view(),
                                q_grad.view(),
                                kv_grad.view(),
                                scratch);
  check_gradient("q", forward, y_grad, q.view(), q_grad);
  check_gradient("kv", forward, y_grad, kv.view(), kv_grad);
}

/// Of three images of 6 places, of which the second asks nothing.
inline void check_place_queries(std::size_t shape, std::uint64_t seed) {
  std::vector<index_t> const patches{0, 3, 5, 12, 13, 15};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  auto random = stream_of(seed);
  padded_matrix<double> token(1, width, random);
  padded_matrix<double> positions(7, width, random);
  padded_matrix<double> const y_grad(std::ssize(patches), width, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(std::ssize(patches), width, unset);
    mae::place_queries_forward(
        lane, std::as_const(token).vector(), positions.view(), patches, y.view());
    return y;
  };
  added_gradient token_grad(1, width, random);
  added_gradient positions_grad(7, width, random);
  mae::place_queries_backward(
      lane, y_grad.view(), patches, token_grad.vector(), positions_grad.view());
  check_gradient("token", forward, y_grad, token.view(), token_grad.added());
  check_gradient("positions", forward, y_grad, positions.view(), positions_grad.added());
}

/// A single row's values, in several.
inline padded_matrix<double> in_rows(padded_matrix<double> const& flat, index_t rows) {
  index_t const cols = flat.view().cols / rows;
  padded_matrix<double> cut(rows, cols);
  for (index_t i = 0; i < flat.view().cols; ++i) cut.view()(i / cols, i % cols) = flat(0, i);
  return cut;
}

/// 0 ... count - 1 in random order (Fisher and Yates).
inline std::vector<index_t> permutation(index_t count, mae::random_stream& random) {
  std::vector<index_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), index_t{0});
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

struct placement_shape {
  index_t inputs;
  index_t shared;
  index_t width;
  index_t positions;
};

inline void check_place_tokens(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<placement_shape, 3> shapes{{{1, 1, 3, 2}, {5, 3, 17, 9}, {4, 9, 8, 5}}};
  auto const s = shapes[shape];
  index_t const rows = s.inputs + s.shared;
  auto random = stream_of(seed);
  padded_matrix<double> x(s.inputs, s.width, random);
  padded_matrix<double> shared(1, s.width, random);
  padded_matrix<double> const positions(s.positions, s.width, random);
  padded_matrix<double> const y_grad(rows, s.width, random);
  std::vector<index_t> source = permutation(rows, random);
  for (index_t& row : source)
    if (row >= s.inputs) row = mae::token_sources::shared_token;
  std::vector<index_t> position;
  for (index_t row = 0; row < rows; ++row)
    position.push_back(random.below(static_cast<std::uint64_t>(s.positions)));
  mae::token_sources const from{source, position};
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(rows, s.width, unset);
    mae::place_tokens_forward(
        lane, x.view(), std::as_const(shared).vector(), positions.view(), from, y.view());
    return y;
  };
  padded_matrix<double> x_grad(s.inputs, s.width, unset);
  added_gradient shared_grad(1, s.width, random);
  mae::place_tokens_backward(lane, y_grad.view(), from, x_grad.view(), shared_grad.vector());
  check_gradient("x", forward, y_grad, x.view(), x_grad);
  check_gradient("shared", forward, y_grad, shared.view(), shared_grad.added());

  padded_matrix<double> factors(1, s.inputs, 1.0);
  auto const scaled_forward = [&] {
    padded_matrix<double> scaled(s.inputs, s.width, unset);
    for (index_t row = 0; row < s.inputs; ++row)
      for (index_t col = 0; col < s.width; ++col)
        scaled.view().row(row)[static_cast<std::size_t>(col)] = factors(0, row) * x(row, col);
    padded_matrix<double> y(rows, s.width, unset);
    mae::place_tokens_forward(
        lane, scaled.view(), std::as_const(shared).vector(), positions.view(), from, y.view());
    return y;
  };
  padded_matrix<double> slopes(1, s.inputs, unset);
  mae::place_tokens_slopes(lane, x.view(), y_grad.view(), from, slopes.vector());
  check_gradient("factors", scaled_forward, y_grad, factors.view(), slopes);
}

/// Of three images, whose rows have some of the positions each; one position is nobody's.
inline void check_positions(std::size_t shape, std::uint64_t seed) {
  std::vector<index_t> const position{0, 2, 3, 6, 0, 0, 1, 2, 3, 4, 6};
  std::vector<index_t> const source(position.size(), mae::token_sources::shared_token);
  std::vector<index_t> const offsets{0, 4, 5, 11};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  auto random = stream_of(seed);
  padded_matrix<double> const x(1, width, random);
  padded_matrix<double> positions(7, width, random);
  padded_matrix<double> const y_grad(std::ssize(position), width, random);
  mae::token_sources const from{source, position};
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(std::ssize(position), width, unset);
    mae::place_tokens_forward(lane, x.view(), x.vector(), positions.view(), from, y.view());
    return y;
  };
  added_gradient grad(7, width, random);
  mae::positions_backward(lane, y_grad.view(), from, offsets, grad.view());
  check_gradient("positions", forward, y_grad, positions.view(), grad.added());
}

/// Of rows of which some are told a level; one level is nobody's.
inline void check_levels(std::size_t shape, std::uint64_t seed) {
  std::vector<index_t> const source{-1, 1, 0, -1, 2};
  std::vector<index_t> const position{0, 1, 1, 0, 1};
  std::vector<index_t> const level{mae::token_sources::no_level, 2, 0, 0, 2};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  auto random = stream_of(seed);
  padded_matrix<double> x(3, width, random);
  padded_matrix<double> const shared(1, width, random);
  padded_matrix<double> positions(2, width, random);
  padded_matrix<double> levels(3, width, random);
  padded_matrix<double> const y_grad(std::ssize(source), width, random);
  mae::token_sources const from{source, position, level};
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(std::ssize(source), width, unset);
    mae::place_tokens_forward(
        lane, x.view(), shared.vector(), positions.view(), from, y.view(), levels.view());
    return y;
  };
  added_gradient grad(3, width, random);
  mae::levels_backward(lane, y_grad.view(), level, grad.view());
  check_gradient("levels", forward, y_grad, levels.view(), grad.added());
}

struct gather_shape {
  index_t inputs;
  index_t rows;
  index_t width;
};

inline void check_gather_rows(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<gather_shape, 3> shapes{{{1, 1, 1}, {12, 5, 17}, {7, 7, 4}}};
  auto const s = shapes[shape];
  auto random = stream_of(seed);
  padded_matrix<double> x(s.inputs, s.width, random);
  padded_matrix<double> const y_grad(s.rows, s.width, random);
  auto from = permutation(s.inputs, random);
  from.resize(static_cast<std::size_t>(s.rows));
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> y(s.rows, s.width, unset);
    mae::gather_rows_forward(lane, x.view(), from, y.view());
    return y;
  };
  padded_matrix<double> x_grad(s.inputs, s.width, unset);
  mae::gather_rows_backward(lane, y_grad.view(), from, x_grad.view());
  check_gradient("x", forward, y_grad, x.view(), x_grad);
}

/// Three images, of which one has nothing to ask but in the first shape; with the class token and
/// without.
inline void check_pool_by_queries(std::size_t shape, std::uint64_t seed) {
  std::vector<index_t> const offsets{0, 4, shape == 0 ? 9 : 5, 12};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  index_t const count = std::array<index_t, 3>{2, 1, 3}[shape];
  auto random = stream_of(seed);
  mae::eigen_lane<double> const lane;
  for (index_t const skipped : {0, 1}) {
    padded_matrix<double> tokens(12, width, random);
    padded_matrix<double> queries(count, width, random);
    padded_matrix<double> shares(12, count, unset);
    padded_matrix<double> const y_grad(3, count * width, random);
    auto const forward = [&] {
      padded_matrix<double> y(3, count * width, unset);
      mae::pool_by_queries_forward(
          lane, {tokens.view(), offsets, skipped, queries.view()}, shares.view(), y.view());
      return y;
    };
    forward();
    padded_matrix<double> tokens_grad(12, width, unset);
    padded_matrix<double> slopes(12, count, unset);
    padded_matrix<double> of_image(3, count * width, unset);
    added_gradient queries_grad(1, count * width, random);
    mae::pool_by_queries_backward(lane,
                                  {tokens.view(), offsets, skipped, queries.view()},
                                  shares.view(),
                                  y_grad.view(),
                                  {slopes.view(), of_image.view()},
                                  tokens_grad.view(),
                                  queries_grad.vector());
    check_gradient("tokens", forward, y_grad, tokens.view(), tokens_grad);
    check_gradient(
        "queries", forward, y_grad, queries.view(), in_rows(queries_grad.added(), count));
  }
}

/// Three images, of which one shows no patch but in the first shape.
/// Of what a branch says: the first image's is dropped. The input's is y_grad.
inline void check_drop_path(std::size_t shape, std::uint64_t seed) {
  std::vector<index_t> const offsets{0, 4, shape == 0 ? 9 : 5, 12};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  auto random = stream_of(seed);
  // One of the columns of a block's scales.
  std::array<float, 6> const values{0.0F, 9.0F, 1.25F, 9.0F, 4.0F, 9.0F};
  mae::matrix_view<float const> const scales(values.data(), 3, 1, 2);
  padded_matrix<double> x(12, width, random);
  padded_matrix<double> branch(12, width, random);
  padded_matrix<double> const y_grad(12, width, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    auto y = branch;
    mae::drop_path_forward(lane, x.view(), offsets, scales, y.view());
    return y;
  };
  padded_matrix<double> grad(12, width, unset);
  mae::drop_path_backward(lane, y_grad.view(), offsets, scales, grad.view());
  check_gradient("branch", forward, y_grad, branch.view(), grad);
  check_gradient("x", forward, y_grad, x.view(), y_grad);
}

inline void check_pool_tokens(std::size_t shape, std::uint64_t seed) {
  constexpr std::array<mae::pooling, 4> pools{
      mae::pooling::class_token, mae::pooling::mean, mae::pooling::both, mae::pooling::first};
  std::vector<index_t> const offsets{0, 4, shape == 0 ? 9 : 5, 12};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  auto random = stream_of(seed);
  padded_matrix<double> tokens(12, width, random);
  mae::eigen_lane<double> const lane;
  for (auto const pool : pools) {
    padded_matrix<double> const y_grad(3, mae::pooled_width(pool, width), random);
    auto const forward = [&] {
      padded_matrix<double> y(3, mae::pooled_width(pool, width), unset);
      mae::pool_tokens_forward(lane, tokens.view(), offsets, pool, y.view());
      return y;
    };
    padded_matrix<double> grad(12, width, unset);
    mae::pool_tokens_backward(lane, y_grad.view(), offsets, pool, grad.view());
    check_gradient("tokens", forward, y_grad, tokens.view(), grad);
  }
}

/// Three images of a grid of 2 x 3, the second of which shows one patch alone.
inline void check_spread_tokens(std::size_t shape, std::uint64_t seed) {
  std::vector<index_t> const offsets{0, 4, 6, 13};
  std::vector<index_t> const position{0, 2, 5, 6, 0, 4, 0, 1, 2, 3, 4, 5, 6};
  index_t const width = std::array<index_t, 3>{1, 17, 6}[shape];
  auto random = stream_of(seed);
  padded_matrix<double> tokens(13, width, random);
  padded_matrix<double> const cells_grad(18, width, random);
  mae::eigen_lane<double> const lane;
  auto const forward = [&] {
    padded_matrix<double> cells(18, width, unset);
    mae::spread_tokens_forward(lane, tokens.view(), offsets, position, cells.view());
    return cells;
  };
  padded_matrix<double> grad(13, width, unset);
  mae::spread_tokens_backward(lane, cells_grad.view(), offsets, position, grad.view());
  check_gradient("tokens", forward, cells_grad, tokens.view(), grad);
}

/// Two images; to finer, to coarser and to equal maps, with a window and without.
inline void check_resample_maps(std::size_t shape, std::uint64_t seed) {
  mae::map_shape const from{2, 3};
  mae::map_shape const to = std::array<mae::map_shape, 3>{{{8, 12}, {2, 3}, {3, 2}}}[shape];
  index_t const width = std::array<index_t, 3>{2, 5, 1}[shape];
  auto random = stream_of(seed);
  mae::eigen_lane<double> const lane;
  for (index_t const reach : {0, 1}) {
    mae::map_resize const how{from, to, reach};
    padded_matrix<double> cells(2 * from.size(), how.window() * width, random);
    padded_matrix<double> const maps_grad(2 * to.size(), width, random);
    auto const forward = [&] {
      padded_matrix<double> maps(2 * to.size(), width, unset);
      mae::resample_maps_forward(lane, how, cells.view(), maps.view());
      return maps;
    };
    padded_matrix<double> grad(2 * from.size(), how.window() * width, unset);
    mae::resample_maps_backward(lane, how, maps_grad.view(), grad.view());
    check_gradient("cells", forward, maps_grad, cells.view(), grad);
  }
}

}  // namespace mae_test
