#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/types.hpp>
#include <mae/op/linear.hpp>

namespace mae_test {

/// A linear layer as a lane's products read it, packed from its parameters as they are now.
template <mae::Lane L>
class prepared_linear {
  using T = mae::scalar_of<L>;

 public:
  explicit prepared_linear(mae::linear_weights<T const> weights)
      : forward_(L::packed_cells(weights.weight.cols, weights.weight.rows)),
        backward_(L::packed_cells(weights.weight.rows, weights.weight.cols)) {
    L const lane;
    operands_ = {.forward = lane.pack_transposed(weights.weight, forward_.data()),
                 .backward = lane.pack(weights.weight, backward_.data()),
                 .bias = weights.bias};
  }

  mae::linear_operands<L> const& operands() const { return operands_; }

 private:
  mae::host_buffer<typename L::cell> forward_;
  mae::host_buffer<typename L::cell> backward_;
  mae::linear_operands<L> operands_;
};

}  // namespace mae_test
