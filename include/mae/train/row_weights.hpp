#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>
#include <mae/train/training_batch.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace mae {

/// Makes room for the weights of a batch whose labels are laid out, where a mask weighs targets.
template <class T, std::size_t NumHeads>
void reserve_row_weights(bool weighs, training_batch<T, NumHeads>& batch) {
  batch.has_row_weights = weighs;
  if (!weighs) return;
  batch.image_weights.assign(static_cast<std::size_t>(batch.images()), 0.0);
  index_t const rows = batch.labels[0].offsets.back();
  if (batch.row_weights.size() < rows) batch.row_weights = host_buffer<T>(rows);
}

/// Writes the weights that a mask gives an image's targets, the first head's rows, and what the
/// counted ones amount to. Returns the weighed losses of predictions that are zero. Throws
/// config_error for weights that cannot be. Of a mask that weighs none: nothing.
template <class M, class H, class T, std::size_t NumHeads>
double weigh_rows(M const& mask,
                  mask_context const& seen,
                  H const& head,
                  index_t image,
                  training_batch<T, NumHeads>& batch) {
  double zero_loss = 0;
  if constexpr (requires { mask.weighs_targets(); }) {
    auto const rows = batch.labels[0].of(image, image + 1);
    std::vector<float> weights(static_cast<std::size_t>(rows.rows));
    static_assert(
        requires { mask.weigh(seen, batch.plan.target(image), weights); },
        "a mask that weighs_targets has a const weigh(image, targets, weights)");
    if (weights.empty()) return 0;  // a view that is not painted
    mask.weigh(seen, batch.plan.target(image), weights);
    auto const at = static_cast<std::size_t>(image);
    T* const to = batch.row_weights.data() + batch.labels[0].offsets[at];
    bool is_count = true;
    for (index_t i = 0; i < rows.rows; ++i) {
      float const weight = weights[static_cast<std::size_t>(i)];
      if (!std::isfinite(weight) || weight < 0)
        throw config_error("the mask policy weighs a target by " + std::to_string(weight) +
                           ": weights must be finite and not below 0");
      to[i] = static_cast<T>(weight);
      auto const row = rows.middle_rows(i, 1);
      batch.image_weights[at] +=
          static_cast<double>(weight) * static_cast<double>(head.num_counted(row));
      zero_loss += static_cast<double>(weight) * head.loss_of_zero(row);
      is_count = is_count && weight == 1;
    }
    if (is_count) return head.loss_of_zero(rows);  // to the last bit
  }
  return zero_loss;
}

}  // namespace mae
