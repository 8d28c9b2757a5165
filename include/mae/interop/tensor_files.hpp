#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/text.hpp>
#include <mae/interop/checkpoint_path.hpp>
#include <mae/interop/naming.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
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
        reader.refuse(tensor_at,
                      "a shard must be a file in the index's folder, not " + in_quotes(file));
      if (!map.emplace(std::move(tensor), std::move(file)).second)
        reader.refuse(tensor_at, "the index names a tensor twice");
    });
  });
  reader.finish_text();
  if (!is_found) throw format_error(path, 0, "the index has no weight_map");
  return map;
}

}  // namespace detail

/// The tensors of a checkpoint: of one safetensors file, or of the several that an index names,
/// under their names without those of PyTorch's wrappers (naming.hpp). Everything is read and
/// checked when it is opened.
class tensor_files {
 public:
  /// A tensor and where it is: `name` is without wrappers, the entry's own is the file's.
  struct found_tensor {
    std::string const& name;
    std::string const& path;
    tensor_entry const& entry;
  };

  /// `path` is a safetensors file, an index of several (*.json), or a folder with either under the
  /// names that Hugging Face gives them. Throws io_error, format_error.
  static tensor_files open(std::string const& path) {
    auto found = detail::find_checkpoint(path);
    tensor_files opened(found.path);
    opened.notes_ = std::move(found.notes);
    if (found.path.ends_with(".json")) {
      opened.add_listed();
    } else {
      detail::refuse_pickle(found.path);
      opened.add(found.path);
    }
    opened.name_tensors();
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
  /// What a user should know of how they were found and named: "assumed: ...", "stripped: ...".
  std::vector<std::string> const& notes() const { return notes_; }

  tensor_entry const* find(std::string_view name) const {
    auto const found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &entry_at(found->second);
  }
  bool contains(std::string_view name) const { return find(name) != nullptr; }

  /// The path of the file that holds this tensor, for messages; of what was opened where none does.
  std::string const& path_of(std::string_view name) const {
    auto const found = by_name_.find(name);
    return found == by_name_.end() ? path_ : paths_[found->second.file];
  }
  /// visit(found_tensor) for every tensor, in the order of names.
  template <class Visit>
  void for_each(Visit const& visit) const {
    for (auto const& [name, at] : by_name_)
      visit(found_tensor{name, paths_[at.file], entry_at(at)});
  }

 private:
  struct place {
    std::size_t file;
    std::size_t tensor;
  };

  explicit tensor_files(std::string path) : path_(std::move(path)) {}

  tensor_entry const& entry_at(place const& at) const {
    return files_[at.file].tensors()[at.tensor];
  }

  /// Opens the files of the index.
  void add_listed() {
    constexpr std::uint64_t most_bytes = 16'000'000;
    auto const map = detail::parse_weight_map(path_, detail::read_text_file(path_, most_bytes));
    if (map.empty()) throw format_error(path_, 0, "the index names no tensor");
    std::set<std::string> names;
    for (auto const& [tensor, file] : map) names.insert(file);
    for (auto const& name : names) {
      std::string const path = beside(name);
      detail::refuse_pickle(path);
      add(path);
      for (auto const& entry : files_.back().tensors()) {
        auto const listed = map.find(entry.name);
        if (listed == map.end() || listed->second != name)
          throw format_error(path, 8, "tensor " + entry.name + " is not listed for it in " + path_);
      }
    }
    for (auto const& [tensor, file] : map)
      if (std::ranges::none_of(files_, [&, &name = tensor](auto const& opened) {
            return opened.find(name) != nullptr;
          }))
        throw format_error(path_, 0, "tensor " + tensor + " is not in " + file + ", as it says");
  }

  void add(std::string const& path) {
    files_.push_back(safetensors_file::load(path));
    paths_.push_back(path);
  }

  /// Names every tensor without its wrappers.
  void name_tensors() {
    std::map<std::string, std::size_t> stripped;
    for (std::size_t i = 0; i < files_.size(); ++i)
      for (std::size_t k = 0; k < files_[i].tensors().size(); ++k) {
        std::string const& own = files_[i].tensors()[k].name;
        auto [name, wrappers] = detail::without_wrappers(own);
        if (!wrappers.empty()) ++stripped[wrappers];
        if (!by_name_.emplace(std::move(name), place{i, k}).second)
          throw format_error(
              paths_[i],
              8,
              "tensor " + own + " stands here twice, once without the names of wrappers");
      }
    for (auto const& [wrappers, count] : stripped)
      notes_.push_back("stripped: " + wrappers + " from the names of " + std::to_string(count) +
                       " tensors in " + path_);
  }

  std::string path_;
  std::vector<safetensors_file> files_;
  std::vector<std::string> paths_;
  std::map<std::string, place, std::less<>> by_name_;
  std::vector<std::string> notes_;
};

}  // namespace mae
