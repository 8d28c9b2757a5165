#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/eigen_map.hpp>
#include <mae/backend/tile/host_lane.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// The products of a lane of one core, by Eigen's. A right operand (depth, cols) is kept as its
/// transpose, in the type of the sums; a left one is widened into the lane's room where it has
/// another type. A whole product is computed before its epilogue sees a row.
template <class Operand>
class eigen_product_lane : public copying_lane<Operand> {
 public:
  using typename copying_lane<Operand>::operand;
  using typename copying_lane<Operand>::scalar;
  using cell = scalar;

  struct packed {
    cell const* cells = nullptr;
    index_t depth = 0;
    index_t cols = 0;

    matrix_view<cell const> transposed() const { return {cells, cols, depth}; }
  };

  static constexpr index_t depth_step = 1;
  static constexpr bool shares_panels = false;  // Eigen's sums depend on how many columns there are

  static constexpr index_t packed_cells(index_t depth, index_t cols) { return depth * cols; }
  static packed packed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols};
  }
  static packed packed_transposed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols};
  }
  template <class T>
  packed pack(matrix_view<T> b, cell* cells) const {
    for (index_t row = 0; row < b.rows; ++row)
      for (index_t col = 0; col < b.cols; ++col) cells[col * b.rows + row] = widened(b(row, col));
    return {cells, b.rows, b.cols};
  }
  template <class T>
  packed pack_transposed(matrix_view<T> b, cell* cells) const {
    widen(b, cells);
    return {cells, b.cols, b.rows};
  }

  template <class Epilogue>
  void multiply_alone(matrix_view<operand const> a,
                      packed const& b,
                      Epilogue const& epilogue) const {
    assert(a.cols == b.depth);
    matrix_view<scalar> const sums(this->room(a.rows * b.cols + widened_size(a)), a.rows, b.cols);
    auto const left = left_of(a, sums.data + sums.size());
    eigen_map(sums).noalias() = eigen_map(left) * eigen_map(b.transposed()).transpose();
    finish(sums, epilogue);
  }
  template <class Epilogue>
  void multiply_transposed(matrix_view<operand const> a,
                           matrix_view<operand const> b,
                           Epilogue const& epilogue) const {
    assert(a.rows == b.rows);
    matrix_view<scalar> const sums(
        this->room(a.cols * b.cols + widened_size(a) + widened_size(b)), a.cols, b.cols);
    auto const left = left_of(a, sums.data + sums.size());
    auto const right = left_of(b, sums.data + sums.size() + widened_size(a));
    eigen_map(sums).noalias() = eigen_map(left).transpose() * eigen_map(right);
    finish(sums, epilogue);
  }

  void reserve_alone(index_t rows, index_t width) const { this->room(2 * rows * width); }
  void reserve_transposed(index_t rows, index_t width) const {
    this->room(width * (width + 2 * rows));
  }

 private:
  static constexpr bool widens = !std::is_same_v<operand, scalar>;

  /// As products read a value of any type: rounded to an operand, and as wide as the sums.
  template <class T>
  static scalar widened(T value) {
    return static_cast<scalar>(static_cast<operand>(value));
  }
  template <class T>
  static void widen(matrix_view<T> from, scalar* to) {
    for (index_t row = 0; row < from.rows; ++row)
      for (index_t col = 0; col < from.cols; ++col) *to++ = widened(from(row, col));
  }
  static constexpr index_t widened_size(matrix_view<operand const> a) {
    return widens ? a.size() : 0;
  }
  /// The operand itself, or a wide copy of it in `room`.
  static matrix_view<scalar const> left_of(matrix_view<operand const> a, scalar* room) {
    if constexpr (widens) {
      widen(a, room);
      return {room, a.rows, a.cols};
    } else {
      return a;
    }
  }
  template <class Epilogue>
  static void finish(matrix_view<scalar const> sums, Epilogue const& epilogue) {
    for (index_t row = 0; row < sums.rows; ++row)
      epilogue(sums.data + row * sums.stride, row, index_t{0}, sums.cols);
  }

  scalar* room(index_t size) const {
    if (room_.size() < size) room_ = host_buffer<scalar>(size);
    return room_.data();
  }

  mutable host_buffer<scalar> room_;
};

/// Products by Eigen, eigen_backend<Operand, eigen_products>: for a processor that the tile kernel
/// is not tuned for, and to hold that kernel to. bfloat16 operands are rounded, widened and
/// multiplied in float.
///
/// What `tile_products` promises and this does not:
/// - a warm step allocates: Eigen takes memory for a large product's blocks;
/// - the bits of a row may depend on the rows beside it, and all bits on Eigen's version (a
///   training still repeats its own on any number of threads; resumes by other products are
///   refused, since `precision()` names these);
/// - units compiled for several instruction sets may not be linked into one program, since Eigen's
///   functions have the same names in all;
/// - a team shares no product; and where a program is compiled with -fopenmp, Eigen's own threads
///   compete with the backend's, unless it defines EIGEN_DONT_PARALLELIZE.
struct eigen_products {
  template <class Operand>
  using lane = eigen_product_lane<Operand>;
  template <class Operand>
  static constexpr char const* precision = std::is_same_v<Operand, bfloat16> ? "bf16 by Eigen"
                                           : std::is_same_v<Operand, double> ? "fp64 by Eigen"
                                                                             : "fp32 by Eigen";
};
static_assert(Backend<eigen_backend<float, eigen_products>> &&
              Backend<eigen_backend<double, eigen_products>> &&
              Backend<eigen_backend<bfloat16, eigen_products>>);

}  // namespace MAE_ISA
}  // namespace mae
