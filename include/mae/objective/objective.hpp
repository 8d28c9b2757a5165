#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cassert>
#include <concepts>
#include <span>

namespace mae {

/// What the decoder is asked for. `target` sees a whole image, as patches (N, P) in the network's
/// input units, and writes the target of each patch in `rows`: targets (rows, target width). Const
/// members are called from several threads at once.
template <class O>
concept Objective = std::movable<O> && requires(O const& objective,
                                                model_config const& config,
                                                matrix_view<float const> patches,
                                                std::span<patch_index const> rows,
                                                matrix_view<float> targets) {
  { objective.target_width(config) } -> std::same_as<index_t>;  // constexpr-callable
  { objective.target(config, patches, rows, targets) } -> std::same_as<void>;
};

/// What predicting zero costs: the sum over rows of the mean square of `targets` (rows, target
/// width), which lie without gaps.
template <class T>
double loss_of_zero(matrix_view<T const> targets) {
  assert(targets.stride == targets.cols);
  double squares = 0;
  for (index_t i = 0; i < targets.size(); ++i) {
    auto const value = static_cast<double>(targets.data[i]);
    squares += value * value;
  }
  return squares / static_cast<double>(targets.cols);
}

}  // namespace mae
