#pragma once

#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/product.hpp>
#include <mae/backend/tile/quantise.hpp>
#include <mae/backend/tile/quantised_operand.hpp>
#include <mae/backend/tile/tile_kernel.hpp>
#include <mae/backend/tile/tile_registers.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

/// The deepest product whose sum surely fits 32 bits.
inline constexpr index_t most_int8_depth =
    std::numeric_limits<std::int32_t>::max() / (most_quantised * most_quantised);

/// The weights (cols, depth) of a layer as right operand (depth, cols) of int8 products.
template <class O>
struct quantised_matrix {
  packed_matrix<O> values;
  float const* scales = nullptr;               // (cols, whole panels)
  std::uint32_t const* corrections = nullptr;  // (likewise): what a sum has too much, modulo 2^32
  index_t depth = 0;
  index_t cols = 0;
};

/// The floats' room that one takes up.
template <class O>
constexpr index_t quantised_cells(index_t depth, index_t cols) {
  constexpr index_t of_column = operand_traits<O>::left_offset == 0 ? 1 : 2;
  return packed_cells<O>(depth, cols) + of_column * round_up(cols, tile_cols<O>);
}

/// What was packed into this memory; without memory, its extents.
template <class O>
quantised_matrix<O> quantised_at(float const* memory, index_t depth, index_t cols) {
  static_assert(sizeof(cell_of<O>) == sizeof(float));
  if (memory == nullptr) return {{}, nullptr, nullptr, depth, cols};
  float const* const scales = memory + packed_cells<O>(depth, cols);
  return {{memory_as<cell_of<O> const>(memory), depth, cols},
          scales,
          memory_as<std::uint32_t const>(scales + round_up(cols, tile_cols<O>)),
          depth,
          cols};
}

/// Quantises weights (cols, depth), each row by its own scale, and packs them into `memory`, which
/// has room for quantised_cells. Throws numeric_error for a value that is not finite, config_error
/// for rows of more than most_int8_depth values.
template <class O>
quantised_matrix<O> pack_quantised(matrix_view<float const> weights, float* memory) {
  using traits = operand_traits<O>;
  using cell = cell_of<O>;
  index_t const depth = weights.cols;
  if (depth > most_int8_depth)
    throw config_error("a layer of " + std::to_string(depth) +
                       " inputs is too deep for int8 products, whose sums may have " +
                       std::to_string(most_int8_depth));
  std::fill_n(memory, quantised_cells<O>(depth, weights.rows), 0.0F);
  index_t const cells = cells_for<O>(depth);
  float* const scales = memory + packed_cells<O>(depth, weights.rows);
  auto* const corrections = memory_as<std::uint32_t>(scales + round_up(weights.rows, tile_cols<O>));
  std::vector<typename traits::right_value> row(
      static_cast<std::size_t>(cells * traits::values_per_cell));
  for (index_t col = 0; col < weights.rows; ++col) {
    scales[col] = quantise_row(
        weights.data + col * weights.stride, depth, "a layer's weights", 0, row.data());
    auto* const panel = memory_as<cell>(memory) + col / tile_cols<O> * cells * tile_cols<O>;
    for (index_t k = 0; k < cells; ++k)
      std::memcpy(panel + k * tile_cols<O> + col % tile_cols<O>,
                  row.data() + k * traits::values_per_cell,
                  sizeof(cell));
    if constexpr (traits::left_offset != 0) {
      std::int32_t sum = 0;
      for (auto const value : row) sum += value;
      corrections[col] =
          static_cast<std::uint32_t>(traits::left_offset) * static_cast<std::uint32_t>(sum);
    }
  }
  return quantised_at<O>(memory, depth, weights.rows);
}

/// Rows (rows, depth) as left operand of int8 products, in memory that is kept for the next ones.
template <class O>
class quantised_rows {
  using left_value = typename operand_traits<O>::left_value;
  static_assert(sizeof(left_value) == sizeof(O));

 public:
  /// Throws device_error where products need registers whose use the system refuses.
  quantised_rows() { kernel::product_registers<O>::require(); }

  /// Makes room for so many.
  void reserve(index_t rows, index_t depth) {
    index_t const values = rows * padded(depth);
    if (values_.size() < values) values_ = host_buffer<left_value>(values);
    if (scales_.size() < rows) scales_ = host_buffer<float>(rows);
    if (padding_.size() < padding_cells<O>(depth))
      padding_ = host_buffer<cell_of<O>>(padding_cells<O>(depth));
  }

  /// Quantises rows [first, last) of a, for which there is room. Throws numeric_error for a value
  /// that is not finite.
  template <class T>
  void quantise(matrix_view<T const> a, index_t first, index_t last) {
    index_t const depth = padded(a.cols);
    for (index_t row = first; row < last; ++row) {
      auto* const to = values_.data() + row * depth;
      scales_[row] = quantise_row(
          a.data + row * a.stride, a.cols, "a layer's input", operand_traits<O>::left_offset, to);
      std::fill(to + a.cols, to + depth, left_value{});  // meets zeros
    }
  }

  left_operand operand(index_t rows, index_t depth) const {
    return left_operand(
        matrix_view<O const>(memory_as<O const>(values_.data()), rows, padded(depth)));
  }
  float const* scales() const { return scales_.data(); }
  cell_of<O>* padding() { return padding_.data(); }

 private:
  static constexpr index_t padded(index_t depth) {
    return cells_for<O>(depth) * operand_traits<O>::values_per_cell;
  }

  host_buffer<left_value> values_;
  host_buffer<float> scales_;
  host_buffer<cell_of<O>> padding_;
};

namespace kernel {

/// Turns sums of whole numbers into floats and hands them to an epilogue.
template <class O, class Epilogue>
struct scale_sums {
  static constexpr bool is_affine = false;
  float const* row_scales;
  quantised_matrix<O> const& weights;
  Epilogue const& epilogue;

  std::array<memory_rows, 2> meets(index_t row, index_t col) const {
    return epilogue.meets(row, col);
  }
  template <class Count>
  [[gnu::always_inline]] void operator()(std::int32_t const* sums,
                                         index_t row,
                                         index_t col,
                                         Count count) const {
    constexpr index_t length = vector_length<float>;
    // NOLINTNEXTLINE(*-pro-type-member-init): written below, as far as it is read
    alignas(vector_bytes) std::array<float, static_cast<std::size_t>(tile_cols<O>)> values;
    float* const out = values.data();
    float const row_scale = row_scales[row];
    if constexpr (Count::value % length == 0) {
      for (index_t i = 0; i < count; i += length)
        store_vector(
            out + i,
            __builtin_convertvector(whole(load_vector(sums + i), col + i), vector_of<float>) *
                (row_scale * load_vector(weights.scales + col + i)));
    } else {
      for (index_t i = 0; i < count; ++i)
        out[i] =
            static_cast<float>(whole(sums[i], col + i)) * (row_scale * weights.scales[col + i]);
    }
    if constexpr (Epilogue::is_affine) {
      index_t some = count;  // of few constants, and of registers, g++ makes single values
      asm("" : "+m"(values), "+r"(some));
      epilogue(static_cast<float const*>(out), row, col, some);
    } else {
      asm("" : "+m"(values));
      epilogue(static_cast<float const*>(out), row, col, count);
    }
  }

 private:
  /// Sums of the columns from `col` on, without what they have too much.
  [[gnu::always_inline]] vector_of<std::int32_t> whole(vector_of<std::int32_t> sums,
                                                       index_t col) const {
    if constexpr (operand_traits<O>::left_offset == 0)
      return sums;
    else
      return std::bit_cast<vector_of<std::int32_t>>(std::bit_cast<vector_of<std::uint32_t>>(sums) -
                                                    load_vector(weights.corrections + col));
  }
  [[gnu::always_inline]] std::int32_t whole(std::int32_t sum, index_t col) const {
    if constexpr (operand_traits<O>::left_offset == 0)
      return sum;
    else
      return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) - weights.corrections[col]);
  }
};

}  // namespace kernel

/// Computes a * b for the rows that were quantised, of the panels [first, last) of b, and hands it
/// to epilogue(values, row, col, count) as `multiply` does. An entry is its exact sum of whole
/// numbers, rounded to float, times both scales: its bits depend on no other row.
template <class O, class Epilogue>
void multiply_quantised(quantised_rows<O> const& rows,
                        index_t count,
                        quantised_matrix<O> const& b,
                        index_t first,
                        index_t last,
                        cell_of<O>* padding,
                        Epilogue const& epilogue) {
  kernel::scale_sums<O, Epilogue> const scaled{rows.scales(), b, epilogue};
  multiply<O>(rows.operand(count, b.depth), b.values.panels(first, last), padding, scaled);
}

}  // namespace MAE_ISA
}  // namespace mae
