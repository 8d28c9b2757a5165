#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradient_memory.hpp>
#include <mae/train/gradients.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/trainable.hpp>

namespace mae {

/// The policy's max_visible (see there), of a model's patches.
template <class Model>
index_t checked_max_visible(Model const& model) {
  return checked_max_visible(model.mask(), model.sizes().config.num_patches());
}

/// How batches of so many images of a model are cut.
template <Trainable Model>
shard_schedule schedule_of(Model const& model, index_t batch_size) {
  using B = typename Model::backend_type;
  return schedule_shards(batch_size,
                         checked_max_visible(model) + 1,
                         model.layout().size() * static_cast<index_t>(sizeof(typename B::scalar)),
                         B::shards);
}

/// The sums of a model's gradients for batches of so many images, of a process of an exchange.
template <Trainable Model, Exchange E>
gradient_sum<typename Model::network_type> gradients_of(Model const& model,
                                                        index_t batch_size,
                                                        E const& exchange,
                                                        gradient_memory const& memory = {}) {
  auto const schedule = schedule_of(model, batch_size);
  return {model.sizes(),
          model.layout(),
          model.weights(),
          schedule,
          checked_max_visible(model),
          model.backend(),
          sums_of_rank(schedule, exchange.rank(), exchange.ranks()),
          memory};
}

}  // namespace mae
