#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace pretrain {

/// Replaces a file as a whole or not at all. Throw mae::io_error.
void save_bytes(std::filesystem::path const& path, std::span<std::byte const> bytes);
void save_text(std::filesystem::path const& path, std::string_view text);

}  // namespace pretrain
