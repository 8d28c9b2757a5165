#pragma once

#include "feature_rows.hpp"
#include "picture.hpp"

#include <span>
#include <string>
#include <vector>

// Many images at places in a plane, and as TensorBoard's projector takes them.

namespace tools {

/// What a map draws of each image.
struct mapped_image {
  pretrain::float_image thumbnail;  // as small as it is to be
  feature_row row;
};

/// The images at `places` (n, 2) as SVG: pictures within it, a frame in a colour for each class,
/// and the file's name and class for who points at one. `title` says what it is.
std::string draw_map(std::span<mapped_image const> images,
                     std::span<float const> places,
                     std::string const& title);

/// The files of TensorBoard's projector: tensors.tsv (a feature a line), metadata.tsv (file and
/// class), sprite.png (thumbnails in a square, in their order) and projector_config.pbtxt, which
/// names them. Throws mae::io_error.
void save_projector(std::string const& folder,
                    std::span<mapped_image const> images,
                    std::span<float const> features);

/// An image no wider or higher than `most` pixels.
pretrain::float_image thumbnail_of(pretrain::float_image const& image, mae::index_t most);

}  // namespace tools
