#pragma once

#include "checkpoint_flags.hpp"
#include "chosen_mask.hpp"
#include "images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/encode_images.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

// Which patches of an image are seen where an encoder is used, not trained.

namespace tools {

/// Whose images are seen: their draws differ.
enum class seen_set : std::uint32_t { training, tests };

/// Chooses images' visible patches by a mask, as a training of this seed that stands at this
/// progress: an exact number of each image, or as many as the mask shows.
class patch_chooser {
 public:
  /// `exactly` is from 1 to the model's patches, of which all need no mask.
  patch_chooser(pretrain::chosen_mask mask,
                mae::model_config const& config,
                pretrain::options const& settings,
                std::optional<mae::index_t> exactly);

  /// Plans image `image` of a set, whose patches (N, P) are in scaled units. May be called from
  /// several threads at once.
  void plan(seen_set set,
            mae::index_t image,
            mae::matrix_view<float const> patches,
            mae::mask_plan& plan,
            mae::index_t at) const;
  /// The same for all images of a set; this object must outlive it.
  mae::see_patches of_set(seen_set set) const;

  /// The mean number of visible patches of the images of a set that were planned so far.
  double mean_visible(seen_set set) const;

 private:
  pretrain::chosen_mask mask_;
  mae::model_config config_;
  std::uint64_t seed_;
  double progress_;
  std::optional<mae::index_t> exactly_;
  struct planned {
    std::atomic<mae::index_t> images{0};
    std::atomic<mae::index_t> visible{0};
  };
  planned& of(seen_set set) const { return planned_[static_cast<std::size_t>(set)]; }
  mutable std::array<planned, 2> planned_;  // for each set
};

/// Throws usage_error for a number of --visible beyond the model's patches.
void require_patches(std::vector<mae::index_t> const& numbers, mae::pretrained_model const& model);

/// Chooses `number` patches by the mask of the flags: exactly, but that of dense images `density`
/// shows more than of others, by --mask-swing or what so few patches leave of it, which is said;
/// `number` is then the mean over `training`. Without a number: what the mask shows. Throws
/// as mask_of.
patch_chooser choose_patches(common_options const& o,
                             mae::pretrained_model const& model,
                             pretrain::image_set const& training,
                             std::optional<mae::index_t> number,
                             mae::thread_pool& threads);

}  // namespace tools
