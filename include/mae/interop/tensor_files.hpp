#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/io/file.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// All of a small text file, at most `max_bytes`. Throws io_error, format_error.
inline std::string read_text_file(std::string const& path, std::uint64_t max_bytes) {
  auto const bytes = read_file(path, max_bytes);
  return {memory_as<char const>(bytes.data()), bytes.size()};
}

/// Throws format_error, which says what to do, for a file that PyTorch pickled.
inline void refuse_pickle(std::string const& path) {
  input_file file(path);
  std::array<std::byte, 2> start{};
  if (file.size() < start.size()) return;
  file.read(start);
  bool const is_zip = start == std::array{std::byte{'P'}, std::byte{'K'}};
  bool const is_pickle = start[0] == std::byte{0x80} && start[1] <= std::byte{5};
  if (!is_zip && !is_pickle) return;
  throw format_error(
      path,
      0,
      "this is a pickle of PyTorch, which runs code when it is loaded and is not read here. Make "
      "safetensors of it once: python3 -c \"import torch, safetensors.torch as s; "
      "m = torch.load('file.pth', weights_only=True); "
      "s.save_file({k: v.contiguous() for k, v in m.get('model', m).items()}, "
      "'file.safetensors')\"");
}

/// Which file of a folder holds each tensor, as an index of Hugging Face says.
using weight_map = std::map<std::string, std::string>;

/// Reads an index, {"metadata": ..., "weight_map": {tensor: file}}. Throws format_error for any
/// other text, and for a file's name that leaves the folder.
inline weight_map parse_weight_map(std::string const& path, std::string const& text) {
  weight_map map;
  json_reader reader(path, text, 0);
  bool is_found = false;
  reader.object([&](std::string const& key, std::uint64_t at) {
    if (key != "weight_map") return reader.skip();
    if (std::exchange(is_found, true)) reader.refuse(at, "weight_map stands here twice");
    reader.object([&](std::string tensor, std::uint64_t tensor_at) {
      std::string file = reader.string();
      if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos)
        reader.refuse(
            tensor_at,
            "a shard must be a file in the index's folder, not " + safetensors::shown(file));
      if (!map.emplace(std::move(tensor), std::move(file)).second)
        reader.refuse(tensor_at, "the index names a tensor twice");
    });
  });
  reader.finish_text();
  if (!is_found) throw format_error(path, 0, "the index has no weight_map");
  return map;
}

}  // namespace detail

/// The tensors of a checkpoint: of one safetensors file, or of the several that an index names.
/// Everything is read and checked when it is opened.
class tensor_files {
 public:
  /// `path` is a safetensors file, an index (*.index.json), or a folder with either under the names
  /// that Hugging Face gives them. Throws io_error, format_error.
  static tensor_files open(std::string const& path) {
    namespace fs = std::filesystem;
    std::string found = path;
    std::error_code ignored;  // what cannot be looked at cannot be opened either, with its reason
    if (fs::is_directory(path, ignored)) {
      found = (fs::path(path) / "model.safetensors").string();
      std::string const index = found + ".index.json";
      if (!fs::exists(found, ignored) && fs::exists(index, ignored)) found = index;
    }
    if (found.ends_with(".index.json")) return open_index(found);
    detail::refuse_pickle(found);
    tensor_files opened(found);
    opened.add(found);
    return opened;
  }

  /// The file, or the index, that was opened.
  std::string const& path() const { return path_; }
  /// The file beside it of that name.
  std::string beside(std::string const& name) const {
    return (std::filesystem::path(path_).parent_path() / name).string();
  }
  /// What the first file says about itself.
  safetensors_metadata const& metadata() const { return files_.front().metadata(); }

  tensor_entry const* find(std::string_view name) const {
    for (auto const& file : files_)
      if (auto const* const entry = file.find(name)) return entry;
    return nullptr;
  }
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The file that holds this tensor, the first one where none does, and its path for messages.
  std::pair<safetensors_file const&, std::string const&> file_of(std::string_view name) const {
    for (std::size_t i = 0; i < files_.size(); ++i)
      if (files_[i].find(name) != nullptr) return {files_[i], paths_[i]};
    return {files_.front(), path_};
  }
  /// visit(path, entry) for every tensor.
  template <class Visit>
  void for_each(Visit const& visit) const {
    for (std::size_t i = 0; i < files_.size(); ++i)
      for (auto const& entry : files_[i].tensors()) visit(paths_[i], entry);
  }

 private:
  explicit tensor_files(std::string path) : path_(std::move(path)) {}

  static tensor_files open_index(std::string const& path) {
    using detail::safetensors::printable;
    constexpr std::uint64_t most_bytes = 16'000'000;
    auto const map = detail::parse_weight_map(path, detail::read_text_file(path, most_bytes));
    if (map.empty()) throw format_error(path, 0, "the index names no tensor");
    tensor_files opened(path);
    std::map<std::string, std::string> paths;
    for (auto const& [tensor, file] : map) paths.emplace(file, opened.beside(file));
    for (auto const& [name, file] : paths) opened.add(file);
    for (auto const& [tensor, file] : map)
      if (!opened.contains(tensor))
        throw format_error(
            path,
            0,
            "tensor " + printable(tensor) + " is not in " + printable(file) + ", as it says");
    opened.for_each([&](std::string const& file, tensor_entry const& entry) {
      auto const listed = map.find(entry.name);
      if (listed == map.end() || paths.at(listed->second) != file)
        throw format_error(
            file, 8, "tensor " + printable(entry.name) + " is not listed for it in " + path);
    });
    return opened;
  }

  void add(std::string const& path) {
    files_.push_back(safetensors_file::load(path));
    paths_.push_back(path);
  }

  std::string path_;
  std::vector<safetensors_file> files_;
  std::vector<std::string> paths_;
};

}  // namespace mae
