#pragma once

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace mae {

/// Stands for a value that is missing in a picture; its patch is absent.
inline constexpr float absent_pixel = 1e30F;

/// Hides what a series' model is to learn: the horizon, or patches anywhere. Patches with an
/// `absent_pixel` are neither seen nor predicted.
struct window_mask {
  index_t context_columns = 1;  // of patches; those after them are the horizon
  /// Of the windows, which have their horizon hidden; the others have patches hidden anywhere.
  double forecast_share = 0.75;
  double ratio = 0.5;  // of the patches hidden anywhere

  constexpr index_t max_visible(index_t patches) const { return patches - 1; }

  mask_counts counts(mask_context const& image, random_stream& /*random*/) const {
    index_t before = 0;
    index_t after = 0;
    for (index_t i = 0; i < image.patches.rows; ++i)
      if (is_whole(image, i)) ++(is_context(image, i) ? before : after);
    if (before < 1 || after < 1)
      throw config_error("a window whose context or horizon is missing as a whole");
    if (forecasts(image)) return {.visible = before, .target = after};
    index_t const all = before + after;
    auto const hidden = static_cast<index_t>(ratio * static_cast<double>(all));
    index_t const target = std::clamp(hidden, index_t{1}, all - 1);
    return {.visible = all - target, .target = target};
  }

  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    bool const is_forecast = forecasts(image);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      auto const patch = static_cast<index_t>(i);
      if (!is_whole(image, patch))
        scores[i] = 2;
      else
        scores[i] = is_forecast ? (is_context(image, patch) ? 0.0F : 1.0F) : random.uniform();
    }
  }

  settings_list settings() const {
    return {{"mask", "window"},
            {"mask_context_columns", std::to_string(context_columns)},
            {"mask_forecast_share", decimal_text(forecast_share)},
            {"mask_ratio", decimal_text(ratio)}};
  }

 private:
  /// By the window and the epoch, whatever the seed: `counts` and `score` must agree.
  bool forecasts(mask_context const& image) const {
    random_stream chance({.use = purpose::mask,
                          .epoch = static_cast<std::uint32_t>(image.epoch),
                          .index = image.dataset_index,
                          .view = 1});
    return chance.uniform_double() < forecast_share;
  }
  static bool is_whole(mask_context const& image, index_t patch) {
    auto const values = image.patches.row(patch);
    return std::find(values.begin(), values.end(), absent_pixel) == values.end();
  }
  bool is_context(mask_context const& image, index_t patch) const {
    return patch % image.grid_columns < context_columns;
  }
};
static_assert(MaskPolicy<window_mask>);

}  // namespace mae
