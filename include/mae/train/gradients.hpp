#pragma once

#include <mae/backend/block.hpp>
#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/shard_schedule.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mae {

inline namespace MAE_ISA {
namespace kernel {

template <class T>
struct square_element {
  T const* values;

  MAE_HOST_DEVICE double operator()(index_t i) const {
    auto const value = static_cast<double>(values[i]);
    return value * value;
  }
};

}  // namespace kernel
}  // namespace MAE_ISA

/// What the sum over all batches of a step amounts to.
struct summed_gradient {
  double loss = 0;          // summed over targets
  double squared_norm = 0;  // of the sum of gradients: not finite when a gradient is not
};

/// Runs batches forward and backward, shards in parallel, and sums their gradients in an order that
/// does not depend on the number of threads.
template <class Network>
class gradient_sum {
  using B = typename Network::backend_type;
  using T = typename B::scalar;
  using parts_type = typename Network::parts_type;

 public:
  /// Allocates everything that these weights and shards with at most `max_visible` visible patches
  /// an image need, for the lanes that are this process's own.
  gradient_sum(parts_type const& parts,
               parameter_layout const& layout,
               typename Network::values_type const& weights,
               shard_schedule const& schedule,
               index_t max_visible,
               B const& backend,
               lane_range const& own)
      : parts_(parts),
        schedule_(schedule),
        own_(own),
        backend_(backend),
        size_(layout.size()),
        passes_(std::min<index_t>(backend.num_workers(), num_lanes()),
                backend,
                parts,
                pass_kind::training),
        totals_(schedule.lanes + 1) {
    auto const room = shard_capacity::bound(parts.config, schedule.per_shard(), max_visible);
    for (index_t i = 0; i < passes_.size(); ++i) passes_[i].reserve(parts, room);
    for (index_t i = 0; i < num_lanes(); ++i) lanes_.emplace_back(layout, parts);
    operands_ = &prepared_.update(parts_, weights, backend_);
  }

  /// Begins a new sum, of gradients at whatever values the weights have then.
  void clear() {
    is_prepared_ = false;
    for (auto& lane : lanes_) lane.is_empty = true;
    set_zero(passes_[0].lane(),
             std::span<double>(totals_.data(), static_cast<std::size_t>(schedule_.lanes) + 1));
    targets_ = 0;
  }

  /// Adds the gradient of a batch's summed loss. The batch has those of the schedule's images that
  /// are in the process's own lanes; it may change at once, while a device still works.
  void add(typename Network::values_type const& weights, training_batch<T> const& batch) {
    if (!is_prepared_) operands_ = &prepared_.update(parts_, weights, backend_);
    is_prepared_ = true;
    bool const pass_for_each_lane = passes_.size() == own_.size();
    backend_.for_lanes(own_.size(), [&](index_t lane, int worker) {
      add_lane(lanes_[static_cast<std::size_t>(lane)],
               own_.first + lane,
               passes_[pass_for_each_lane ? lane : worker],
               batch);
    });
    targets_ += batch.num_targets();
  }

  /// Sums the lanes of all processes, pair by pair in a fixed tree, when all that was added is
  /// done.
  template <Exchange E>
  summed_gradient reduce(E& exchange) {
    summed_gradient sum;
    auto const& lane = passes_[0].lane();
    if constexpr (!B::lane::is_parallel) {
      sum.squared_norm = reduce_lanes(exchange);
    } else {
      assert(lanes_.size() == 1);
      lane.add_sum(size_, square_of(0), totals_.data() + schedule_.lanes);
    }
    loss_parts_.resize(static_cast<std::size_t>(schedule_.lanes) + 1);
    lane.download(std::span<double const>(totals_.data(), loss_parts_.size()),
                  std::span(loss_parts_));
    sum.squared_norm += loss_parts_.back();
    if (exchange.ranks() > 1) {  // every rank has zeros where others have losses
      loss_parts_.back() = static_cast<double>(targets_);
      sum_over_ranks(exchange, std::span(loss_parts_), received_losses_);
      targets_ = static_cast<index_t>(loss_parts_.back());
    }
    for (index_t i = 0; i < schedule_.lanes; ++i)
      sum.loss += loss_parts_[static_cast<std::size_t>(i)];
    return sum;
  }

  /// The reduced sum, laid out as the parameters.
  std::span<T const> values() const {
    return {lanes_.front().values.data(), static_cast<std::size_t>(size_)};
  }
  /// W, the targets whose losses the sum covers: after reduce those of all processes.
  index_t num_targets() const { return targets_; }
  shard_schedule const& schedule() const { return schedule_; }
  /// The images of a batch that are in the process's own lanes: [first, last).
  index_t first_image() const { return first_image_of(own_.first); }
  index_t last_image() const { return first_image_of(own_.last); }

 private:
  /// A process without lanes of its own has room for one, for the sum.
  index_t num_lanes() const { return std::max<index_t>(1, own_.size()); }
  index_t first_image_of(index_t lane) const {
    return schedule_.first_image(schedule_.first_shard(lane));
  }

  struct gradient_lane {
    gradient_lane(parameter_layout const& layout, parts_type const& parts)
        : values(layout.size()), weights(bind_network(layout, parts, values.data())) {}

    typename B::buffer values;
    typename Network::gradients_type weights;
    bool is_empty = true;
  };

  void add_lane(gradient_lane& lane,
                index_t number,
                worker_pass<Network>& pass,
                training_batch<T> const& batch) {
    if (lane.is_empty) set_zero(pass.lane(), lane.values.span());
    lane.is_empty = false;
    for (index_t i = schedule_.first_shard(number); i < schedule_.first_shard(number + 1); ++i) {
      index_t const first = schedule_.first_image(i) - first_image();
      index_t const last = schedule_.first_image(i + 1) - first_image();
      auto const in = pass.bring(
          batch.plan, first, last, batch.patches_of(first, last), {batch.targets_of(first, last)});
      // Whose pass it is and its numbers of rows: with them the addresses are the same.
      auto const rows = shard_capacity::of(in.shard);
      std::array<index_t, 9> const key{static_cast<index_t>(std::bit_cast<std::uintptr_t>(&pass)),
                                       number,
                                       rows.images,
                                       rows.visible,
                                       rows.targets,
                                       rows.encoder_rows,
                                       rows.decoder_rows,
                                       rows.longest_encoder_sequence,
                                       rows.longest_decoder_sequence};
      pass.lane().replay(key, [&] {
        pass.network().forward(*operands_, in, totals_.data() + number);
        pass.network().backward(*operands_, in, lane.weights);
      });
    }
  }

  kernel::square_element<T> square_of(index_t first) const {
    return {lanes_.front().values.data() + first};
  }

  /// On the host, all cores at once; returns the squared norm of the sum.
  template <Exchange E>
  double reduce_lanes(E& exchange) {
    constexpr index_t grain = 1 << 14;
    squares_.assign(static_cast<std::size_t>(ceil_div(size_, grain)), 0.0);
    bool const is_alone = exchange.ranks() == 1;
    auto const square = [&](index_t first, index_t last) {
      squares_[static_cast<std::size_t>(first / grain)] =
          serial_block{}.template sum<double>(last - first, square_of(first));
    };
    backend_.threads().for_ranges(size_, grain, [&](index_t first, index_t last, int /*worker*/) {
      sum_lanes(first, last);
      if (is_alone) square(first, last);
    });
    if (!is_alone) {
      sum_over_ranks(
          exchange, lanes_.front().values.span().first(static_cast<std::size_t>(size_)), received_);
      backend_.threads().for_ranges(
          size_, grain, [&](index_t first, index_t last, int /*worker*/) { square(first, last); });
    }
    double total = 0;
    for (double const part : squares_) total += part;
    return total;
  }

  /// values [first, last) of the process's own lanes, into its first.
  void sum_lanes(index_t first, index_t last) {
    if (own_.size() == 0)  // -0 is what changes no other's sum
      std::fill(lanes_.front().values.data() + first, lanes_.front().values.data() + last, -T{0});
    for (std::size_t step = 1; step < lanes_.size(); step *= 2)
      for (std::size_t i = 0; i + step < lanes_.size(); i += 2 * step)
        add_range(lanes_[i].values.data(), lanes_[i + step].values.data(), first, last);
  }

  static void add_range(T* sum, T const* other, index_t first, index_t last) {
    for (index_t i = first; i < last; ++i) sum[i] += other[i];
  }

  parts_type parts_;
  shard_schedule schedule_;
  lane_range own_;
  B backend_;
  index_t size_;
  worker_passes<Network> passes_;  // one for each worker or lane, whichever are fewer
  std::vector<gradient_lane> lanes_;
  typename B::template buffer_of<double>
      totals_;  // each lane's loss, and a parallel lane's squared norm
  std::vector<double> loss_parts_;
  std::vector<double> squares_;
  std::vector<T> received_;  // of other processes, before it is added
  std::vector<double> received_losses_;
  typename Network::prepared_type prepared_{pass_kind::training};
  typename Network::operands_type const* operands_ = nullptr;
  bool is_prepared_ = false;
  index_t targets_ = 0;
};

}  // namespace mae
