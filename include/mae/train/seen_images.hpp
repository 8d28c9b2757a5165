#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mae {

/// What a mask policy saw of each image of a batch, kept for when it is told what became of it.
class seen_images {
 public:
  /// Room for so many images of so many values.
  void resize(index_t images, index_t values) {
    contexts_.resize(static_cast<std::size_t>(images));
    patches_.resize(std::max(patches_.size(), static_cast<std::size_t>(images * values)));
    values_ = values;
  }
  /// Distinct images from distinct threads.
  void keep(index_t image, mask_context const& seen) {
    auto& kept = contexts_[static_cast<std::size_t>(image)] = seen;
    float* const patches = patches_.data() + image * values_;
    std::copy_n(seen.patches.data, values_, patches);
    kept.patches.data = patches;
  }
  mask_context const& context_of(index_t image) const {
    return contexts_[static_cast<std::size_t>(image)];
  }

 private:
  std::vector<mask_context> contexts_;  // (B)
  std::vector<float> patches_;          // (B * N, P)
  index_t values_ = 0;
};

}  // namespace mae
