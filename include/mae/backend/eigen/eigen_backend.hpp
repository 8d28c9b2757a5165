#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <Eigen/Core>

#include <memory>
#include <span>
#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// One core of the host: every verb is a serial loop, products are Eigen's. Parallelism lies above,
/// in shards, each with a lane of its own.
template <class Scalar>
class eigen_lane {
 public:
  using scalar = Scalar;

  void add_product(product_form form,
                   matrix_view<Scalar const> a,
                   matrix_view<Scalar const> b,
                   matrix_view<Scalar> c) const {
    switch (form) {
      case product_form::nn:
        map(c).noalias() += map(a) * map(b);
        break;
      case product_form::nt:
        map(c).noalias() += map(a) * map(b).transpose();
        break;
      case product_form::tn:
        map(c).noalias() += map(a).transpose() * map(b);
        break;
    }
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
  void add_column_sums(index_t rows, Functor const& functor, std::span<Scalar> sums) const {
    auto const cols = static_cast<index_t>(sums.size());
    Scalar* const sum = sums.data();
    for (index_t row = 0; row < rows; ++row)
      for (index_t col = 0; col < cols; ++col) sum[col] += functor(row, col);
  }

 private:
  using matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  template <class T>
  static auto map(matrix_view<T> view) {
    using mapped = std::conditional_t<std::is_const_v<T>, matrix const, matrix>;
    return Eigen::Map<mapped, Eigen::Unaligned, Eigen::OuterStride<>>(
        view.data, view.rows, view.cols, Eigen::OuterStride<>(view.stride));
  }
};
static_assert(Lane<eigen_lane<float>> && Lane<eigen_lane<double>>);

/// The processor, through Eigen. `float` trains; `double` is for checks.
/// Copies share one set of threads.
template <class Scalar>
class eigen_backend {
 public:
  using scalar = Scalar;
  using lane = eigen_lane<Scalar>;
  using buffer = host_buffer<Scalar>;

  /// `threads` as for thread_pool: 0 takes one for every processor.
  explicit eigen_backend(int threads = 0) : threads_(std::make_shared<thread_pool>(threads)) {}

  static constexpr char const* name() { return "eigen"; }
  thread_pool& threads() const { return *threads_; }

 private:
  std::shared_ptr<thread_pool> threads_;
};
static_assert(Backend<eigen_backend<float>> && Backend<eigen_backend<double>>);

}  // namespace MAE_ISA
}  // namespace mae
