#pragma once

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/head.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/report.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/training_batch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace mae {

/// The gradients of a mask policy over a step's images, and those of the step before, which are
/// pending until their time has come: see LearningMask. Of a policy that does not learn: nothing.
template <class M, class T>
class mask_gradients {
 public:
  template <class Parts>
  mask_gradients(M const& /*mask*/,
                 Parts const& /*parts*/,
                 shard_schedule const& /*schedule*/,
                 sum_range const& /*own*/) {
    if constexpr (detail::means_to_learn<M>) detail::require_learning<M>();
  }

  void clear() {}
  template <class Batch>
  told_rows<T> told_of(Batch const& /*batch*/) {
    return {};
  }
  template <class Loader, class Batch>
  void add(Loader const& /*loader*/,
           Batch const& /*batch*/,
           M const& /*mask*/,
           thread_pool& /*threads*/) {}
  template <Exchange E>
  void reduce(E& /*exchange*/, index_t /*images*/) {}
  bool is_finite() const { return true; }
  void finish_step(M const& /*mask*/, pending_mask_gradient const& /*pending*/, bool /*counts*/) {}
};

template <LearningMask M, class T>
class mask_gradients<M, T> {
 public:
  /// For the process's own partial sums of batches that are cut so. Throws config_error where the
  /// first head, which tells the losses, is off or has not one for each target, takes no weights
  /// for them and the policy has some, or has others than squared errors and the policy needs them;
  /// and of a policy that has some and does not learn.
  template <class Parts>
  mask_gradients(M const& mask,
                 Parts const& parts,
                 shard_schedule const& schedule,
                 sum_range const& own)
      : num_sums_(static_cast<std::size_t>(mask.num_sums())),
        asks_slopes_(num_sums_ > 0 && asks_slopes(mask)),
        schedule_(num_sums_ > 0 ? checked(schedule, parts, mask) : schedule),
        own_(own),
        of_sums_(static_cast<std::size_t>(schedule.sums) * num_sums_) {
    if (num_sums_ == 0 && (asks_slopes(mask) || weighs_targets(mask)))
      throw config_error(
          "a mask that has nothing to learn (num_sums() is 0) is told no slopes and weighs no "
          "targets: let asks_slopes() and weighs_targets() be false");
  }

  /// Begins a new step.
  void clear() {
    std::ranges::fill(of_sums_, 0.0);
    before_ = 0;
  }

  /// Room for the losses of all targets of a batch, and for the slopes of all that is visible.
  template <class Batch>
  told_rows<T> told_of(Batch const& batch) {
    if (num_sums_ == 0) return {};
    losses_.resize(static_cast<std::size_t>(batch.labels[0].offsets.back()));
    if (!asks_slopes_) return {losses_, {}};
    first_seen_.assign(1, 0);
    for (index_t i = 0; i < batch.images(); ++i)
      first_seen_.push_back(first_seen_.back() + batch.plan.counts(i).visible);
    slopes_.resize(static_cast<std::size_t>(first_seen_.back()));
    return {losses_, slopes_};
  }

  /// Adds the images of a batch, the loader's last, when their losses are there: in groups of a few
  /// that follow from the schedule alone, all cores at once.
  template <class Loader, class Batch>
  void add(Loader const& loader, Batch const& batch, M const& mask, thread_pool& threads) {
    if (num_sums_ == 0) return;
    make_groups();
    to_floats(losses_, losses_told_);
    to_floats(slopes_, slopes_told_);
    of_groups_.assign(groups_.size() * num_sums_, 0.0);
    index_t const before = before_ + first_image(own_.first);
    threads.for_each(std::ssize(groups_), [&](index_t i, int /*worker*/) {
      auto const& group = groups_[static_cast<std::size_t>(i)];
      auto const sums = row(of_groups_, i);
      for (index_t image = group.first; image < group.last; ++image) {
        auto const& offsets = batch.labels[0].offsets;
        auto const at = static_cast<std::size_t>(image);
        auto const first = static_cast<std::size_t>(offsets[at]);
        auto const count = static_cast<std::size_t>(offsets[at + 1]) - first;
        if (count == 0) continue;  // a view that is not painted tells nothing
        mask.add_gradient({.image = loader.context_of(image),
                           .visible = batch.plan.visible(image),
                           .targets = batch.plan.target(image),
                           .losses = std::span<float const>(losses_told_).subspan(first, count),
                           .sample = before + image,
                           .slopes = slopes_of(at)},
                          sums);
      }
    });
    for (std::size_t i = 0; i < groups_.size(); ++i)
      add_to(row(of_sums_, groups_[i].sum), row(of_groups_, static_cast<index_t>(i)));
    before_ += schedule_.images;
  }

  /// Sums up those of all processes, for the `images` of a step.
  template <Exchange E>
  void reduce(E& exchange, index_t images) {
    if (exchange.ranks() > 1 && num_sums_ > 0)  // every rank has zeros where others have sums
      sum_over_ranks(exchange, std::span<double>(of_sums_), received_);
    sum_.assign(num_sums_, 0.0);
    for (index_t i = 0; i < schedule_.sums; ++i) add_to(sum_, row(of_sums_, i));
    images_ = images;
  }
  bool is_finite() const {
    return std::ranges::all_of(sum_, [](double value) { return std::isfinite(value); });
  }

  /// All masks of the step are drawn: the policy learns from the step before. This one is pending
  /// where it counts.
  void finish_step(M& mask, pending_mask_gradient& pending, bool counts) {
    if (num_sums_ == 0) return;
    if (pending.images > 0) mask.update(pending.sums, pending.images);
    pending.images = counts ? images_ : 0;
    pending.sums.assign(counts ? num_sums_ : 0, 0.0);
    if (counts) std::ranges::copy(sum_, pending.sums.begin());
  }

 private:
  static void to_floats(std::vector<T> const& numbers, std::vector<float>& floats) {
    floats.resize(numbers.size());
    std::ranges::transform(
        numbers, floats.begin(), [](T number) { return static_cast<float>(number); });
  }
  std::span<float const> slopes_of(std::size_t image) const {
    if (!asks_slopes_) return {};
    auto const first = static_cast<std::size_t>(first_seen_[image]);
    return std::span(slopes_told_)
        .subspan(first, static_cast<std::size_t>(first_seen_[image + 1]) - first);
  }

  template <class Parts>
  static shard_schedule const& checked(shard_schedule const& schedule,
                                       Parts const& parts,
                                       M const& mask) {
    auto const& head = std::get<0>(parts.heads);
    constexpr index_t targets = 3;  // of an image with as many visible patches less one
    if (!parts.is_on(0) ||
        head.label_rows(shard_capacity::exactly(1, targets - 1, targets)) != targets)
      throw config_error(
          "a mask that learns needs the losses of a painter, and the first head, " +
          std::string(Parts::names()[0]) +
          ", is off, or tells none of each hidden patch, or those of visible ones too "
          "(visible_weight)");
    if (needs_squared_losses(mask) && !may_be_squared(head))
      throw config_error("the mask takes losses for squared errors, and the first head, " +
                         std::string(Parts::names()[0]) +
                         ", has others: give it the squared loss, or take another mask");
    if (weighs_targets(mask) && !weighs_rows<std::remove_cvref_t<decltype(head)>>)
      throw config_error("the mask weighs its targets, and the first head, " +
                         std::string(Parts::names()[0]) +
                         ", takes no weights: let it multiply its rows' gradients by "
                         "head_input's row_weights, and say so by weighs_rows");
    return schedule;
  }

  /// Of a head that has a patch_loss; others are trusted.
  template <class H>
  static bool may_be_squared(H const& head) {
    if constexpr (requires { head.loss.of == patch_loss::kind::squared; })
      return head.loss.of == patch_loss::kind::squared;
    else
      return true;
  }

  struct image_group {
    index_t sum = 0;  // to which its images belong
    index_t first = 0;
    index_t last = 0;  // of the process's batch
  };

  void make_groups() {
    constexpr index_t most = 8;
    groups_.clear();
    index_t const before = first_image(own_.first);
    for (index_t sum = own_.first; sum < own_.last; ++sum)
      for (index_t first = first_image(sum); first < first_image(sum + 1); first += most)
        groups_.push_back(
            {sum, first - before, std::min(first + most, first_image(sum + 1)) - before});
  }
  index_t first_image(index_t sum) const {
    return schedule_.first_image(schedule_.first_shard(sum));
  }

  std::span<double> row(std::vector<double>& rows, index_t i) const {
    return std::span(rows).subspan(static_cast<std::size_t>(i) * num_sums_, num_sums_);
  }
  static void add_to(std::span<double> sum, std::span<double const> other) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
  }

  std::size_t num_sums_;
  bool asks_slopes_;
  shard_schedule schedule_;
  sum_range own_;
  std::vector<double> of_sums_;    // (schedule.sums, num_sums)
  std::vector<double> of_groups_;  // (groups, num_sums)
  std::vector<image_group> groups_;
  std::vector<T> losses_, slopes_;
  std::vector<index_t> first_seen_;  // of each image's visible patches, in slopes_
  std::vector<float> losses_told_, slopes_told_;
  std::vector<double> received_, sum_;
  index_t images_ = 0;
  index_t before_ = 0;  // samples of the step's batches that were added
};

}  // namespace mae
