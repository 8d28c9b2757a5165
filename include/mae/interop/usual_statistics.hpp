#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained_model.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// Statistics by their names: "imagenet", "half" (0.5 and 0.5), "none" (pixels as they are);
/// nothing for another name. Throws config_error for ImageNet's of other than three channels.
inline std::optional<pixel_statistics> usual_statistics(std::string_view name, index_t channels) {
  auto const of_all = [channels](double mean, double deviation) -> pixel_statistics {
    auto const count = static_cast<std::size_t>(channels);
    return {.mean = std::vector(count, mean), .deviation = std::vector(count, deviation)};
  };
  if (name == "half") return of_all(0.5, 0.5);
  if (name == "none") return of_all(0, 1);
  if (name != "imagenet") return std::nullopt;
  if (channels != 3)
    throw config_error("--statistics imagenet are of 3 channels, the model's images have " +
                       std::to_string(channels));
  return imagenet_statistics();
}

/// Puts what is known of pictures into a checkpoint's description; what `how` does not say has no
/// entry.
inline void replace_pictures(pretrained_model& model, preprocessing const& how) {
  std::erase_if(model.description,
                [](auto const& entry) { return entry.first.starts_with("picture_"); });
  for (auto const& [name, value] : describe(how)) model.description[name] = value;
}

/// Puts the statistics that most models have where nothing says any, and says in a line what was
/// assumed; the line is empty where something does.
inline std::string assume_statistics(pretrained_model& model) {
  auto how = model.pictures();
  if (!how.statistics.mean.empty()) return {};
  bool const has_colours = model.sizes.image.channels == 3;
  auto const usual =
      usual_statistics(has_colours ? "imagenet" : "none", model.sizes.image.channels);
  how.statistics = detail::from_units_of(how.rescale, *usual);
  replace_pictures(model, how);
  return has_colours ? "ImageNet's mean and deviation of pixels, as the official models have; "
                       "--statistics says otherwise"
                     : "pixels as they are, not normalised; --statistics says otherwise";
}

}  // namespace mae
