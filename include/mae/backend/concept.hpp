#pragma once

#include <mae/backend/block.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

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

}  // namespace archetype

/// A stream of work on one device, or on one core of the host. Ops are written against its verbs,
/// which run in the order in which they are called.
template <class L>
concept Lane = requires(L const& lane,
                        product_form form,
                        matrix_view<typename L::scalar const> a,
                        matrix_view<typename L::scalar> c,
                        index_t n,
                        std::span<typename L::scalar> sums,
                        archetype::any_row_functor row_functor,
                        archetype::any_element_functor element_functor,
                        archetype::any_matrix_functor<typename L::scalar> matrix_functor) {
  requires std::floating_point<typename L::scalar>;
  /// c += the product of a and b in the given form.
  { lane.add_product(form, a, a, c) } -> std::same_as<void>;
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

/// Owns memory and runs lanes. A backend is a type that the user names; nothing falls back to
/// another.
template <class B>
concept Backend = requires(B& backend, index_t n) {
  typename B::scalar;
  requires Lane<typename B::lane>;
  requires std::same_as<typename B::lane::scalar, typename B::scalar>;
  { typename B::buffer(n) } -> std::same_as<typename B::buffer>;  // zero at first
  { B::name() } -> std::convertible_to<char const*>;
  { backend.threads() } -> std::same_as<thread_pool&>;
};

}  // namespace mae
