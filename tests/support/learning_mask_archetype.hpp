#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/hidden_share.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae_test {

/// All that the library asks of a mask policy that learns, and no more: what compiles with this one
/// compiles with any. It prefers to hide the places whose loss is above the image's mean.
///
/// - A MaskPolicy, whose const members are called from several threads, one image each.
/// - `num_sums()` stays. `add_gradient(told, sums)` adds to sums that other images' parts are in,
///   and never writes anything else; its own state is that by which the image's mask was drawn.
/// - `update(sums, images)`: once a step but for the first, by one thread, when all masks of the
///   step are drawn, with the sums of the step before.
/// - `state_names` and `state(k)`: all that update changes, as floats; a file's mask.NAME.
///
/// The library never copies it, and never asks for settings or a default constructor, unless a
/// model is made without the argument `mask`.
class place_mask {
 public:
  static constexpr std::array state_names{"places", "updates"};

  explicit place_mask(mae::index_t patches, float rate = 0.5F)
      : places_(static_cast<std::size_t>(patches)), rate_(rate) {}
  place_mask(place_mask&&) = default;
  place_mask& operator=(place_mask&&) = default;

  mae::index_t max_visible(mae::index_t patches) const { return patches / 2; }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream& random) const {
    mae::index_t const visible =
        1 + static_cast<mae::index_t>(random.uniform() *
                                      static_cast<float>(max_visible(image.patches.rows)));
    return mae::split_patches(image.patches.rows, visible);
  }
  void score(mae::mask_context const& /*image*/,
             mae::random_stream& random,
             std::span<float> scores) const {
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = random.uniform() + std::tanh(places_[i]);
  }

  mae::index_t num_sums() const { return std::ssize(places_); }
  void add_gradient(mae::mask_feedback const& told, std::span<double> sums) const {
    double mean = 0;
    for (float const loss : told.losses) mean += loss / static_cast<double>(told.losses.size());
    for (std::size_t i = 0; i < told.losses.size(); ++i) {
      auto const place = static_cast<std::size_t>(told.targets[i]);
      double const preference = std::tanh(static_cast<double>(places_[place]));
      sums[place] += (told.losses[i] - mean) * (1 - preference * preference);
    }
  }
  void update(std::span<double const> sums, mae::index_t images) {
    for (std::size_t i = 0; i < places_.size(); ++i)
      places_[i] += rate_ * static_cast<float>(sums[i] / static_cast<double>(images));
    updates_ += 1;
  }

  std::span<float const> state(std::size_t k) const {
    return k == 0 ? std::span<float const>(places_) : std::span<float const>(&updates_, 1);
  }
  std::span<float> state(std::size_t k) {
    return k == 0 ? std::span<float>(places_) : std::span<float>(&updates_, 1);
  }

 private:
  std::vector<float> places_;
  float rate_;
  float updates_ = 0;
};
static_assert(mae::LearningMask<place_mask>);

}  // namespace mae_test
