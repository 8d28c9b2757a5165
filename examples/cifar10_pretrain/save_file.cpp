#include "save_file.hpp"

#include <mae/io/file.hpp>

namespace pretrain {

void save_bytes(std::filesystem::path const& path, std::span<std::byte const> bytes) {
  mae::atomic_file file(path.string());
  file.write(bytes);
  file.commit();
}

void save_text(std::filesystem::path const& path, std::string_view text) {
  save_bytes(path, std::as_bytes(std::span(text)));
}

}  // namespace pretrain
