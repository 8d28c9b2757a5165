#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

namespace mae {

/// How a picture of any size becomes one of a model's: its middle, as large as the proportions
/// allow; or all of it, stretched.
enum class image_fit : std::uint8_t { crop, stretch };

/// Where the middle begins when one pixel more is left out on one side than on the other: behind
/// the smaller part, as transformers does; or at the even number of the two, as torchvision's
/// CenterCrop (so timm) does.
enum class middle_start : std::uint8_t { lower, even };

/// How a picture is resized and cut. Of itself `kind` says it all. With shortest_edge the picture
/// is first resized so that its shorter side has that length, and the other side that of the same
/// proportions, truncated (as transformers' and torchvision's `shortest_edge` does); with
/// resized_height and resized_width it is stretched to these. The middle of what results is cut
/// out, of the model's size.
struct picture_fit {
  image_fit kind = image_fit::crop;
  index_t shortest_edge = 0;
  index_t resized_height = 0;
  index_t resized_width = 0;
  /// The resized sides are covered, in a picture's own proportions, each side rounded (timm's
  /// ResizeKeepRatio), not met.
  bool keeps_proportions = false;
  bool keeps_exact = false;  // a picture of the model's size is taken as it is
  middle_start middle = middle_start::lower;

  friend constexpr bool operator==(picture_fit const&, picture_fit const&) = default;
};

/// Throws config_error for lengths that say nothing, or two things.
inline void require_valid(picture_fit const& fit) {
  constexpr index_t longest = 1'000'000;
  for (index_t const length : {fit.shortest_edge, fit.resized_height, fit.resized_width})
    if (length < 0 || length > longest)
      throw config_error("a picture cannot be resized to " + std::to_string(length) +
                         " pixels: at most " + std::to_string(longest));
  if ((fit.resized_height > 0) != (fit.resized_width > 0))
    throw config_error("pictures are resized to a height and a width: one of them is missing");
  if (fit.keeps_proportions && fit.resized_height == 0)
    throw config_error("pictures that keep their proportions need sides to cover");
  if (fit.shortest_edge > 0 && fit.resized_height > 0)
    throw config_error(
        "pictures are resized by their shorter side or to a height and a width, "
        "not both");
}

namespace detail {

inline index_t begin_of_middle(index_t length, index_t kept, middle_start middle) {
  index_t const below = (length - kept) / 2;
  bool const halves = (length - kept) % 2 != 0;
  return middle == middle_start::even && halves && below % 2 != 0 ? below + 1 : below;
}

/// The largest part of these proportions in the middle of a picture.
inline pixel_box middle_of(index_t height, index_t width, image_extent const& extent) {
  pixel_box box;
  box.height = std::max<index_t>(1, std::min(height, width * extent.height / extent.width));
  box.width = std::max<index_t>(1, std::min(width, height * extent.width / extent.height));
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

}  // namespace detail

/// What of a picture of height x width is resampled to become an image of this extent. Throws
/// config_error where less than the image is left to cut from: zeros are not put around a picture.
inline resampling plan_fit(index_t height,
                           index_t width,
                           image_extent const& extent,
                           picture_fit const& fit) {
  pixel_box const all{0, 0, height, width};
  bool const is_exact = height == extent.height && width == extent.width;
  if ((fit.shortest_edge == 0 && fit.resized_height == 0) || (fit.keeps_exact && is_exact))
    return resampling::whole(
        fit.kind == image_fit::crop ? detail::middle_of(height, width, extent) : all,
        extent.height,
        extent.width);
  resampling plan{all, fit.resized_height, fit.resized_width, {}};
  if (fit.keeps_proportions) {
    double const ratio =
        std::min(static_cast<double>(height) / static_cast<double>(fit.resized_height),
                 static_cast<double>(width) / static_cast<double>(fit.resized_width));
    plan.height = static_cast<index_t>(std::nearbyint(static_cast<double>(height) / ratio));
    plan.width = static_cast<index_t>(std::nearbyint(static_cast<double>(width) / ratio));
  }
  if (fit.shortest_edge > 0) {
    index_t const shorter = std::min(height, width);
    plan.height = fit.shortest_edge * height / shorter;
    plan.width = fit.shortest_edge * width / shorter;
  }
  if (plan.height < extent.height || plan.width < extent.width)
    throw config_error(
        "a picture of " + std::to_string(height) + "x" + std::to_string(width) +
        " pixels is resized to " + std::to_string(plan.height) + "x" + std::to_string(plan.width) +
        ", from which the model's " + std::to_string(extent.height) + "x" +
        std::to_string(extent.width) +
        " cannot be cut (transformers puts zeros around it, which no model has seen): resize "
        "pictures to more, or fit them by crop or stretch");
  plan.kept = {detail::begin_of_middle(plan.height, extent.height, fit.middle),
               detail::begin_of_middle(plan.width, extent.width, fit.middle),
               extent.height,
               extent.width};
  return plan;
}

}  // namespace mae
