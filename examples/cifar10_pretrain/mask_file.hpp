#pragma once

#include <mae/core/types.hpp>
#include <mae/mask/fixed.hpp>

#include <filesystem>

namespace pretrain {

/// Masks from a file of numpy.save: bool or uint8 in C's order, (patches) for all images or
/// (images, patches), where anything but 0 is hidden. Throws mae::io_error; mae::format_error for
/// what is no such file; mae::config_error for other sizes, and for other numbers of masks than of
/// images, unless `more_masks` may be there.
mae::fixed_mask read_masks(std::filesystem::path const& file,
                           mae::index_t patches,
                           mae::index_t images,
                           bool more_masks);

}  // namespace pretrain
