#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <doctest/doctest.h>

#include <concepts>
#include <span>

namespace {

using mae::index_t;
using mae::matrix_view;

/// The least that is a lane; what is wrong with the ones below differs in one member each.
template <class T>
struct smallest_lane {
  using scalar = T;
  using operand = T;
  using cell = T;
  struct packed {};
  static constexpr index_t depth_step = 1;
  static constexpr bool is_parallel = false;
  static constexpr mae::fused_members fused{};
  void upload(std::span<T const>, std::span<T>) const;
  void download(std::span<T const>, std::span<T>) const;
  static index_t packed_cells(index_t, index_t);
  static packed packed_at(cell const*, index_t, index_t);
  static packed packed_transposed_at(cell const*, index_t, index_t);
  packed pack(matrix_view<T const>, cell*) const;
  packed pack_transposed(matrix_view<T const>, cell*) const;
  void reserve_products(index_t, index_t) const;
  void reserve_transposed(index_t, index_t) const;
  template <class E>
  void multiply(matrix_view<T const>, packed const&, E const&) const;
  template <class E>
  void multiply_transposed(matrix_view<T const>, matrix_view<T const>, E const&) const;
  template <class F>
  void for_rows(index_t, F const&) const;
  template <class F>
  void for_each(index_t, F const&) const;
  template <class F>
  void add_column_sums(index_t, F const&, std::span<T>) const;
  template <class F>
  void add_sum(index_t, F const&, double*) const;
  template <class F>
  void replay(std::span<index_t const>, F const&) const;
  template <class F>
  void for_parts(index_t, F const&) const;
  int num_members() const;
};
static_assert(mae::Lane<smallest_lane<float>>);
static_assert(mae::Lane<mae::eigen_lane<float>> && mae::Lane<mae::eigen_lane<double>>);
// Here and not in the header: there it would cost every program 1.5 MB of the compiler's memory.
static_assert(mae::Lane<mae::eigen_lane<mae::bfloat16>> &&
              mae::Backend<mae::eigen_backend<mae::bfloat16>>);

struct lane_of_integers : smallest_lane<int> {};
struct lane_without_memory : smallest_lane<float> {
  void upload() const;
};
struct lane_without_operands : smallest_lane<float> {
  void multiply() const;
};
struct lane_that_packs_in_vain : smallest_lane<float> {
  void pack(matrix_view<float const>, float*) const;
};
struct lane_that_changes : smallest_lane<float> {
  template <class F>
  void for_rows(index_t, F const&);
};
struct lane_that_returns : smallest_lane<float> {
  template <class F>
  bool for_each(index_t, F const&) const;
};
struct lane_without_column_sums : smallest_lane<float> {
  void add_column_sums() const;
};
struct lane_without_sums : smallest_lane<float> {
  void add_sum() const;
};
struct lane_without_parts : smallest_lane<float> {
  void for_parts() const;
};
struct parallel_lane : lane_without_parts {
  static constexpr bool is_parallel = true;
};
static_assert(!mae::Lane<int>);
static_assert(!mae::Lane<lane_of_integers>);
static_assert(!mae::Lane<lane_without_memory>);
static_assert(!mae::Lane<lane_without_operands>);
static_assert(!mae::Lane<lane_that_packs_in_vain>);
static_assert(!mae::Lane<lane_that_changes>);
static_assert(!mae::Lane<lane_that_returns>);
static_assert(!mae::Lane<lane_without_column_sums>);
static_assert(!mae::Lane<lane_without_sums>);
static_assert(!mae::Lane<lane_without_parts> && mae::Lane<parallel_lane>);

struct backend_of_other_lanes : mae::eigen_backend<float> {
  using lane = mae::eigen_lane<double>;
};
struct backend_without_memory : mae::eigen_backend<float> {
  struct buffer {};
};
struct backend_without_turns : mae::eigen_backend<float> {
  void for_each() const;
};
static_assert(mae::Backend<mae::eigen_backend<float>> && mae::Backend<mae::eigen_backend<double>>);
static_assert(!mae::Backend<mae::eigen_lane<float>>);
static_assert(!mae::Backend<backend_of_other_lanes>);
static_assert(!mae::Backend<backend_without_memory>);
static_assert(!mae::Backend<backend_without_turns>);

static_assert(std::same_as<mae::scalar_of<mae::eigen_lane<double>>, double>);

}  // namespace

TEST_CASE("copies of a backend share one set of threads") {
  mae::eigen_backend<float> const backend(3);
  mae::eigen_backend<float> const copy = backend;  // NOLINT(performance-unnecessary-copy*)
  CHECK(backend.threads().size() == 3);
  CHECK(&copy.threads() == &backend.threads());
  CHECK(&mae::eigen_backend<float>(3).threads() != &backend.threads());
}
