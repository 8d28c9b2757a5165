#pragma once

#include <mae/backend/block.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <span>
#include <type_traits>

namespace mae {

/// What products of these operands are called: "fp32", "fp64" or "bf16".
template <class Operand>
inline constexpr char const* precision_name = std::is_same_v<Operand, bfloat16> ? "bf16"
                                              : std::is_same_v<Operand, double> ? "fp64"
                                                                                : "fp32";

namespace archetype {

/// Functors of no use but to be named in the concepts below.
struct any_row_functor {
  void operator()(serial_block const& block, index_t row) const;
};
struct any_element_functor {
  void operator()(index_t i) const;
};
struct any_body {
  void operator()() const;
};
struct any_value_functor {
  double operator()(index_t i) const;
};
template <class T>
struct any_matrix_functor {
  T operator()(index_t row, index_t col) const;
};
struct any_part_body {
  template <class L>
  void operator()(L const& lane, index_t part, int member) const;
};
template <class T>
struct any_epilogue {
  static constexpr bool is_affine = false;
  std::array<memory_rows, 2> meets(index_t row, index_t col) const;
  void operator()(T const* values, index_t row, index_t col, index_t count) const;
};

}  // namespace archetype

/// Ops that a lane has members of its own for, which take the place of the generic ones: attention
/// (attend, attend_backward) where can_attend, layer norm (normalise, normalise_backward) where
/// can_normalise. Declared, so that a misspelt member does not compile.
struct fused_members {
  bool attention = false;
  bool layer_norm = false;
};

/// A stream of work on one device, or on one core of the host, with the memory that its products
/// need. Ops are written against its verbs, which run in the order in which they are called. It
/// sums in `scalar` and multiplies values of type `operand`. What its verbs are given lies in the
/// memory of its backend.
template <class L>
concept Lane = requires(L const& lane,
                        matrix_view<typename L::operand const> x,
                        typename L::packed packed,
                        typename L::cell* cells,
                        index_t n,
                        double* total,
                        std::span<typename L::scalar const> values,
                        std::span<typename L::scalar> sums,
                        archetype::any_row_functor row_functor,
                        archetype::any_element_functor element_functor,
                        archetype::any_value_functor value_functor,
                        archetype::any_matrix_functor<typename L::scalar> matrix_functor,
                        archetype::any_epilogue<typename L::scalar> epilogue,
                        archetype::any_part_body part_body,
                        archetype::any_body replayed) {
  requires std::floating_point<typename L::scalar>;
  /// Whether each verb is itself shared out among many threads. Then it has for_blocks(count,
  /// shared values, functor) too, by which attention runs. Else attention is products of each image
  /// and head, and there is for_parts(count, body): body(lane, part, member) for every part in
  /// [0, count), member in [0, num_members()), as many at once as the lane has members.
  { L::is_parallel } -> std::convertible_to<bool>;
  requires L::is_parallel || requires {
    { lane.for_parts(n, part_body) } -> std::same_as<void>;
    { lane.num_members() } -> std::same_as<int>;
  };
  /// The ops that it has of its own.
  { L::fused } -> std::convertible_to<fused_members>;
  /// body(), whose verbs and memory are the same whenever the key is: a device may record it once
  /// and replay it.
  { lane.replay(std::span<index_t const>(), replayed) } -> std::same_as<void>;
  /// Copies from the host's memory, whose array may change at once, and to it.
  { lane.upload(values, sums) } -> std::same_as<void>;
  { lane.download(values, sums) } -> std::same_as<void>;
  /// A product's depth is read so many values at once; a left operand whose depth is a multiple is
  /// read as it lies. Where x is wider than the depth of `packed`, up to the next multiple, what is
  /// beyond must be zero.
  { L::depth_step } -> std::convertible_to<index_t>;
  /// A right operand (n, n) in the order in which `multiply` reads it: the cells that it takes up,
  /// a matrix (depth, cols) packed into them, and the transpose of one (cols, depth); and what both
  /// will return for these cells.
  { L::packed_cells(n, n) } -> std::same_as<index_t>;
  { L::packed_at(cells, n, n) } -> std::same_as<typename L::packed>;
  { L::packed_transposed_at(cells, n, n) } -> std::same_as<typename L::packed>;
  { lane.pack(x, cells) } -> std::same_as<typename L::packed>;
  { lane.pack_transposed(x, cells) } -> std::same_as<typename L::packed>;
  /// epilogue(values, row, col, count) for the columns [col, col + count) of a row of x * packed,
  /// until every entry had its turn; epilogue.meets(row, col) names the rows of memory that it will
  /// read or write from there on.
  { lane.multiply(x, packed, epilogue) } -> std::same_as<void>;
  /// Likewise for x^T (M, K) * y (K, N), given x (K, M) and y (K, N).
  { lane.multiply_transposed(x, x, epilogue) } -> std::same_as<void>;
  /// Makes room, so that products of up to so many rows, of depth and columns up to so many,
  /// allocate nothing; and those of transposed operands of these extents.
  { lane.reserve_products(n, n) } -> std::same_as<void>;
  { lane.reserve_transposed(n, n) } -> std::same_as<void>;
  /// functor(block, row) for every row in [0, n).
  { lane.for_rows(n, row_functor) } -> std::same_as<void>;
  /// functor(i) for every i in [0, n).
  { lane.for_each(n, element_functor) } -> std::same_as<void>;
  /// sums[col] += the sum over rows of functor(row, col), in a fixed order.
  { lane.add_column_sums(n, matrix_functor, sums) } -> std::same_as<void>;
  /// *total += the sum of functor(i) over i in [0, n), in double and in a fixed order.
  { lane.add_sum(n, value_functor, total) } -> std::same_as<void>;
};

/// The type that a lane computes in. As a parameter's type it is not deduced, so that views
/// convert.
template <Lane L>
using scalar_of = typename L::scalar;

/// The type that a lane multiplies: scalar_of<L>, or a shorter one in mixed precision.
template <Lane L>
using operand_of = typename L::operand;

/// How a batch is cut for a backend: into shards of about so many rows, that is so many tokens of
/// its longest sequences, and their gradients into at most so many sums.
struct shard_limits {
  index_t rows = 256;
  index_t sums = 8;

  /// The images of a shard, in sequences of `tokens`.
  constexpr index_t images_of(index_t tokens) const {
    return std::max<index_t>(1, ceil_div(rows, tokens));
  }
};

namespace archetype {

struct any_worker_body {
  void operator()(index_t i, int worker) const;
};

}  // namespace archetype

/// Owns memory and runs lanes. A backend is a type that the user names; nothing falls back to
/// another.
template <class B>
concept Backend = requires(B const& backend, index_t n, archetype::any_worker_body body) {
  typename B::scalar;
  requires Lane<typename B::lane>;
  requires std::same_as<typename B::lane::scalar, typename B::scalar>;
  /// Arrays in its memory, zero at first.
  {typename B::template buffer_of<index_t>(n)};
  { typename B::buffer(n) } -> std::same_as<typename B::buffer>;
  requires std::same_as<typename B::buffer, typename B::template buffer_of<typename B::scalar>>;
  /// Whether its memory is the host's: arrays of either are then the other's, without a copy.
  { B::uses_host_memory } -> std::convertible_to<bool>;
  /// How batches are cut for it.
  { B::shards } -> std::same_as<shard_limits const&>;
  { backend.make_lane() } -> std::same_as<typename B::lane>;
  /// One for shards so few that workers would be idle: all threads share its work. Not for use
  /// within for_each.
  { backend.make_team_lane() } -> std::same_as<typename B::lane>;
  /// body(i, worker) for every i in [0, n), worker in [0, num_workers()): as many at once as have
  /// lanes of their own.
  { backend.num_workers() } -> std::same_as<int>;
  { backend.for_each(n, body) } -> std::same_as<void>;
  /// The same within a body of for_each, on those of the host's threads that it leaves free:
  /// helper in [0, num_helpers()).
  { backend.num_helpers() } -> std::same_as<int>;
  { backend.for_each_inside(n, body) } -> std::same_as<void>;
  /// Its name; and what this one multiplies ("fp32", "tf32", "bf16"), which a resume compares.
  { B::name() } -> std::convertible_to<char const*>;
  { backend.precision() } -> std::convertible_to<char const*>;
  /// The host's threads.
  { backend.threads() } -> std::same_as<thread_pool&>;
};

}  // namespace mae
