#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/model/capacity.hpp>
#include <mae/model/layout.hpp>
#include <mae/model/network.hpp>
#include <mae/model/prepared_weights.hpp>
#include <mae/model/shard.hpp>
#include <mae/model/weights.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/shard_schedule.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// Runs batches forward and backward, shards in parallel, and sums their gradients in an order that
/// does not depend on the number of threads.
template <Backend B>
class gradient_sum {
  using T = typename B::scalar;

 public:
  /// Allocates everything that shards with at most `max_visible` visible patches an image need.
  gradient_sum(network_sizes const& sizes,
               parameter_layout const& layout,
               shard_schedule const& schedule,
               index_t max_visible,
               B const& backend)
      : schedule_(schedule), backend_(backend), size_(layout.size()) {
    auto const room = shard_capacity::bound(sizes.config, schedule.per_shard, max_visible);
    auto const passes = std::min<index_t>(backend.threads().size(), schedule.lanes);
    for (index_t pass = 0; pass < passes; ++pass) {
      passes_.emplace_back(sizes, pass_kind::training).fit(room);
      shards_.emplace_back().reserve(schedule.per_shard, sizes.config.num_patches(), max_visible);
    }
    for (index_t i = 0; i < schedule.lanes; ++i) lanes_.emplace_back(layout, sizes.config);
  }

  /// Begins a new sum, of gradients at whatever values the weights have then.
  void clear() {
    is_prepared_ = false;
    for (auto& lane : lanes_) lane.is_empty = true;
    targets_ = 0;
  }

  /// Adds the gradient of a batch's summed loss; returns that sum. The batch has the schedule's
  /// images.
  double add(network_weights<T const> const& weights, training_batch<T> const& batch) {
    if (!is_prepared_) operands_ = &prepared_.update(weights, backend_.threads());
    is_prepared_ = true;
    bool const pass_for_each_lane = passes_.size() == lanes_.size();
    backend_.threads().for_each(schedule_.lanes, [&](index_t lane, int worker) {
      add_lane(lanes_[static_cast<std::size_t>(lane)],
               lane,
               static_cast<std::size_t>(pass_for_each_lane ? lane : worker),
               batch);
    });
    targets_ += batch.num_targets();
    double loss = 0;
    for (auto const& lane : lanes_) loss += lane.loss;
    return loss;
  }

  /// Sums the lanes, pair by pair in a fixed tree, and returns the squared norm of the sum: not
  /// finite when a gradient is not.
  double reduce() {
    constexpr index_t grain = 1 << 14;
    squares_.assign(static_cast<std::size_t>(ceil_div(size_, grain)), 0.0);
    backend_.threads().for_ranges(size_, grain, [&](index_t first, index_t last, int /*worker*/) {
      for (std::size_t step = 1; step < lanes_.size(); step *= 2)
        for (std::size_t i = 0; i + step < lanes_.size(); i += 2 * step)
          add_range(lanes_[i].values.data(), lanes_[i + step].values.data(), first, last);
      T const* const sum = lanes_.front().values.data();
      squares_[static_cast<std::size_t>(first / grain)] =
          serial_block{}.template sum<double>(last - first, [&](index_t i) {
            auto const value = static_cast<double>(sum[first + i]);
            return value * value;
          });
    });
    double total = 0;
    for (double const part : squares_) total += part;
    return total;
  }

  /// The reduced sum, laid out as the parameters.
  std::span<T const> values() const { return lanes_.front().values.span(); }
  /// W, the targets whose losses the sum covers.
  index_t num_targets() const { return targets_; }
  shard_schedule const& schedule() const { return schedule_; }

 private:
  struct gradient_lane {
    gradient_lane(parameter_layout const& layout, model_config const& config)
        : values(layout.size()),
          weights{bind_encoder(layout, config, values.data()),
                  bind_decoder(layout, config, values.data())} {}

    typename B::buffer values;
    network_weights<T> weights;
    double loss = 0;
    bool is_empty = true;
  };

  void add_lane(gradient_lane& lane,
                index_t number,
                std::size_t pass_number,
                training_batch<T> const& batch) {
    if (lane.is_empty) std::ranges::fill(lane.values.span(), T{0});
    lane.is_empty = false;
    lane.loss = 0;
    auto& pass = passes_[pass_number];
    auto& shard = shards_[pass_number];
    for (index_t i = schedule_.first_shard(number); i < schedule_.first_shard(number + 1); ++i) {
      index_t const first = schedule_.first_image(i);
      index_t const last = schedule_.first_image(i + 1);
      shard.assign(batch.plan, first, last);
      auto const patches = batch.patches_of(first, last);
      auto const targets = batch.targets_of(first, last);
      lane.loss += pass.forward(*operands_, shard, patches, targets);
      pass.backward(*operands_, shard, targets, lane.weights);
    }
  }

  static void add_range(T* sum, T const* other, index_t first, index_t last) {
    for (index_t i = first; i < last; ++i) sum[i] += other[i];
  }

  shard_schedule schedule_;
  B backend_;
  index_t size_;
  std::vector<network_pass<B>> passes_;  // one for each worker or each lane, whichever are fewer
  std::vector<shard_rows> shards_;       // likewise
  std::vector<gradient_lane> lanes_;
  std::vector<double> squares_;
  prepared_weights<B> prepared_{pass_kind::training};
  network_operands<typename B::lane> const* operands_ = nullptr;
  bool is_prepared_ = false;
  index_t targets_ = 0;
};

}  // namespace mae
