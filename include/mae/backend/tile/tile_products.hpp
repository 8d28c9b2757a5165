#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/tile/host_lane.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/product.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <type_traits>

namespace mae {
inline namespace MAE_ISA {

/// The products of a lane of one core, by the library's own tile kernel.
template <class Operand>
class tile_product_lane : public host_lane<Operand> {
  using base = host_lane<Operand>;

 public:
  using typename base::cell;
  using typename base::operand;
  using typename base::packed;

  /// Whether panels of a product can be shared out without a change to a bit.
  static constexpr bool shares_panels = true;

  template <class T>
  packed pack(matrix_view<T> b, cell* cells) const {
    return mae::pack<Operand, std::remove_const_t<T>>(b, cells);
  }
  template <class T>
  packed pack_transposed(matrix_view<T> b, cell* cells) const {
    return mae::pack_transposed<Operand, std::remove_const_t<T>>(b, cells);
  }

  template <class Epilogue>
  void multiply_alone(matrix_view<operand const> a,
                      packed const& b,
                      Epilogue const& epilogue) const {
    assert(cells_for<operand>(a.cols) == cells_for<operand>(b.depth));
    cell* const padding = needs_padding<operand>(a.rows, a.cols)
                              ? this->room(padding_cells<operand>(a.cols))
                              : nullptr;
    mae::multiply<operand>(left_operand(a), b, padding, epilogue);
  }

  template <class Epilogue>
  void multiply_transposed(matrix_view<operand const> a,
                           matrix_view<operand const> b,
                           Epilogue const& epilogue) const {
    assert(a.rows == b.rows);
    cell* const cells = this->room(transposed_cells(a.rows, b.cols));
    auto const right = pack(b, cells);
    mae::multiply_transposed<operand>(
        a, right, cells + base::packed_cells(b.rows, b.cols), epilogue);
  }

  void reserve_alone(index_t /*rows*/, index_t width) const {
    this->room(padding_cells<operand>(width));
  }
  void reserve_transposed(index_t rows, index_t width) const {
    this->room(transposed_cells(rows, width));
  }

 private:
  static constexpr index_t transposed_cells(index_t depth, index_t cols) {
    return base::packed_cells(depth, cols) + transposed_block_cells<operand>(depth);
  }
};

/// Products by the library's own tile kernel: what eigen_backend takes by default. An entry's bits
/// depend on no number of rows, thread or version; epilogues see sums while they are in registers.
struct tile_products {
  template <class Operand>
  using lane = tile_product_lane<Operand>;
  template <class Operand>
  static constexpr char const* precision = precision_name<Operand>;
};

}  // namespace MAE_ISA
}  // namespace mae
