#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/tile/operand.hpp>
#include <mae/backend/tile/packing.hpp>
#include <mae/backend/tile/tile_registers.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <span>

namespace mae {
inline namespace MAE_ISA {

/// What all lanes of the host have in common: copies are plain copies, work is done when its verb
/// returns, and no op is the lane's own.
template <class Operand>
class copying_lane {
 public:
  using operand = Operand;
  using scalar = sum_of<Operand>;

  static constexpr fused_members fused{};

  template <class T>
  void upload(std::span<T const> host, std::span<T> values) const {
    std::ranges::copy(host, values.begin());
  }
  template <class T>
  void download(std::span<T const> values, std::span<T> host) const {
    std::ranges::copy(values, host.begin());
  }

  template <class Body>
  void replay(std::span<index_t const> /*key*/, Body const& body) const {
    body();
  }
};

/// Those of them whose right operands lie as the tile kernel reads them.
template <class Operand>
class host_lane : public copying_lane<Operand> {
 public:
  using cell = cell_of<Operand>;
  using packed = packed_matrix<Operand>;

  static constexpr index_t depth_step = depth_values<Operand>;

  /// Throws device_error where products need registers whose use the system refuses.
  host_lane() { kernel::product_registers<Operand>::require(); }

  static constexpr index_t packed_cells(index_t depth, index_t cols) {
    return mae::packed_cells<Operand>(depth, cols);
  }
  static packed packed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols};
  }
  static packed packed_transposed_at(cell const* cells, index_t depth, index_t cols) {
    return {cells, depth, cols};
  }

 protected:
  /// Memory that a product needs while it runs, kept for the next one.
  cell* room(index_t cells) const {
    if (room_.size() < cells) room_ = host_buffer<cell>(cells);
    return room_.data();
  }

 private:
  mutable host_buffer<cell> room_;
};

}  // namespace MAE_ISA
}  // namespace mae
