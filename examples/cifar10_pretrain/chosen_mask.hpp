#pragma once

#include "images.hpp"
#include "options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace pretrain {

/// The mask that the command line chose. One policy type for all of them means that a model is
/// compiled once, and what they are made of in chosen_mask.cpp alone; a program that needs one mask
/// names it in the model's type.
class chosen_mask {
 public:
  struct any;  // a variant of policies

  explicit chosen_mask(any mask);
  chosen_mask(chosen_mask const& other);
  chosen_mask(chosen_mask&& other) noexcept;
  chosen_mask& operator=(chosen_mask const& other);
  chosen_mask& operator=(chosen_mask&& other) noexcept;
  ~chosen_mask();

  mae::index_t max_visible(mae::index_t patches) const;
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& random) const;
  void score(mae::mask_context const& image,
             mae::random_stream& random,
             std::span<float> scores) const;
  mae::settings_list settings() const;

  // Of one that does not learn: no sums, no state.
  std::vector<char const*> state_names;
  mae::index_t num_sums() const;
  void add_gradient(mae::mask_feedback const& told, std::span<double> sums) const;
  void update(std::span<double const> sums, mae::index_t images);
  std::span<float const> state(std::size_t k) const;
  std::span<float> state(std::size_t k);
  bool asks_slopes() const;
  bool weighs_targets() const;
  bool needs_squared_losses() const;
  void weigh(mae::mask_context const& image,
             std::span<mae::patch_index const> targets,
             std::span<float> weights) const;

  // Of one that counts each image by itself: no counts_of_batch.
  bool counts_with_batch() const;
  double wish(mae::mask_context const& image) const;
  void counts_of_batch(std::span<double const> wishes,
                       mae::index_t patches,
                       std::span<mae::index_t> visible) const;

  /// Whether it hides nothing: what is to be painted is spoilt by noise alone.
  bool hides_nothing() const;
  /// Whether its masks of other images say more than that patches are drawn blindly.
  bool is_worth_showing() const;
  /// Whether it thinks some patches harder than others to paint, and how hard (N); or, where it has
  /// gates, how far they are open.
  bool knows_hardness() const;
  bool has_gates() const;
  void hardness(mae::mask_context const& image, std::span<float> numbers) const;
  /// A single number that it keeps under a name, where it does.
  std::optional<double> number(std::string_view name) const;

 private:
  std::unique_ptr<any> any_;
};
static_assert(mae::LearningMask<chosen_mask> && mae::BatchMask<chosen_mask>);

/// Makes the mask for a training on these images, or for pictures of them. What depends on how
/// images are distributed is measured on crops as the training makes them, before colours change.
/// Throws usage_error for a file of masks that does not fit.
chosen_mask make_mask(options const& settings,
                      image_set const& images,
                      mae::model_config const& config,
                      mae::thread_pool& threads);

/// The levels of density that the command line asks for, measured likewise; those of a checkpoint
/// or a saved training that are `known`, where they are of so many and this measure.
mae::patch_levels make_levels(options const& settings,
                              image_set const& images,
                              mae::model_config const& config,
                              mae::patch_levels const& known,
                              mae::thread_pool& threads);

}  // namespace pretrain
