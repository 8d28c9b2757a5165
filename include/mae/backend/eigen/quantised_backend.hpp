#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/quantised_operand.hpp>
#include <mae/backend/tile/quantised_product.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace mae {
inline namespace MAE_ISA {
inline namespace MAE_INT8_ISA {

/// What stands between int8's layers, and what attention multiplies: bfloat16 where it is compiled
/// for its product, else float.
using int8_activation = std::conditional_t<has_product_instruction<bfloat16>, bfloat16, float>;

/// A lane whose layers multiply int8: their weights are quantised by rows when they are packed,
/// their input by rows before each product. All else, attention's products too, is that of the
/// activations' lane.
class quantised_lane : public eigen_lane<int8_activation> {
  using base = eigen_lane<int8_activation>;
  using int8 = int8_operand;

 public:
  using packed_weights = quantised_matrix<int8>;

  quantised_lane() = default;
  explicit quantised_lane(thread_pool& team)
      : base(team), members_(static_cast<std::size_t>(team.size())) {}

  static index_t weight_cells(index_t depth, index_t cols) {
    return quantised_cells<int8>(depth, cols);
  }
  static packed_weights weights_at(cell const* memory, index_t depth, index_t cols) {
    return quantised_at<int8>(memory_as<float const>(memory), depth, cols);
  }
  /// Throws numeric_error for weights that are not finite, config_error for too many inputs.
  packed_weights pack_weights(matrix_view<float const> weights, cell* memory) const {
    return pack_quantised<int8>(weights, memory_as<float>(memory));
  }

  using base::multiply;
  /// Throws numeric_error where a value of x is not finite.
  template <class Epilogue>
  void multiply(matrix_view<operand const> x,
                packed_weights const& weights,
                Epilogue const& epilogue) const {
    rows_.reserve(x.rows, x.cols);
    index_t const panels = weights.values.num_panels();
    if (num_members() == 1 || x.size() * weights.cols < least_shared_product ||
        needs_padding<int8>(x.rows, padded_depth(x.cols))) {
      rows_.quantise(x, 0, x.rows);
      multiply_quantised<int8>(rows_, x.rows, weights, 0, panels, rows_.padding(), epilogue);
      return;
    }
    share(x.rows, [&](index_t first, index_t last) { rows_.quantise(x, first, last); });
    share(panels, [&](index_t first, index_t last) {
      multiply_quantised<int8>(rows_, x.rows, weights, first, last, nullptr, epilogue);
    });
  }

  template <class Body>
  void for_parts(index_t count, Body const& body) const {
    base::for_parts(count, [&](base const& /*lane*/, index_t part, int member) {
      body(members_.empty() ? *this : members_[static_cast<std::size_t>(member)], part, member);
    });
  }

  void reserve_products(index_t rows, index_t width) const {
    base::reserve_products(rows, width);
    rows_.reserve(rows, width);
    for (auto const& each : members_) each.base::reserve_products(rows, width);
  }

 private:
  /// Multiply-adds that take a core about as long as it takes a team to begin twice.
  static constexpr index_t least_shared_product = 1 << 22;

  static constexpr index_t padded_depth(index_t depth) {
    return round_up(depth, depth_values<int8>);
  }

  /// body(first, last) for pieces of [0, count), about two for each member.
  template <class Body>
  void share(index_t count, Body const& body) const {
    index_t const each = std::max<index_t>(1, count / (index_t{2} * num_members()));
    base::for_parts(ceil_div(count, each), [&](base const& /*lane*/, index_t part, int /*member*/) {
      body(part * each, std::min((part + 1) * each, count));
    });
  }

  mutable quantised_rows<int8> rows_;
  std::vector<quantised_lane> members_;
};
static_assert(Lane<quantised_lane>);

/// The processor for inference in int8: what an encoder computes on it (quantised_encoder) are
/// floats, its layers' products sums of whole numbers, of the same inputs the same everywhere.
/// Nothing is trained on it. Lanes throw device_error in a program compiled for AMX where the
/// system refuses its use.
class quantised_backend : public eigen_backend<int8_activation> {
 public:
  using lane = quantised_lane;

  using eigen_backend<int8_activation>::eigen_backend;

  static constexpr char const* precision() { return "int8"; }
  /// "bf16" or "fp32": what is between the layers' products.
  static constexpr char const* activations() { return precision_name<int8_activation>; }
  lane make_lane() const { return {}; }
  lane make_team_lane() const { return lane(threads()); }
};
static_assert(Backend<quantised_backend>);

}  // namespace MAE_INT8_ISA
}  // namespace MAE_ISA
}  // namespace mae
