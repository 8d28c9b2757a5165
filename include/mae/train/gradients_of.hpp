#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradients.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/trainable.hpp>

#include <cstddef>

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

/// How much of a step may be kept (see gradient_sum): of accumulated batches, and of several
/// passes, one is there at a time, and nothing is.
constexpr index_t kept_bytes(index_t accumulate, std::size_t passes) {
  return accumulate == 1 && passes == 1 ? index_t{2} << 30 : 0;
}

/// The sums of a model's gradients for batches of so many images, of a process of an exchange. With
/// `keep_bytes` see gradient_sum.
template <Trainable Model, Exchange E>
gradient_sum<typename Model::network_type> gradients_of(Model const& model,
                                                        index_t batch_size,
                                                        E const& exchange,
                                                        index_t keep_bytes = 0) {
  auto const schedule = schedule_of(model, batch_size);
  return {model.sizes(),
          model.layout(),
          model.weights(),
          schedule,
          checked_max_visible(model),
          model.backend(),
          sums_of_rank(schedule, exchange.rank(), exchange.ranks()),
          keep_bytes};
}

}  // namespace mae
