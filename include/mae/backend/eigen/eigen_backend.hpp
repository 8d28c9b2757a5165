#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/backend/tile/tile_products.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

/// One core of the host: every verb is a serial loop. Parallelism lies above, in shards, each with
/// a lane of its own; or, where there are too few, in the lane of a team. A lane is used by one
/// thread at a time.
template <class Operand, class Products = tile_products>
class eigen_lane : public Products::template lane<Operand> {
  using base = typename Products::template lane<Operand>;

 public:
  using typename base::operand;
  using typename base::packed;
  using typename base::scalar;

  static constexpr bool is_parallel = false;

  eigen_lane() = default;
  /// The lane of a team: the pool's threads share what is cut into parts, and its large products
  /// where that changes no bit. Not for use within the pool's loops.
  explicit eigen_lane(thread_pool& team)
      : team_(&team), members_(static_cast<std::size_t>(team.size())) {}

  int num_members() const { return team_ == nullptr ? 1 : team_->size(); }
  template <class Body>
  void for_parts(index_t count, Body const& body) const {
    if (team_ != nullptr)
      return team_->for_each(
          count, [&](index_t part, int member) { body(this->member(member), part, member); });
    for (index_t part = 0; part < count; ++part) body(*this, part, 0);
  }

  template <class Epilogue>
  void multiply(matrix_view<operand const> a, packed const& b, Epilogue const& epilogue) const {
    if constexpr (base::shares_panels)
      if (team_ != nullptr && a.rows * b.depth * b.cols >= least_shared_product) {
        index_t const each = std::max<index_t>(1, b.num_panels() / (2 * team_->size()));
        team_->for_ranges(b.num_panels(), each, [&](index_t first, index_t last, int number) {
          member(number).multiply_alone(a, b.panels(first, last), epilogue);
        });
        return;
      }
    this->multiply_alone(a, b, epilogue);
  }

  void reserve_products(index_t rows, index_t width) const {
    this->reserve_alone(rows, width);
    for (auto const& each : members_) each.reserve_alone(rows, width);
  }

  template <class Functor>
  void for_rows(index_t count, Functor const& functor) const {
    serial_block const block;
    for (index_t row = 0; row < count; ++row) functor(block, row);
  }

  template <class Functor>
  void for_each(index_t count, Functor const& functor) const {
    for (index_t i = 0; i < count; ++i) functor(i);
  }

  template <class Functor>
  void add_column_sums(index_t rows, Functor const& functor, std::span<scalar> sums) const {
    auto const cols = static_cast<index_t>(sums.size());
    scalar* const sum = sums.data();
    for (index_t row = 0; row < rows; ++row)
      for (index_t col = 0; col < cols; ++col) sum[col] += functor(row, col);
  }

  template <class Functor>
  void add_sum(index_t count, Functor const& functor, double* total) const {
    *total += serial_block{}.template sum<double>(count, functor);
  }

 private:
  /// Multiply-adds that take a core about as long as it takes a team to begin.
  static constexpr index_t least_shared_product = 1 << 20;

  eigen_lane const& member(int number) const { return members_[static_cast<std::size_t>(number)]; }

  thread_pool* team_ = nullptr;
  std::vector<eigen_lane> members_;
};
static_assert(Lane<eigen_lane<float>> && Lane<eigen_lane<double>> && Lane<eigen_lane<bfloat16>>);

/// The processor. `float` trains; `bfloat16` trains in mixed precision: it multiplies bfloat16, and
/// keeps parameters, sums, softmax, layer norm and loss in float; `double` is for checks. Products
/// are a policy: the library's own tile kernel, or Eigen (eigen_products.hpp).
/// Copies share one set of threads. Lanes of bfloat16 throw device_error in a program compiled for
/// AMX where the system refuses its use.
template <class Operand, class Products>
class eigen_backend {
 public:
  using lane = eigen_lane<Operand, Products>;
  using scalar = typename lane::scalar;
  template <class T>
  using buffer_of = host_buffer<T>;
  using buffer = buffer_of<scalar>;

  static constexpr bool uses_host_memory = true;
  /// Few enough rows that a layer's operands stay in the L2 cache, enough that weights are read
  /// rarely.
  static constexpr shard_limits shards{.rows = 256, .sums = 8};

  /// `threads` as for thread_pool: 0 takes one for every core that the process may use.
  explicit eigen_backend(int threads = 0) : threads_(std::make_shared<thread_pool>(threads)) {}
  /// Shares threads, with a backend of another precision or with anything else.
  explicit eigen_backend(std::shared_ptr<thread_pool> threads) : threads_(std::move(threads)) {}

  static constexpr char const* name() { return "eigen"; }
  char const* precision() const { return Products::template precision<Operand>; }
  thread_pool& threads() const { return *threads_; }

  lane make_lane() const { return {}; }
  lane make_team_lane() const { return lane(*threads_); }
  int num_workers() const { return threads_->size(); }
  template <class Body>
  void for_each(index_t count, Body&& body) const {
    threads_->for_each(count, body);
  }
  static constexpr int num_helpers() { return 1; }
  template <class Body>
  void for_each_inside(index_t count, Body&& body) const {
    for (index_t i = 0; i < count; ++i) body(i, 0);
  }

 private:
  std::shared_ptr<thread_pool> threads_;
};
static_assert(Backend<eigen_backend<float>> && Backend<eigen_backend<double>> &&
              Backend<eigen_backend<bfloat16>>);

}  // namespace MAE_ISA
}  // namespace mae
