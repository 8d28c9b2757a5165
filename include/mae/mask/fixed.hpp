#pragma once

#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Hides what it is told to: one mask for all images, or one for each image of the dataset by its
/// number, in every epoch. What is seen of an image is what its view shows at those places: a crop
/// moves the image below the mask.
class fixed_mask {
 public:
  /// `hidden` (images, patches): 0 is seen, any other value hidden. Throws config_error for
  /// another number of values, and for a row that hides all or nothing.
  fixed_mask(std::vector<std::uint8_t> hidden, index_t images, index_t patches)
      : hidden_(std::make_shared<std::vector<std::uint8_t> const>(std::move(hidden))),
        images_(images),
        patches_(patches) {
    if (images < 1 || patches < 2 || static_cast<index_t>(hidden_->size()) / images != patches ||
        static_cast<index_t>(hidden_->size()) % images != 0)
      throw config_error("fixed mask: " + std::to_string(hidden_->size()) + " values for " +
                         std::to_string(images) + " masks of " + std::to_string(patches) +
                         " patches");
    for (index_t i = 0; i < images; ++i) {
      index_t const visible = std::count(row(i).begin(), row(i).end(), std::uint8_t{0});
      if (visible == 0 || visible == patches)
        throw config_error("fixed mask: mask " + std::to_string(i) + " hides " +
                           (visible == 0 ? "every patch: nothing would be seen"
                                         : "no patch: there would be nothing to predict"));
      most_visible_ = std::max(most_visible_, visible);
    }
  }

  /// Throws config_error for another number of patches than the masks'.
  index_t max_visible(index_t patches) const {
    if (patches != patches_)
      throw config_error("fixed mask: masks of " + std::to_string(patches_) +
                         " patches for images of " + std::to_string(patches));
    return most_visible_;
  }
  /// Throws config_error for an image beyond the masks, where there are several.
  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    auto const mask = mask_of(image);
    index_t const visible = std::count(mask.begin(), mask.end(), std::uint8_t{0});
    return {visible, patches_ - visible};
  }
  void score(mask_context const& image, random_stream& /*random*/, std::span<float> scores) const {
    auto const mask = mask_of(image);
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = mask[i] == 0 ? 0.0F : 1.0F;
  }
  /// The masks are named by their hash: a resume refuses others.
  settings_list settings() const {
    xxh64 hash;
    hash.update(std::as_bytes(std::span(*hidden_)));
    return {{"mask", "file"},
            {"mask_count", std::to_string(images_)},
            {"mask_hash", std::to_string(hash.digest())}};
  }

 private:
  std::span<std::uint8_t const> row(index_t i) const {
    return std::span(*hidden_).subspan(static_cast<std::size_t>(i * patches_),
                                       static_cast<std::size_t>(patches_));
  }
  std::span<std::uint8_t const> mask_of(mask_context const& image) const {
    if (images_ == 1) return row(0);
    if (image.dataset_index >= static_cast<std::uint64_t>(images_))
      throw config_error("fixed mask: there are masks for " + std::to_string(images_) +
                         " images, none for image " + std::to_string(image.dataset_index));
    return row(static_cast<index_t>(image.dataset_index));
  }

  std::shared_ptr<std::vector<std::uint8_t> const> hidden_;  // (images, patches), shared by copies
  index_t images_;
  index_t patches_;
  index_t most_visible_ = 0;
};
static_assert(MaskPolicy<fixed_mask>);

}  // namespace mae
