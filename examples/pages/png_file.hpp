#pragma once

#include "picture.hpp"

#include <cstddef>
#include <filesystem>
#include <vector>

namespace pretrain {

/// The bytes of an 8-bit RGB PNG file. Throws mae::error with libpng's words where libpng refuses.
std::vector<std::byte> png_of(picture const& image);

/// Writes them, as a whole or not at all. Throws also mae::io_error where the system refuses.
void save_png(picture const& image, std::filesystem::path const& path);

/// Reads a PNG of any kind as 8-bit RGB, its transparent parts on white. Throws mae::error.
picture load_png(std::filesystem::path const& path);

}  // namespace pretrain
