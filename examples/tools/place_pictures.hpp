#pragma once

#include "labelled_images.hpp"
#include "picture.hpp"

#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/eval/place_predictions.hpp>

#include <cstdint>
#include <span>

// Pictures of what was found beside what is there.

namespace tools {

/// The first images in rows of three: the image, the truth on it, what was predicted. Classes of
/// pixels have a colour each, but for 0; where nothing is known the truth is grey. predicted
/// (n, H, W).
pretrain::picture draw_masks(chosen_images const& images, std::span<std::uint8_t const> predicted);

/// The first images, each with its points: a ring around a visible point, a dot where it was found,
/// of a colour each. found (n, J), in pixels of the images.
pretrain::picture draw_points(chosen_images const& images,
                              std::span<mae::found_keypoint const> found);

}  // namespace tools
