#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/set_zero.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace mae {

template <Lane L>
class projection_layers_pass;

/// A layer norm and two linear layers with a GELU between them, of rows: E values of F. No
/// statistics of a batch, so that what is said of an image depends on no other.
struct projection_layers {
  template <class T, class Linear>
  struct weights {
    norm_weights<T> norm;
    Linear first;   // (H, F)
    Linear second;  // (E, H)
  };
  template <Lane L>
  using pass = projection_layers_pass<L>;

  index_t inputs = 0;   // F
  index_t hidden = 0;   // H
  index_t outputs = 0;  // E

  /// The names of its tensors begin with `name` and a dot.
  template <class Walk, class... Of>
  void walk(std::string_view name, Walk& at, Of&... of) const {
    std::string const begin = std::string(name) + '.';
    at.norm((begin + "norm").c_str(), inputs, of.norm...);
    at.linear((begin + "fc1").c_str(), hidden, inputs, of.first...);
    at.linear((begin + "fc2").c_str(), outputs, hidden, of.second...);
  }
  /// The values in its tensors.
  index_t num_parameters() const {
    return 2 * inputs + hidden * (inputs + 1) + outputs * (hidden + 1);
  }
  product_extents extents(index_t rows) const {
    return {.width = std::max({outputs, hidden, inputs}), .rows = rows};
  }
};

/// The same on a lane, of S rows at most.
template <Lane L>
class projection_layers_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;
  using operands = projection_layers::weights<T const, linear_operands<L>>;
  using gradients = projection_layers::weights<T, linear_weights<T>>;

 public:
  static projection_layers_pass carve(carver<T>& memory,
                                      projection_layers const& part,
                                      index_t most,
                                      pass_kind kind) {
    projection_layers_pass pass;
    pass.statistics_ = memory.matrix(most, 2);
    pass.normal_ = memory.template matrix_of<O>(most, part.inputs);
    pass.hidden_ = memory.template matrix_of<O>(most, part.hidden);
    pass.slope_ = memory.template matrix_of<O>(most, part.hidden);
    if (kind == pass_kind::inference) return pass;
    pass.outputs_grad_ = memory.template matrix_of<O>(most, part.outputs);
    pass.hidden_grad_ = memory.template matrix_of<O>(most, part.hidden);
    pass.normal_grad_ = memory.matrix(most, part.inputs);
    return pass;
  }

  /// Writes the values (S, E) of rows (S, F).
  void forward(head_input<L> const& in,
               operands const& weights,
               matrix_view<T const> inputs,
               matrix_view<T> outputs) const {
    index_t const rows = inputs.rows;
    auto const normal = normal_.middle_rows(0, rows);
    auto const hidden = hidden_.middle_rows(0, rows);
    layer_norm_forward(
        in.lane, inputs, weights.norm, in.norm_epsilon, normal, statistics_.middle_rows(0, rows));
    linear_gelu_forward(in.lane, normal, weights.first, hidden, slope_.middle_rows(0, rows));
    linear_forward(in.lane, hidden, weights.second, outputs);
  }

  /// Given the gradient of the outputs (S, E), writes that of the inputs (S, F) and adds those of
  /// the weights.
  void backward(head_input<L> const& in,
                operands const& weights,
                matrix_view<T const> inputs,
                matrix_view<T const> outputs_grad,
                matrix_view<T> inputs_grad,
                gradients const& weights_grad) const {
    index_t const rows = inputs.rows;
    auto const y_grad = as_operands(in.lane, outputs_grad, outputs_grad_);
    auto const hidden_grad = hidden_grad_.middle_rows(0, rows);
    auto const normal_grad = normal_grad_.middle_rows(0, rows);
    linear_backward_weights(in.lane, hidden_.middle_rows(0, rows), y_grad, weights_grad.second);
    gelu_linear_backward(in.lane, weights.second, y_grad, slope_.middle_rows(0, rows), hidden_grad);
    linear_backward(in.lane,
                    normal_.middle_rows(0, rows),
                    weights.first,
                    hidden_grad,
                    normal_grad,
                    weights_grad.first);
    set_zero(in.lane, inputs_grad);
    layer_norm_backward(in.lane,
                        inputs,
                        weights.norm,
                        statistics_.middle_rows(0, rows),
                        normal_grad,
                        inputs_grad,
                        weights_grad.norm);
  }

 private:
  matrix_view<T> statistics_;    // (S, 2), of the norm
  matrix_view<O> normal_;        // (S, F)
  matrix_view<O> hidden_;        // (S, H), after the GELU
  matrix_view<O> slope_;         // (S, H), of the GELU
  matrix_view<O> outputs_grad_;  // (S, E), as operands
  matrix_view<O> hidden_grad_;   // (S, H)
  matrix_view<T> normal_grad_;   // (S, F)
};

}  // namespace mae
