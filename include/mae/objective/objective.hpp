#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/op/patch_loss.hpp>

#include <cassert>
#include <concepts>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What the decoder is asked for. `target` sees a whole image, as patches (N, P) in the network's
/// input units, and writes the target of each patch in `rows`: targets (rows, target width), which
/// lie without gaps. Const members are called from several threads at once.
template <class O>
concept Objective = std::movable<O> && requires(O const& objective,
                                                model_config const& config,
                                                matrix_view<float const> patches,
                                                std::span<patch_index const> rows,
                                                matrix_view<float> targets) {
  { objective.target_width(config) } -> std::same_as<index_t>;  // constexpr-callable
  { objective.target(config, patches, rows, targets) } -> std::same_as<void>;
};

/// A tensor that targets depend on beside an objective's settings. An objective with a member
/// `std::vector<objective_tensor> tensors() const` has them kept in files, as objective.<name>, and
/// is refused where a file has others.
struct objective_tensor {
  std::string name;
  std::vector<index_t> shape;
  std::span<float const> values;
};

/// An objective's own; none of one without the member.
template <class O>
auto tensors_of(O const& objective) {
  if constexpr (requires { objective.tensors(); })
    return objective.tensors();
  else
    return std::vector<objective_tensor>();
}

/// What predicting zero costs: the sum over rows of the loss of `targets` (rows, target width),
/// which lie without gaps.
template <class T>
double loss_of_zero(patch_loss const& loss, matrix_view<T const> targets) {
  assert(targets.stride == targets.cols);
  double costs = 0;
  with_cost<double>(loss, [&](auto cost) {
    for (index_t i = 0; i < targets.size(); ++i)
      costs += cost.value(static_cast<double>(targets.data[i]));
  });
  return costs / static_cast<double>(targets.cols);
}

}  // namespace mae
