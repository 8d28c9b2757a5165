#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/statements.hpp>
#include <mae/io/description.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

/// What a model's files say of how a picture becomes its input. In metadata these are the entries
/// pixel_mean, pixel_deviation, pixel_scale, pixel_rescale and picture_* (docs/interop.md).
struct preprocessing {
  static constexpr double usual_rescale = 1.0 / 255.0;

  /// Of pixels in [0, 1], whatever the files' own units are; empty where nothing is said.
  pixel_statistics statistics = {};
  /// What bytes are multiplied by before they are normalised, in the files' units: 1 where they are
  /// not rescaled.
  double rescale = usual_rescale;
  /// "crop" (the middle), "stretch" (all of it), "none" (pictures have the model's size), "cut"
  /// (the middle, without resizing), "border" (all of it, within a border); empty where nothing is
  /// said.
  std::string fit = {};
  index_t shortest_edge = 0;   // the shorter side, before the middle is cut out; 0: as it fits
  index_t resized_height = 0;  // both sides, before the middle is cut out; 0: the model's
  index_t resized_width = 0;
  bool even_middle = false;   // the middle's begin is rounded to even, as torchvision does
  bool keeps_exact = false;   // a picture of the model's size is taken as it is
  std::string resample = {};  // "bicubic", ...; empty where nothing is said
  // What the file leaves open, and was assumed.
  bool assumes_statistics = false;
  bool assumes_fit = false;
  bool assumes_all = false;  // that it does nothing but what its values say

  friend bool operator==(preprocessing const&, preprocessing const&) = default;
};

namespace detail {

/// The entry that keeps a preprocessor_config.json as it was read, for others to read again.
inline constexpr char const* kept_preprocessor = "huggingface_preprocessor";

/// The names of Pillow's resampling filters, at their numbers.
inline constexpr std::array<std::string_view, 6> filter_names{
    "nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"};

/// Both sides, "256x192" or "256".
inline std::string sides_text(index_t height, index_t width) {
  return std::to_string(height) + "x" + std::to_string(width);
}
inline std::optional<std::pair<index_t, index_t>> parse_sides(std::string_view text) {
  constexpr double longest = 1'000'000;
  auto const side = [](std::string_view digits) -> std::optional<index_t> {
    auto const value = parse_share(digits);
    if (!value || !(*value >= 1 && *value <= longest) || *value != std::floor(*value) ||
        digits.find_first_not_of("0123456789") != std::string_view::npos)
      return std::nullopt;
    return static_cast<index_t>(*value);
  };
  auto const cross = text.find('x');
  auto const height = side(text.substr(0, cross));
  auto const width = cross == std::string_view::npos ? height : side(text.substr(cross + 1));
  if (!height || !width) return std::nullopt;
  return std::pair(*height, *width);
}

/// Throws format_error unless statistics fit a model's channels, and a float can divide by them.
inline void require_usable(std::string const& path,
                           pixel_statistics const& statistics,
                           index_t channels) {
  auto const refuse = [&](std::string const& what) { throw format_error(path, 0, what); };
  for (auto const* const list : {&statistics.mean, &statistics.deviation})
    if (std::ssize(*list) != channels)
      refuse(std::string(list == &statistics.mean ? "the mean" : "the deviation") + " of " +
             std::to_string(list->size()) + " channels, but the model's images have " +
             std::to_string(channels));
  for (double const mean : statistics.mean)
    if (!std::isfinite(static_cast<float>(mean)))
      refuse("a mean of " + decimal_text(mean) + ", which no float can hold");
  for (double const deviation : statistics.deviation)
    if (!(deviation > 0) || !std::isfinite(static_cast<float>(1 / deviation)) ||
        !(static_cast<float>(1 / deviation) > 0))
      refuse("a deviation of " + decimal_text(deviation) +
             ": it must be positive, and a float must be able to divide by it");
}

/// Statistics of rescaled bytes, as those of pixels in [0, 1]: the same up to the units.
inline pixel_statistics from_units_of(double rescale, pixel_statistics statistics) {
  double const unit = 255 * rescale;
  for (double& mean : statistics.mean) mean /= unit;
  for (double& deviation : statistics.deviation) deviation /= unit;
  statistics.scale = preprocessing::usual_rescale;
  return statistics;
}

/// The inverse; to twelve digits, so that 123.675 / 255 comes back as 123.675.
inline pixel_statistics to_units_of(double rescale, pixel_statistics statistics) {
  double const unit = 255 * rescale;
  if (unit == 1) return statistics;
  auto const in_units = [unit](double& value) {
    std::array<char, 32> text{};
    auto const written = std::to_chars(
        text.data(), text.data() + text.size(), value * unit, std::chars_format::general, 12);
    std::from_chars(text.data(), written.ptr, value);
  };
  for (double& mean : statistics.mean) in_units(mean);
  for (double& deviation : statistics.deviation) in_units(deviation);
  return statistics;
}

inline std::string rescale_text(double rescale) {
  return rescale == 1 ? "none" : decimal_text(rescale);
}

}  // namespace detail

/// Its entries in metadata; those alone that say something.
inline settings_list describe(preprocessing const& how) {
  settings_list list;
  if (!how.statistics.mean.empty()) list = describe(how.statistics);
  if (how.rescale != preprocessing::usual_rescale)
    list.push_back({"pixel_rescale", detail::rescale_text(how.rescale)});
  if (!how.fit.empty()) list.push_back({"picture_fit", how.fit});
  if (how.shortest_edge > 0)
    list.push_back({"picture_shortest_edge", std::to_string(how.shortest_edge)});
  if (how.resized_height > 0)
    list.push_back({"picture_resized", detail::sides_text(how.resized_height, how.resized_width)});
  if (how.even_middle) list.push_back({"picture_middle", "even"});
  if (how.keeps_exact) list.push_back({"picture_exact", "kept"});
  if (!how.resample.empty()) list.push_back({"picture_resample", how.resample});
  return list;
}

/// The inverse. Throws format_error for entries that say nothing of the kind.
inline preprocessing parse_preprocessing(std::string const& path,
                                         safetensors_metadata const& description,
                                         index_t channels) {
  preprocessing how{.statistics = parse_statistics(path, description, channels)};
  auto const entry = [&](char const* name) {
    auto const found = description.find(name);
    return found == description.end() ? std::string() : found->second;
  };
  auto const refuse = [&](std::string const& name) {
    throw format_error(
        path, 8, "metadata: " + name + " cannot be " + in_quotes(entry(name.c_str())));
  };
  if (auto const text = entry("pixel_rescale"); !text.empty() && text != "none") {
    how.rescale = detail::parse_share(text).value_or(0);
    if (!(how.rescale > 0) || !std::isfinite(how.rescale)) refuse("pixel_rescale");
  } else if (text == "none") {
    how.rescale = 1;
  }
  how.fit = entry("picture_fit");
  constexpr std::array<std::string_view, 6> fits{"", "crop", "stretch", "none", "cut", "border"};
  if (std::ranges::find(fits, how.fit) == fits.end()) refuse("picture_fit");
  how.resample = entry("picture_resample");
  if (!how.resample.empty() &&
      std::ranges::find(detail::filter_names, how.resample) == detail::filter_names.end())
    refuse("picture_resample");
  how.even_middle = description.contains("picture_middle");
  if (how.even_middle && entry("picture_middle") != "even") refuse("picture_middle");
  how.keeps_exact = description.contains("picture_exact");
  if (how.keeps_exact && entry("picture_exact") != "kept") refuse("picture_exact");
  if (auto const text = entry("picture_shortest_edge"); !text.empty()) {
    auto const sides = detail::parse_sides(text);
    if (!sides || sides->first != sides->second) refuse("picture_shortest_edge");
    how.shortest_edge = sides->first;
  }
  if (auto const text = entry("picture_resized"); !text.empty()) {
    auto const sides = detail::parse_sides(text);
    if (!sides) refuse("picture_resized");
    std::tie(how.resized_height, how.resized_width) = *sides;
  }
  return how;
}

}  // namespace mae
