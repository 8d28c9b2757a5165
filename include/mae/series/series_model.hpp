#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/resize.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series/window_mask.hpp>
#include <mae/series/windows.hpp>
#include <mae/train/options.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace mae {

/// The sizes of a model of windows, and what it hides from itself.
struct series_model_options {
  std::uint64_t seed = 0;
  stack_config encoder = {.depth = 3, .width = 96, .heads = 4};
  stack_config decoder = {.depth = 1, .width = 64, .heads = 4};
  double forecast_share = 0.75;
  double mask_ratio = 0.5;
};

namespace detail {

inline void require_valid_stack(stack_config const& stack, char const* which) {
  if (stack.depth < 1 || stack.heads < 1 || stack.width < 4 || stack.width % 4 != 0 ||
      stack.width % stack.heads != 0)
    throw config_error(
        std::string("the ") + which +
        " of a series' model needs a depth of 1 at least, and a width that 4 and its "
        "heads divide");
}

}  // namespace detail

/// An autoencoder of windows, whose sizes are known when the series is: it is trained as any other,
/// on series_windows, and paints for `forecast`.
template <Backend B = eigen_backend<float>>
class series_model : public sized_autoencoder<window_mask, B, pixels> {
  using base = sized_autoencoder<window_mask, B, pixels>;

 public:
  /// Throws config_error for windows and sizes that cannot be.
  explicit series_model(window_options const& windows,
                        series_model_options const& options = {},
                        B backend = B{})
      : base(sizes_of(windows, options), parts_of(windows, options, std::move(backend))) {
    base::set_statistics({.mean = {0}, .deviation = {1}});
  }

 private:
  static model_config sizes_of(window_options const& windows, series_model_options const& options) {
    detail::require_valid_stack(options.encoder, "encoder");
    detail::require_valid_stack(options.decoder, "decoder");
    return {windows.image(), windows.patch, options.encoder, options.decoder};
  }
  static typename base::parts parts_of(window_options const& windows,
                                       series_model_options const& options,
                                       B backend) {
    if (!(options.forecast_share >= 0 && options.forecast_share <= 1) ||
        !(options.mask_ratio > 0 && options.mask_ratio < 1))
      throw config_error(
          "the share of windows whose horizon is hidden must lie in [0, 1], and the share of "
          "patches that are hidden in (0, 1)");
    typename base::parts parts;
    parts.seed = options.seed;
    parts.backend = std::move(backend);
    parts.mask = {.context_columns = windows.context / windows.period / windows.patch.width,
                  .forecast_share = options.forecast_share,
                  .ratio = options.mask_ratio};
    return parts;
  }
};

/// Options for so many steps on windows: nothing is cropped or mirrored, the learning rate rises
/// for a twentieth of the steps.
inline training_options window_training(series_windows const& windows,
                                        std::int64_t steps,
                                        std::uint64_t seed = 0,
                                        index_t batch_size = 64) {
  constexpr double warmup = 0.05;
  training_options options{
      .seed = seed, .batch_size = std::min(batch_size, windows.size()), .steps = steps};
  index_t const steps_an_epoch = windows.size() / options.batch_size;
  options.warmup_epochs = warmup * static_cast<double>(steps) / static_cast<double>(steps_an_epoch);
  options.clip = 1;
  options.augment = {.crop_min = 1, .flip = false, .kind = interpolation::bilinear};
  return options;
}

/// What a file says of the windows that its model was trained on.
inline settings_list describe(window_options const& windows) {
  return {{"series_context", std::to_string(windows.context)},
          {"series_horizon", std::to_string(windows.horizon)},
          {"series_period", std::to_string(windows.period)}};
}
/// The inverse; nothing for a model of anything else. Throws format_error for entries that are no
/// sizes.
inline std::optional<window_options> windows_in(std::string const& path,
                                                safetensors_metadata const& description,
                                                patch_extent patch) {
  if (!description.contains("series_period")) return std::nullopt;
  window_options windows{.patch = patch};
  for (auto const& [name, field] : {std::pair("series_context", &windows.context),
                                    std::pair("series_horizon", &windows.horizon),
                                    std::pair("series_period", &windows.period)}) {
    auto const found = description.find(name);
    std::string const text = found == description.end() ? "" : found->second;
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *field);
    if (problem != std::errc{} || end != text.data() + text.size() || *field < 1)
      throw format_error(path, 8, std::string("metadata: ") + name + " is no size");
  }
  return windows;
}

/// A patch for windows of a period: phases by the divisor of the period that is nearest to 16, one
/// period wide.
inline patch_extent patch_for(index_t period) {
  index_t best = 1;
  auto const away = [](index_t height) {
    return std::abs(std::log(static_cast<double>(height) / 16.0));
  };
  for (index_t height = 1; height <= period; ++height)
    if (period % height == 0 && away(height) < away(best)) best = height;
  return {.height = best, .width = 1};
}

}  // namespace mae
