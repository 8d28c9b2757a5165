#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// How many patches of one image stay visible and how many are to be predicted; the rest is absent.
struct mask_counts {
  index_t visible = 0;
  index_t target = 0;

  friend constexpr bool operator==(mask_counts const&, mask_counts const&) = default;
};

/// Which patches of every image of a batch are visible, which are targets and which are absent: all
/// that the network knows of masking. Made by a MaskPolicy or given from outside.
///
/// Within an image the visible patches are listed in ascending position, and so are the targets:
/// the order of a set changes nothing but rounding, and memory is read forwards.
class mask_plan {
 public:
  mask_plan() = default;
  /// Room for `images` plans over `patches` patches each, to be filled by `assign`. Throws
  /// config_error for sizes below 0, and for more than 2^31 - 1 patches of an image or than memory
  /// has numbers for.
  mask_plan(index_t images, index_t patches) { resize(images, patches); }

  /// Every patch of every image visible, no targets: what inference takes.
  static mask_plan all_visible(index_t images, index_t patches) {
    mask_plan plan(images, patches);
    for (index_t i = 0; i < images; ++i) {
      std::iota(plan.order(i), plan.order(i) + patches, patch_index{0});
      plan.counts_[static_cast<std::size_t>(i)] = {patches, 0};
    }
    return plan;
  }

  /// Empties the plan; allocates only beyond the largest size seen. Throws as the constructor.
  void resize(index_t images, index_t patches) {
    constexpr index_t most = std::numeric_limits<patch_index>::max();
    if (images < 0 || patches < 0 || patches > most || images > most_positions / (patches + 1))
      throw config_error("a mask plan for " + std::to_string(images) + " images of " +
                         std::to_string(patches) + " patches");
    images_ = images;
    patches_ = patches;
    order_.resize(static_cast<std::size_t>(images * patches));
    counts_.assign(static_cast<std::size_t>(images), {});
  }

  /// Plans one image by the law that every policy shares (He et al. 2021, the official code's
  /// argsort of noise): the `visible` patches of lowest score are seen, the next `target`
  /// predicted. Ties go to the lower position. Distinct images may be assigned from distinct
  /// threads. `scores` (N). Throws config_error for an image outside [0, images()), a NaN score,
  /// visible < 1, target < 1 of an image that is not all visible, or a sum beyond N.
  void assign(index_t image, mask_counts counts, std::span<float const> scores) {
    check(image, counts, scores);
    patch_index* const first = order(image);
    patch_index* const seen = first + counts.visible;
    patch_index* const last = seen + counts.target;
    std::iota(first, first + patches_, patch_index{0});
    std::sort(first, first + patches_, [scores](patch_index a, patch_index b) {
      float const x = scores[static_cast<std::size_t>(a)];
      float const y = scores[static_cast<std::size_t>(b)];
      return x < y || (x == y && a < b);
    });
    std::sort(first, seen);
    std::sort(seen, last);
    counts_[static_cast<std::size_t>(image)] = counts;
  }

  /// Leaves an image so many of its targets, drawn with equal chances; the others become absent.
  /// None is allowed, of an image that a painter is to pass over. Distinct images from distinct
  /// threads.
  void keep_targets(index_t image, index_t kept, random_stream& random) {
    auto const [visible, target] = counts(image);
    assert(kept >= 0 && kept <= target);
    patch_index* const first = order(image) + visible;
    if (kept > 0 && kept < target) {
      for (index_t i = 0; i < kept; ++i)
        std::swap(first[i], first[i + random.below(static_cast<std::uint64_t>(target - i))]);
      std::sort(first, first + kept);
    }
    counts_[static_cast<std::size_t>(image)].target = kept;
  }

  index_t images() const { return images_; }
  /// N, the patches an image has at most.
  index_t patches() const { return patches_; }
  mask_counts counts(index_t image) const {
    assert(image >= 0 && image < images_);
    return counts_[static_cast<std::size_t>(image)];
  }
  /// The positions of the visible patches, ascending.
  std::span<patch_index const> visible(index_t image) const {
    return {order(image), static_cast<std::size_t>(counts(image).visible)};
  }
  /// The positions of the patches to predict, ascending.
  std::span<patch_index const> target(index_t image) const {
    auto const [seen, predicted] = counts(image);
    return {order(image) + seen, static_cast<std::size_t>(predicted)};
  }
  /// The sum of all images' counts.
  mask_counts total() const { return total(0, images_); }
  /// The sum of the counts of images [first, last).
  mask_counts total(index_t first, index_t last) const {
    mask_counts sum;
    for (index_t i = first; i < last; ++i) {
      sum.visible += counts(i).visible;
      sum.target += counts(i).target;
    }
    return sum;
  }
  /// Image i has the targets [offsets[i], offsets[i + 1]) of all. Into a vector that a loader
  /// keeps, so that no batch allocates.
  void target_offsets(std::vector<index_t>& offsets) const {
    offsets.assign(1, 0);
    for (auto const& [visible, target] : counts_) offsets.push_back(offsets.back() + target);
  }

 private:
  patch_index* order(index_t image) { return order_.data() + image * patches_; }
  patch_index const* order(index_t image) const { return order_.data() + image * patches_; }

  void check(index_t image, mask_counts counts, std::span<float const> scores) const {
    auto const refuse = [image](std::string const& why) {
      throw config_error("mask of image " + std::to_string(image) + " of the batch: " + why);
    };
    if (image < 0 || image >= images_)
      refuse("the batch has " + std::to_string(images_) + " images");
    if (static_cast<index_t>(scores.size()) != patches_)
      refuse(std::to_string(scores.size()) + " scores for " + std::to_string(patches_) +
             " patches");
    if (counts.visible < 1) refuse("no visible patch: the encoder would see nothing");
    if (counts.target < 1 && counts != mask_counts{patches_, 0})
      refuse("no patch to predict, of an image that is not all visible");
    if (counts.visible > patches_ - counts.target)
      refuse(std::to_string(counts.visible) + " visible and " + std::to_string(counts.target) +
             " target patches, of " + std::to_string(patches_));
    for (index_t i = 0; i < patches_; ++i)
      if (std::isnan(scores[static_cast<std::size_t>(i)]))
        refuse("the score of patch " + std::to_string(i) + " is not a number");
  }

  /// No allocation is larger.
  static constexpr index_t most_positions =
      std::numeric_limits<index_t>::max() / static_cast<index_t>(sizeof(patch_index));

  index_t images_ = 0;
  index_t patches_ = 0;
  std::vector<patch_index> order_;   // (B, N): visible, then target, then absent
  std::vector<mask_counts> counts_;  // (B)
};

}  // namespace mae
