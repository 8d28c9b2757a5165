#pragma once

#include "picture.hpp"

#include <filesystem>

namespace pretrain {

/// Writes an 8-bit RGB PNG, as a whole or not at all. Throws mae::io_error where the system
/// refuses, mae::error with libpng's words where libpng does.
void save_png(picture const& image, std::filesystem::path const& path);

/// Reads a PNG of any kind as 8-bit RGB, its transparent parts on white. Throws mae::error.
picture load_png(std::filesystem::path const& path);

}  // namespace pretrain
