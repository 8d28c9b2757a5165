#pragma once

#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/train/batch_options.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// How a policy plans the images of a batch: one by one, or, where it counts with the batch, by the
/// counts that were decided for all of its samples, those of other processes too.
template <MaskPolicy M>
class batch_counts {
 public:
  batch_counts() {
    if constexpr (!BatchMask<M> && detail::means_to_count_with_batch<M>)
      detail::require_counting_with_batch<M>();
  }

  /// Of the whole batch of which `numbers` are some; see(place, all, worker) is what the policy
  /// sees of a sample. Throws what counts_of_batch does.
  template <class See>
  void decide(M const& mask,
              batch_images const& numbers,
              index_t patches,
              thread_pool& threads,
              See const& see) {
    if constexpr (BatchMask<M>) {
      decided_ = counts_with_batch(mask);
      if (!decided_) return;
      first_ = numbers.first;
      auto const all = numbers.whole();
      wishes_.resize(static_cast<std::size_t>(all.size()));
      visible_.resize(wishes_.size());
      threads.for_each(all.size(), [&](index_t i, int worker) {
        wishes_[static_cast<std::size_t>(i)] = mask.wish(see(i, all, worker));
      });
      mask.counts_of_batch(wishes_, patches, visible_);
    }
  }

  /// Plans image `image` of those that are loaded. Throws as plan_image.
  void plan(mask_plan& to,
            index_t image,
            M const& mask,
            mask_context const& context,
            random_stream& random,
            std::span<float> scores) const {
    if (!decided_) return plan_image(to, image, mask, context, random, scores);
    index_t const visible = visible_[static_cast<std::size_t>(first_ + image)];
    require_room(mask, to.patches(), visible);
    mask.score(context, random, scores);
    to.assign(image, {visible, to.patches() - visible}, scores);
  }

 private:
  bool decided_ = false;
  index_t first_ = 0;             // sample that is loaded, of the whole batch's
  std::vector<double> wishes_;    // of the whole batch
  std::vector<index_t> visible_;  // likewise
};

}  // namespace mae
