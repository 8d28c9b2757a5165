#pragma once

#include <mae/core/error.hpp>
#include <mae/io/file.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

// Which file of a folder is read, and which are none that may be.

namespace mae::detail {

/// A file of tensors, or an index of several, and how it was chosen where there was a choice.
struct checkpoint_path {
  std::string path;
  std::vector<std::string> notes;
};

/// A word that a POSIX shell leaves as it is.
inline std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (char const c : text) {
    if (c == '\'') word += "'\\'";
    word += c;
  }
  return word + "'";
}

/// Whether a file begins as PyTorch's pickles do: as a zip archive, or with pickle's opcode of a
/// protocol. A safetensors file begins with the length of its header, which may have the same
/// bytes, but is not longer than this library reads; those of a pickle are.
inline bool is_pickle(std::string const& path) {
  input_file file(path);
  std::array<std::byte, safetensors::prefix_bytes> start{};
  if (file.size() < start.size()) return false;
  file.read(start);
  std::uint64_t header_bytes = 0;
  for (std::size_t i = start.size(); i-- > 0;)
    header_bytes = header_bytes << 8 | std::to_integer<std::uint64_t>(start[i]);
  constexpr auto newest_protocol = std::byte{5};
  bool const is_zip = start[0] == std::byte{'P'} && start[1] == std::byte{'K'};
  bool const has_protocol = start[0] == std::byte{0x80} && start[1] <= newest_protocol;
  return (is_zip || has_protocol) && header_bytes > safetensors::default_cap;
}

/// Throws format_error, which says what to do, for what PyTorch pickled: `files`, whose tensors are
/// those of one model.
[[noreturn]] inline void refuse_pickles(std::vector<std::string> const& files) {
  std::filesystem::path out(files.front());
  if (out.filename().string().starts_with("pytorch_model")) out.replace_filename("model");
  out.replace_extension("safetensors");
  std::string words = shell_word(out.string());
  for (auto const& file : files) words += ' ' + shell_word(file);
  throw format_error(
      files.front(),
      0,
      "this is a pickle of PyTorch, which runs code when it is loaded and is not read here. Make "
      "safetensors of it once, and give that: python3 -c \"import argparse, sys, torch, "
      "safetensors.torch as s; torch.serialization.add_safe_globals([argparse.Namespace]); "
      "load = lambda f: torch.load(f, map_location='cpu', weights_only=True); "
      "inner = lambda m: m.get('model', m.get('state_dict', m)); "
      "s.save_file({k: v.clone().contiguous() for f in sys.argv[2:] for k, v in "
      "inner(load(f)).items() if torch.is_tensor(v)}, sys.argv[1])\" " +
          words);
}
inline void refuse_pickle(std::string const& path) {
  if (is_pickle(path)) refuse_pickles({path});
}

/// The names of the regular files in a folder, sorted.
inline std::vector<std::string> file_names_in(std::filesystem::path const& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    std::error_code ignored;
    if (at->is_regular_file(ignored)) names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

/// What stands between two ends of a file's name, "fp16" in "model.fp16.safetensors"; nothing where
/// it has other ends, or where it is a shard.
inline std::string variant_of(std::string_view name, std::string_view start, std::string_view end) {
  if (name.size() <= start.size() + end.size() || !name.starts_with(start) || !name.ends_with(end))
    return {};
  auto const variant = name.substr(start.size(), name.size() - start.size() - end.size());
  if (variant.find("-of-") != std::string_view::npos || variant.find('.') != std::string_view::npos)
    return {};
  return std::string(variant);
}

inline constexpr std::string_view weights_name = "model.safetensors";
inline constexpr std::string_view weights_index_name = "model.safetensors.index.json";

/// Throws format_error for a folder that has nothing but pickles, in the order in which
/// transformers would take them.
inline void refuse_pickled_folder(std::filesystem::path const& folder,
                                  std::vector<std::string> const& names) {
  std::vector<std::string> pickles;
  for (auto const& name : names)
    for (std::string_view const end : {".bin", ".pth", ".pt", ".ckpt"})
      if (name.ends_with(end) && is_pickle((folder / name).string())) pickles.push_back(name);
  if (pickles.empty()) return;
  bool const has_whole = std::ranges::find(pickles, "pytorch_model.bin") != pickles.end();
  auto const is_shard = [](std::string const& name) {
    return name.find("-of-") != std::string::npos;
  };
  std::vector<std::string> wanted;
  if (has_whole)
    wanted = {"pytorch_model.bin"};
  else if (std::ranges::any_of(pickles, is_shard))
    std::ranges::copy_if(pickles, std::back_inserter(wanted), is_shard);
  else
    wanted = {pickles.front()};
  for (auto& name : wanted) name = (folder / name).string();
  refuse_pickles(wanted);
}

/// The file of a folder of Hugging Face's that transformers reads: model.safetensors before an
/// index of shards; a variant, as `variant=` of transformers saves it, where there is nothing else.
/// Throws format_error where several variants leave a choice, and for pickles alone.
inline checkpoint_path find_in_folder(std::string const& path) {
  std::filesystem::path const folder(path);
  auto const names = file_names_in(folder);
  auto const has = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  auto const file = [&](std::string_view name) { return (folder / name).string(); };
  if (has(weights_name)) {
    checkpoint_path found{file(weights_name), {}};
    if (has(weights_index_name))
      found.notes.push_back("assumed: " + found.path +
                            " is meant, as transformers reads it, not the "
                            "shards of " +
                            std::string(weights_index_name) +
                            " beside it; --model with that file's path says otherwise");
    return found;
  }
  if (has(weights_index_name)) return {file(weights_index_name), {}};

  std::vector<std::string> variants;
  std::string choices;
  for (auto const& name : names) {
    std::string const single = variant_of(name, "model.", ".safetensors");
    std::string const index = variant_of(name, "model.safetensors.index.", ".json");
    if (single.empty() && index.empty()) continue;
    if (!index.empty() && has("model." + index + ".safetensors")) continue;
    variants.push_back(name);
    choices += (choices.empty() ? "" : ", ") + name;
  }
  if (variants.size() > 1)
    throw format_error(
        path,
        0,
        "the folder has several variants (" + choices + "): name one of these files in its place");
  if (variants.size() == 1)
    return {
        file(variants.front()),
        {"assumed: " + file(variants.front()) +
         " is meant, a variant, and the only weights in its folder; --model with another file's "
         "path says otherwise"}};
  refuse_pickled_folder(folder, names);
  return {file(weights_name), {}};  // to be missed by its name
}

/// `path`, or the file of that folder.
inline checkpoint_path find_checkpoint(std::string const& path) {
  std::error_code ignored;  // what cannot be looked at cannot be opened either, with its reason
  if (std::filesystem::is_directory(path, ignored)) return find_in_folder(path);
  return {path, {}};
}

}  // namespace mae::detail
