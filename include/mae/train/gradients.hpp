#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/policy.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/op/set_zero.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradient_memory.hpp>
#include <mae/train/head_shares.hpp>
#include <mae/train/kept_shards.hpp>
#include <mae/train/partial_gradients.hpp>
#include <mae/train/recording_key.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/trainable.hpp>
#include <mae/train/training_batch.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// What the sum over all batches of a step amounts to.
template <std::size_t NumHeads>
struct summed_gradient {
  std::array<double, NumHeads> losses{};  // of each head, summed over its labels' rows
  double squared_norm = 0;  // of the sum of gradients: not finite when a gradient is not
};

/// Runs batches forward and backward, shards in parallel, and sums their gradients in an order that
/// does not depend on the number of threads.
template <class Network>
class gradient_sum {
  using B = typename Network::backend_type;
  using T = typename B::scalar;
  using parts_type = typename Network::parts_type;
  static constexpr std::size_t num_heads = Network::num_heads;

 public:
  using values_type = typename Network::values_type;
  using batch_type = training_batch<T, num_heads>;
  using shares_type = head_shares<num_heads>;
  using coupled_type = coupled_samples<T, parts_type>;

  /// Allocates everything that these weights and shards with at most `max_visible` visible patches
  /// an image need, for this process's own partial sums.
  gradient_sum(parts_type const& parts,
               parameter_layout const& layout,
               values_type const& weights,
               shard_schedule const& schedule,
               index_t max_visible,
               B const& backend,
               sum_range const& own,
               gradient_memory const& memory = {})
      : parts_(parts),
        schedule_(schedule),
        own_(own),
        backend_(backend),
        passes_(std::min<index_t>(backend.num_workers(), std::max<index_t>(1, own.size())),
                backend,
                parts,
                pass_kind::training),
        gradients_(layout, parts, own.size(), memory.adds_once ? passes_.size() : own.size()),
        factors_(static_cast<index_t>(num_heads)),
        totals_(num_totals() + 1) {
    auto const room = shard_capacity::bound(
        parts.config, schedule.per_shard(), max_visible, detail::predicted_by(parts));
    for (index_t i = 0; i < passes_.size(); ++i) passes_[i].reserve(parts, room);
    index_t const first = schedule.first_shard(own.first);
    if ((heads_on(parts) & coupled_type::heads()).any())
      kept_.reserve(parts, room, first, schedule.first_shard(own.last) - first, memory.keep_bytes);
    operands_ = &prepared_.update(parts_, weights, backend_);
  }

  /// Begins a new sum, of gradients at whatever values the weights have then, of one head alone; of
  /// a network with more of them that are on, `share` must follow.
  void clear() {
    is_prepared_ = are_kept_ = false;
    averaged_ = nullptr;
    begin();
    shares_ = shares_type::alone(heads_on(parts_));
  }
  /// Begins another sum at the same weights, over the same images: of one head alone.
  void begin_part(std::bitset<num_heads> const& head) {
    begin();
    share(shares_type::alone(head));
  }
  /// From here on these heads take part, each by its factor.
  void share(shares_type const& shares) {
    shares_ = shares;
    std::array<T, num_heads> factors{};
    std::ranges::transform(
        shares.factors, factors.begin(), [](double factor) { return static_cast<T>(factor); });
    passes_[0].lane().upload(std::span<T const>(factors), factors_.span());
  }

  /// What those of `heads` that couple images say of the accumulated batch `number` of a step; and
  /// what the network with the values `averaged` says, of heads that ask for it.
  void embed(values_type const& weights,
             batch_type const& batch,
             index_t number,
             coupled_type& coupled,
             std::bitset<num_heads> const& heads,
             values_type const* averaged = nullptr) {
    auto const active = heads & coupled_type::heads();
    if (active.none()) return;
    auto const asking = active & coupled.asking_average();
    if (asking.any() && averaged_ == nullptr)
      averaged_ = &prepared_average_.update(parts_, *averaged, backend_);
    are_kept_ = !kept_.empty();
    for_shards(weights,
               own_,
               [&](worker_pass<Network>& pass, index_t, index_t shard, image_range const& images) {
                 auto const in = pass.bring(batch.plan,
                                            images.first,
                                            images.last,
                                            patches(batch, images),
                                            {},
                                            batch.branch_scales_of(images.first, images.last));
                 auto const samples = samples_of(images, number);
                 if (asking.any())
                   say(shard_phase::average, pass, in, asking, nullptr, [&](std::size_t head) {
                     return coupled.averaged(head, samples);
                   });
                 say(shard_phase::embed, pass, in, active, kept_.of(shard), [&](std::size_t head) {
                   return coupled.z(head, samples);
                 });
               });
  }

  /// Adds the gradient of the heads' summed losses on the accumulated batch `number` of a step;
  /// those of heads that couple images are in `coupled`. The batch has those of the schedule's
  /// images that are in the process's own partial sums; it may change at once, while a device still
  /// works, and `told` is written. Where a step has several passes (passes_of), `heads` are this
  /// one's.
  void add(values_type const& weights,
           batch_type const& batch,
           index_t number = 0,
           coupled_type const* coupled = nullptr,
           told_rows<T> const& told = {},
           std::bitset<num_heads> const& heads = std::bitset<num_heads>().set()) {
    auto const active = shares_.active & heads;
    if (active.none()) return;
    bool const is_part = (heads_on(parts_) & ~heads).any();
    auto const add_shard =
        [&](worker_pass<Network>& pass, index_t sum, index_t shard, image_range const& images) {
          auto labels = batch.labels_of(images.first, images.last);
          if (coupled != nullptr)
            for (std::size_t head = 0; head < num_heads; ++head)
              if (active[head] && coupled_type::heads()[head])
                labels[head] = coupled->gradient(head, samples_of(images, number));
          auto const in = pass.bring(batch.plan,
                                     images.first,
                                     images.last,
                                     patches(batch, images),
                                     labels,
                                     batch.branch_scales_of(images.first, images.last),
                                     predicted_patches::targets,
                                     batch.row_weights_of(images.first, images.last));
          auto const& gradients = gradients_.at(pass.lane(), sum - own_.first);
          auto* const totals = totals_.data() + sum * static_cast<index_t>(num_heads);
          auto const of = typename Network::active_type{
              active, factors_.data(), is_part, are_kept_, !told.slopes.empty()};
          auto const* const kept = are_kept_ ? kept_.of(shard) : nullptr;
          pass.network().keep_in(kept);
          auto const phase = told.slopes.empty() ? shard_phase::learn : shard_phase::learn_and_tell;
          pass.lane().replay(recording_key(phase, active, pass, kept, sum, in),
                             [=, this, &pass, &gradients] {
                               pass.network().forward(*operands_, in, of, totals);
                               pass.network().backward(*operands_, in, of, gradients);
                             });
          pass.tell(in, batch.told_of(told, images.first, images.last));
        };
    gradients_.for_rounds(backend_.threads(), [&](index_t first, index_t last) {
      for_shards(weights, {own_.first + first, own_.first + last}, add_shard);
    });
  }

  /// When all that was added is done: the partial sums of all processes, pair by pair in a tree.
  template <Exchange E>
  summed_gradient<num_heads> reduce(E& exchange) {
    summed_gradient<num_heads> sum;
    auto const& lane = passes_[0].lane();
    if constexpr (!B::lane::is_parallel)
      sum.squared_norm = gradients_.reduce(backend_, exchange, shares_.factors);
    else
      gradients_.finish_on(lane, shares_.factors, totals_.data() + num_totals());
    loss_parts_.resize(static_cast<std::size_t>(num_totals()) + 1);
    lane.download(std::span<double const>(totals_.span()), std::span(loss_parts_));
    sum.squared_norm += loss_parts_.back();
    if (exchange.ranks() > 1)  // every rank has zeros where others have losses
      sum_over_ranks(
          exchange, std::span(loss_parts_).first(loss_parts_.size() - 1), received_losses_);
    for (index_t i = 0; i < num_totals(); ++i)
      sum.losses[static_cast<std::size_t>(i) % num_heads] +=
          loss_parts_[static_cast<std::size_t>(i)];
    return sum;
  }

  /// The reduced sum, laid out as the parameters.
  std::span<T const> values() const { return gradients_.values(); }
  std::span<T> values() { return gradients_.values(); }
  shard_schedule const& schedule() const { return schedule_; }
  /// The process's own partial sums.
  sum_range const& own() const { return own_; }
  /// The images of a batch that are in them: [first, last).
  index_t first_image() const { return first_image_of(own_.first); }
  index_t last_image() const { return first_image_of(own_.last); }

 private:
  void begin() {
    gradients_.clear();
    set_zero(passes_[0].lane(), totals_.span());
  }
  index_t num_totals() const { return schedule_.sums * static_cast<index_t>(num_heads); }
  index_t first_image_of(index_t sum) const {
    return schedule_.first_image(schedule_.first_shard(sum));
  }
  /// The samples of a step which these images of a process's batch are.
  image_range samples_of(image_range const& images, index_t number) const {
    index_t const before = number * schedule_.images + first_image();
    return {before + images.first, before + images.last};
  }
  static matrix_view<T const> patches(batch_type const& batch, image_range const& images) {
    return batch.patches_of(images.first, images.last);
  }

  /// What the active heads say of a shard, or its average does, of whole paths, is written to
  /// to(head).
  template <class To>
  void say(shard_phase of,
           worker_pass<Network>& pass,
           typename Network::input_type in,
           std::bitset<num_heads> const& active,
           typename Network::kept_type const* kept,
           To const& to) {
    bool const is_average = of == shard_phase::average;
    if (is_average) in.shard.branch_scales = {};
    auto const* const operands = is_average ? averaged_ : operands_;
    pass.network().keep_in(kept);
    pass.lane().replay(recording_key(of, active, pass, kept, 0, in), [=, this, &pass] {
      pass.network().forward(*operands, in, {.set = active}, totals_.data());
    });
    for (std::size_t head = 0; head < num_heads; ++head)
      if (active[head]) {
        auto const from = pass.network().embedded(head, in.shard);
        auto const size = static_cast<std::size_t>(from.size());
        pass.lane().download(std::span(from.data, size), std::span(to(head).data, size));
      }
  }

  /// body(pass, sum, shard, images) for every shard of these of the process's own partial sums,
  /// those of each in their order.
  template <class Body>
  void for_shards(values_type const& weights, sum_range const& sums, Body const& body) {
    if (!is_prepared_) operands_ = &prepared_.update(parts_, weights, backend_);
    is_prepared_ = true;
    bool const pass_for_each_sum = passes_.size() == own_.size();
    backend_.for_each(sums.size(), [&](index_t i, int worker) {
      index_t const sum = sums.first + i;
      for (index_t s = schedule_.first_shard(sum); s < schedule_.first_shard(sum + 1); ++s)
        body(passes_[pass_for_each_sum ? sum - own_.first : worker],
             sum,
             s,
             image_range{schedule_.first_image(s) - first_image(),
                         schedule_.first_image(s + 1) - first_image()});
    });
  }

  parts_type parts_;
  shard_schedule schedule_;
  sum_range own_;
  B backend_;
  worker_passes<Network> passes_;  // one for each worker or partial sum, whichever are fewer
  partial_gradients<Network> gradients_;
  shares_type shares_;
  typename B::buffer factors_;                     // shares_'s
  typename B::template buffer_of<double> totals_;  // each sum's losses, and a lane's squared norm
  std::vector<double> loss_parts_, received_losses_;
  typename Network::prepared_type prepared_{pass_kind::training};
  typename Network::operands_type const* operands_ = nullptr;
  bool is_prepared_ = false;
  typename Network::prepared_type prepared_average_{pass_kind::inference};
  typename Network::operands_type const* averaged_ = nullptr;  // where it was asked in this step
  kept_shards<Network> kept_;
  bool are_kept_ = false;  // in this step
};

}  // namespace mae
