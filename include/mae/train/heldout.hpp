#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/report.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <vector>

namespace mae {

/// Runs batches forward only, shards in parallel.
template <class Network>
class shard_loss {
  using B = typename Network::backend_type;
  using T = typename B::scalar;

 public:
  shard_loss(typename Network::parts_type const& parts, B const& backend, index_t tokens)
      : backend_(backend),
        per_shard_(B::shards.images_of(tokens)),
        passes_(backend.num_workers(), backend, parts, pass_kind::inference) {}

  /// The summed loss of a batch, in the order of its shards.
  double operator()(typename Network::operands_type const& weights,
                    training_batch<T> const& batch) {
    losses_.assign(static_cast<std::size_t>(ceil_div(batch.images(), per_shard_)), 0.0);
    backend_.for_lanes(std::ssize(losses_), [&](index_t number, int worker) {
      index_t const first = number * per_shard_;
      index_t const last = std::min(first + per_shard_, batch.images());
      auto& mine = passes_[worker];
      losses_[static_cast<std::size_t>(number)] =
          mine.loss(weights,
                    mine.bring(batch.plan,
                               first,
                               last,
                               batch.patches_of(first, last),
                               {batch.targets_of(first, last)}));
    });
    return std::accumulate(losses_.begin(), losses_.end(), 0.0);
  }

 private:
  B const& backend_;
  index_t per_shard_;
  worker_passes<Network> passes_;
  std::vector<double> losses_;
};

/// The loss on the first `images` images of a dataset (0: all of them). Each image has one fixed
/// uniform 75% mask, whatever the training's policy, and no augmentation, so that trainings with
/// different masks can be compared. The same bits for any number of threads. Throws config_error
/// for a dataset without images or of another extent than the model's.
template <class Model, Dataset D>
heldout_loss evaluate_heldout(Model const& model, D const& dataset, index_t images = 0) {
  using T = typename Model::scalar;
  using network = typename Model::network_type;
  constexpr index_t chunk = 512;  // images in memory at once
  if (dataset.size() < 1) throw config_error("a dataset without images has no held-out loss");
  uniform_mask<ratio{3, 4}> const mask{};
  auto& threads = model.backend().threads();
  batch_loader<D, uniform_mask<ratio{3, 4}>, typename Model::objective_type, T> loader(
      dataset,
      mask,
      model.objective(),
      model.sizes().config,
      model.statistics(),
      {.mask_purpose = purpose::heldout_mask, .augment = std::nullopt, .loss = model.loss()},
      threads);
  typename network::prepared_type prepared(pass_kind::inference);
  auto const& operands = prepared.update(model.sizes(), model.weights(), model.backend());
  shard_loss<network> shards(
      model.sizes(), model.backend(), mask.max_visible(model.sizes().config.num_patches()) + 1);

  index_t const count = images > 0 ? std::min(images, dataset.size()) : dataset.size();
  std::vector<image_index> numbers;
  training_batch<T> batch;
  heldout_loss sum;
  double targets = 0;
  for (index_t first = 0; first < count; first += chunk) {
    numbers.resize(static_cast<std::size_t>(std::min(chunk, count - first)));
    std::iota(numbers.begin(), numbers.end(), static_cast<image_index>(first));
    loader.load(numbers, {}, batch);
    sum.loss += shards(operands, batch);
    sum.baseline += batch.zero_loss;
    targets += static_cast<double>(batch.num_targets());
  }
  return {sum.loss / targets, sum.baseline / targets};
}

}  // namespace mae
