#pragma once

#include "images.hpp"
#include "options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/saliency.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>

#include <span>
#include <variant>

namespace pretrain {

/// The mask that the command line chose. One policy type for all of them means that a model is
/// compiled once; a program that needs one mask names it in the model's type.
class chosen_mask {
 public:
  using any = std::
      variant<mae::uniform_mask<>, mae::ramped_mask, mae::random_ratio_mask, mae::saliency_mask>;

  explicit chosen_mask(any const& mask) : mask_(mask) {}

  mae::index_t max_visible(mae::index_t patches) const {
    return std::visit([&](auto const& mask) { return mask.max_visible(patches); }, mask_);
  }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& random) const {
    return std::visit([&](auto const& mask) { return mask.counts(image, random); }, mask_);
  }
  void score(mae::mask_context const& image,
             mae::random_stream& random,
             std::span<float> scores) const {
    std::visit([&](auto const& mask) { mask.score(image, random, scores); }, mask_);
  }
  mae::settings_list settings() const {
    return std::visit([](auto const& mask) { return mask.settings(); }, mask_);
  }

 private:
  any mask_;
};
static_assert(mae::MaskPolicy<chosen_mask>);

/// The objective that the command line chose.
class chosen_objective {
 public:
  using any = std::variant<mae::normalised_pixels, mae::pixels>;

  explicit chosen_objective(any const& objective) : objective_(objective) {}

  constexpr mae::index_t target_width(mae::model_config const& config) const {
    return config.patch_values();
  }
  template <class T>
  void target(mae::model_config const& config,
              mae::matrix_view<T const> patches,
              std::span<mae::patch_index const> rows,
              mae::matrix_view<T> targets) const {
    std::visit([&](auto const& chosen) { chosen.target(config, patches, rows, targets); },
               objective_);
  }
  template <class T>
  void to_pixels(mae::matrix_view<T const> patches,
                 std::span<mae::patch_index const> rows,
                 mae::matrix_view<T> predictions) const {
    std::visit([&](auto const& chosen) { chosen.to_pixels(patches, rows, predictions); },
               objective_);
  }
  mae::settings_list settings() const {
    return std::visit([](auto const& chosen) { return chosen.settings(); }, objective_);
  }

 private:
  any objective_;
};
static_assert(mae::Objective<chosen_objective>);

/// Makes the mask. Saliency is measured on the training images as the training will see them, crops
/// included.
chosen_mask make_mask(options const& settings,
                      image_set const& images,
                      mae::patch_extent const& patch,
                      mae::thread_pool& threads);

chosen_objective make_objective(options const& settings);

}  // namespace pretrain
