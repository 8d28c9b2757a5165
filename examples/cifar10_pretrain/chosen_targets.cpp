#include "chosen_objective.hpp"

// All targets' loops, compiled once and optimised.

namespace pretrain {

void chosen_objective::target(mae::model_config const& config,
                              mae::matrix_view<float const> patches,
                              std::span<mae::patch_index const> rows,
                              mae::matrix_view<float> targets) const {
  std::visit([&](auto const& chosen) { chosen.target(config, patches, rows, targets); },
             objective_);
}

void chosen_objective::to_pixels(mae::matrix_view<float const> patches,
                                 std::span<mae::patch_index const> rows,
                                 mae::matrix_view<float const> predictions,
                                 mae::matrix_view<float> pixels) const {
  std::visit(
      [&](auto const& chosen) {
        if constexpr (requires { chosen.to_pixels(patches, rows, predictions, pixels); })
          chosen.to_pixels(patches, rows, predictions, pixels);
        else
          throw mae::config_error("these targets are no pixels, and cannot be painted");
      },
      objective_);
}

}  // namespace pretrain
