#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/resize.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series/forecast_layout.hpp>
#include <mae/series/window_mask.hpp>
#include <mae/series/windows.hpp>
#include <mae/train/options.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace mae {

/// The sizes of a model of windows, and what it hides from itself.
struct series_model_options {
  std::uint64_t seed = 0;
  stack_config encoder = {.depth = 2, .width = 64, .heads = 4};
  stack_config decoder = {.depth = 1, .width = 48, .heads = 4};
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

inline model_config series_sizes(window_options const& windows,
                                 series_model_options const& options) {
  require_valid_stack(options.encoder, "encoder");
  require_valid_stack(options.decoder, "decoder");
  return {windows.image(), windows.patch, options.encoder, options.decoder};
}
inline window_mask series_mask(window_options const& windows, series_model_options const& options) {
  if (!(options.forecast_share >= 0 && options.forecast_share <= 1) ||
      !(options.mask_ratio > 0 && options.mask_ratio < 1))
    throw config_error(
        "the share of windows whose horizon is hidden must lie in [0, 1], and the share of "
        "patches that are hidden in (0, 1)");
  return {.context_columns = windows.context / windows.period / windows.patch.width,
          .forecast_share = options.forecast_share,
          .ratio = options.mask_ratio};
}
/// Windows are standardised already.
inline pixel_statistics series_statistics(window_options const& windows) {
  auto const channels = static_cast<std::size_t>(windows.image().channels);
  return {.mean = std::vector<double>(channels, 0.0),
          .deviation = std::vector<double>(channels, 1.0)};
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
      : base(detail::series_sizes(windows, options),
             parts_of(windows, options, std::move(backend))) {
    base::set_statistics(detail::series_statistics(windows));
  }

 private:
  static typename base::parts parts_of(window_options const& windows,
                                       series_model_options const& options,
                                       B backend) {
    typename base::parts parts;
    parts.seed = options.seed;
    parts.backend = std::move(backend);
    parts.mask = detail::series_mask(windows, options);
    return parts;
  }
};

/// Options for so many steps on windows: nothing is cropped or mirrored, the learning rate rises
/// for a twentieth of the steps, and paths are dropped, since a series has few windows that do not
/// overlap.
inline training_options window_training(series_windows const& windows,
                                        std::int64_t steps,
                                        std::uint64_t seed = 0,
                                        index_t batch_size = 32) {
  constexpr double warmup = 0.05;
  training_options options{
      .seed = seed, .batch_size = std::min(batch_size, windows.size()), .steps = steps};
  index_t const steps_an_epoch = windows.size() / options.batch_size;
  options.warmup_epochs = warmup * static_cast<double>(steps) / static_cast<double>(steps_an_epoch);
  options.clip = 1;
  options.lr = 5e-3;
  options.drop_path = 0.1;
  options.augment = {.crop_min = 1, .flip = false, .kind = interpolation::bilinear};
  return options;
}

namespace detail {

inline constexpr std::array<std::pair<variable_rule, char const*>, 3> variable_rules{
    {{variable_rule::each, "each"},
     {variable_rule::rows, "rows"},
     {variable_rule::channels, "channels"}}};

}  // namespace detail

/// What a file says of the windows that its model was trained on.
inline settings_list describe(window_options const& windows) {
  settings_list list{{"series_context", std::to_string(windows.context)},
                     {"series_horizon", std::to_string(windows.horizon)},
                     {"series_period", std::to_string(windows.period)},
                     {"series_variables", std::to_string(windows.variables)}};
  for (auto const& [rule, name] : detail::variable_rules)
    if (rule == windows.together) list.push_back({"series_together", name});
  return list;
}
/// The inverse; nothing for a model of anything else. Throws format_error for entries that are no
/// sizes, and for windows that are not as large as its pictures.
inline std::optional<window_options> windows_in(std::string const& path,
                                                safetensors_metadata const& description,
                                                model_config const& sizes) {
  if (!description.contains("series_period")) return std::nullopt;
  window_options windows{.patch = sizes.patch};
  auto const entry = [&](char const* name, char const* otherwise) {
    auto const found = description.find(name);
    return found == description.end() ? std::string(otherwise) : found->second;
  };
  for (auto const& [name, field] : {std::pair("series_context", &windows.context),
                                    std::pair("series_horizon", &windows.horizon),
                                    std::pair("series_period", &windows.period),
                                    std::pair("series_variables", &windows.variables)}) {
    auto const text = entry(name, field == &windows.variables ? "1" : "");
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *field);
    if (problem != std::errc{} || end != text.data() + text.size() || *field < 1)
      throw format_error(path, 8, std::string("metadata: ") + name + " is no size");
  }
  auto const together = entry("series_together", "each");
  bool is_known = false;
  for (auto const& [rule, name] : detail::variable_rules)
    if (together == name) {
      windows.together = rule;
      is_known = true;
    }
  if (!is_known) throw format_error(path, 8, "metadata: series_together is " + in_quotes(together));
  bool fits = false;
  try {
    fits = windows.image() == sizes.image;
  } catch (config_error const&) {  // sizes that no patches fit, which says it as well
  }
  if (!fits)
    throw format_error(path,
                       8,
                       "metadata: series_context, _horizon, _period and _variables make no picture "
                       "of " +
                           std::to_string(sizes.image.height) + " x " +
                           std::to_string(sizes.image.width) + " pixels and " +
                           std::to_string(sizes.image.channels) + " channels, as the model's are");
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
