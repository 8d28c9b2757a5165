#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// Which pictures a folder holds; image_folder.hpp reads them.

namespace mae {

/// A picture's file and the number of its class, -1 where there are none.
struct picture_file {
  std::string path;
  std::int32_t label = -1;
};

/// What a listing passed over, and how much of it.
struct left_out_files {
  std::map<std::string, index_t> endings;  // files that are no pictures: ".webp"; "" without one
  index_t hidden = 0;                      // files and folders
  index_t folder_links = 0;

  bool empty() const { return endings.empty() && hidden == 0 && folder_links == 0; }
};

/// In words, the most frequent ending first: "3 .webp, 1 .txt, 2 hidden, 1 link to a folder".
inline std::string to_string(left_out_files const& left_out) {
  constexpr std::size_t most_endings = 8;
  std::vector<std::pair<std::string, index_t>> endings(left_out.endings.begin(),
                                                       left_out.endings.end());
  std::ranges::stable_sort(
      endings, std::ranges::greater(), [](auto const& one) { return one.second; });
  std::string text;
  auto const add = [&](index_t count, std::string const& what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  index_t others = 0;
  for (std::size_t i = 0; i < endings.size(); ++i) {
    auto const& [ending, count] = endings[i];
    if (i >= most_endings)
      others += count;
    else
      add(count, ending.empty() ? "without an ending" : ending);
  }
  add(others, "of other kinds");
  add(left_out.hidden, "hidden");
  add(left_out.folder_links, left_out.folder_links == 1 ? "link to a folder" : "links to folders");
  return text;
}

/// The pictures of a folder, in the order of their classes and, within these, of their paths'
/// bytes.
struct picture_list {
  std::vector<picture_file> files;
  std::vector<std::string> class_names;  // in the order of their bytes; empty without classes
  left_out_files left_out = {};
};

namespace detail {

/// A name's ending in small letters: ".png". None for one that no line of text should repeat.
inline std::string ending_of(std::filesystem::path const& name) {
  constexpr std::size_t longest = 10;
  std::string ending = name.extension().string();
  for (char& letter : ending)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  bool const plain = std::ranges::all_of(ending, [](char letter) {
    return letter == '.' || std::isalnum(static_cast<unsigned char>(letter)) != 0;
  });
  return plain && ending.size() <= longest ? ending : "";
}

inline bool is_picture_ending(std::string_view ending) {
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

/// Whether a name is a system's own: what begins with a dot, as of macOS's "._photo.jpg" and of
/// ".ipynb_checkpoints", and what macOS, Windows and storage boxes leave beside pictures.
inline bool is_hidden(std::string_view name) {
  constexpr std::array<std::string_view, 4> left_by_systems{
      "__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini"};
  return name.starts_with('.') || std::ranges::find(left_by_systems, name) != left_by_systems.end();
}

/// A folder's own entries that concern a listing.
struct folder_contents {
  std::vector<std::string> pictures;
  std::vector<std::filesystem::path> folders;  // in the order of their names' bytes
};

/// Throws io_error when the folder cannot be read.
inline folder_contents look_into(std::filesystem::path const& folder, left_out_files& left_out) {
  folder_contents found;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code ignored;  // what cannot be looked at is no folder
    auto const& path = entry->path();
    if (is_hidden(path.filename().string())) {
      ++left_out.hidden;
    } else if (entry->is_directory(ignored)) {
      if (entry->is_symlink(ignored))
        ++left_out.folder_links;
      else
        found.folders.push_back(path);
    } else if (auto const ending = ending_of(path.filename()); is_picture_ending(ending)) {
      found.pictures.push_back(path.string());
    } else {
      ++left_out.endings[ending];
    }
  }
  if (failed) throw io_error(folder.string(), "read folder", failed.value());
  std::ranges::sort(found.folders, {}, [](auto const& path) { return path.string(); });
  return found;
}

/// Appends all pictures in and below a folder.
inline void add_pictures(std::filesystem::path const& folder,
                         std::int32_t label,
                         picture_list& list) {
  auto const found = look_into(folder, list.left_out);
  for (auto const& path : found.pictures) list.files.push_back({path, label});
  for (auto const& below : found.folders) add_pictures(below, label, list);
}

}  // namespace detail

/// Lists the pictures (*.png, *.jpg, *.jpeg, in letters of either case) of a folder. Where it has
/// folders with pictures, each of them is a class, with all pictures below it; otherwise there are
/// no classes. Hidden files and folders and links to folders are passed over. Throws io_error when
/// a folder cannot be read; config_error when there are no pictures, or some beside classes.
inline picture_list list_pictures(std::string const& path) {
  picture_list list;
  auto const found = detail::look_into(path, list.left_out);
  for (auto const& picture : found.pictures) list.files.push_back({picture, -1});
  for (auto const& folder : found.folders) {
    auto const before = list.files.size();
    detail::add_pictures(folder, static_cast<std::int32_t>(list.class_names.size()), list);
    if (list.files.size() > before) list.class_names.push_back(folder.filename().string());
  }
  if (!found.pictures.empty() && !list.class_names.empty())
    throw config_error(path +
                       ": pictures lie beside folders of pictures, which are classes: put "
                       "them into one of these, or elsewhere");
  if (list.files.empty())
    throw config_error(path + ": no PNG or JPEG file in it" +
                       (list.left_out.empty() ? "" : "; left out: " + to_string(list.left_out)));
  std::ranges::sort(
      list.files, {}, [](picture_file const& one) { return std::pair(one.label, one.path); });
  return list;
}

}  // namespace mae
