#pragma once

#include <mae/backend/block.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <array>
#include <concepts>
#include <span>

namespace mae {

/// Which operand of a product is read transposed; all matrices are row-major.
enum class product_form {
  nn,  // c (M, N) += a (M, K) * b (K, N)
  nt,  // c (M, N) += a (M, K) * b (N, K)^T
  tn,  // c (M, N) += a (K, M)^T * b (K, N)
};

namespace archetype {

/// Functors of no use but to be named in the concepts below.
struct any_row_functor {
  void operator()(serial_block const& block, index_t row) const;
};
struct any_element_functor {
  void operator()(index_t i) const;
};
template <class T>
struct any_matrix_functor {
  T operator()(index_t row, index_t col) const;
};
template <class T>
struct any_epilogue {
  std::array<memory_rows, 2> meets(index_t row, index_t col) const;
  void operator()(T const* values, index_t row, index_t col, index_t count) const;
};

}  // namespace archetype

/// A stream of work on one device, or on one core of the host, with the memory that its products
/// need. Ops are written against its verbs, which run in the order in which they are called. It
/// sums in `scalar` and multiplies values of type `operand`.
template <class L>
concept Lane = requires(L const& lane,
                        product_form form,
                        matrix_view<typename L::scalar const> a,
                        matrix_view<typename L::scalar> c,
                        matrix_view<typename L::operand const> x,
                        typename L::packed packed,
                        typename L::cell* cells,
                        index_t n,
                        std::span<typename L::scalar> sums,
                        archetype::any_row_functor row_functor,
                        archetype::any_element_functor element_functor,
                        archetype::any_matrix_functor<typename L::scalar> matrix_functor,
                        archetype::any_epilogue<typename L::scalar> epilogue) {
  requires std::floating_point<typename L::scalar>;
  /// c += the product of a and b in the given form.
  { lane.add_product(form, a, a, c) } -> std::same_as<void>;
  /// A product's depth is read in cells of so many values. Where x is wider than the depth of
  /// `packed`, within its last cell, what is beyond must be zero.
  { L::values_per_cell } -> std::convertible_to<index_t>;
  /// A right operand (n, n) in the order in which `multiply` reads it: the cells that it takes up,
  /// a matrix (depth, cols) packed into them, and the transpose of one (cols, depth).
  { L::packed_cells(n, n) } -> std::same_as<index_t>;
  { lane.pack(x, cells) } -> std::same_as<typename L::packed>;
  { lane.pack_transposed(x, cells) } -> std::same_as<typename L::packed>;
  /// epilogue(values, row, col, count) for the columns [col, col + count) of a row of x * packed,
  /// until every entry had its turn; epilogue.meets(row, col) names the rows of memory that it will
  /// read or write from there on.
  { lane.multiply(x, packed, epilogue) } -> std::same_as<void>;
  /// Likewise for x^T (M, K) * y (K, N), given x (K, M) and y (K, N).
  { lane.multiply_transposed(x, x, epilogue) } -> std::same_as<void>;
  /// Makes room for products of at most so many rows, depth and columns: they allocate nothing.
  { lane.reserve(n, n, n) } -> std::same_as<void>;
  /// functor(block, row) for every row in [0, n).
  { lane.for_rows(n, row_functor) } -> std::same_as<void>;
  /// functor(i) for every i in [0, n).
  { lane.for_each(n, element_functor) } -> std::same_as<void>;
  /// sums[col] += the sum over rows of functor(row, col), in a fixed order.
  { lane.add_column_sums(n, matrix_functor, sums) } -> std::same_as<void>;
};

/// The type that a lane computes in. As a parameter's type it is not deduced, so that views
/// convert.
template <Lane L>
using scalar_of = typename L::scalar;

/// The type that a lane multiplies: scalar_of<L>, or a shorter one in mixed precision.
template <Lane L>
using operand_of = typename L::operand;

/// Owns memory and runs lanes. A backend is a type that the user names; nothing falls back to
/// another.
template <class B>
concept Backend = requires(B& backend, index_t n) {
  typename B::scalar;
  requires Lane<typename B::lane>;
  requires std::same_as<typename B::lane::scalar, typename B::scalar>;
  { typename B::buffer(n) } -> std::same_as<typename B::buffer>;  // zero at first
  { B::name() } -> std::convertible_to<char const*>;
  { B::precision() } -> std::convertible_to<char const*>;  // what it multiplies: "fp32", "bf16"
  { backend.threads() } -> std::same_as<thread_pool&>;
};

}  // namespace mae
