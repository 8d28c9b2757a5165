#pragma once

#include <mae/io/file.hpp>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace pretrain {

/// Replaces a file as a whole or not at all. Throws mae::io_error.
inline void save_bytes(std::filesystem::path const& path, std::span<std::byte const> bytes) {
  mae::atomic_file file(path.string());
  file.write(bytes);
  file.commit();
}
inline void save_text(std::filesystem::path const& path, std::string_view text) {
  save_bytes(path, std::as_bytes(std::span(text)));
}

}  // namespace pretrain
