#pragma once

#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/types.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// Which files in and below a folder are pictures; list_pictures.hpp finds classes and parts in
// them.

namespace mae {

/// In words, the most frequent ending first: "3 .webp, 1 .txt, 2 hidden, 1 link to a folder"; empty
/// where nothing was left out.
inline std::string to_string(left_out_files const& left_out) {
  constexpr std::size_t most_endings = 8;
  std::vector<std::pair<std::string, index_t>> endings(left_out.endings.begin(),
                                                       left_out.endings.end());
  std::ranges::stable_sort(endings, std::greater(), [](auto const& one) { return one.second; });
  std::string text;
  auto const add = [&](index_t count, std::string const& what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  index_t others = 0;
  for (std::size_t i = 0; i < endings.size(); ++i) {
    auto const& [ending, count] = endings[i];
    if (i < most_endings)
      add(count, ending.empty() ? "without an ending" : ending);
    else
      others += count;
  }
  add(others, "of other kinds");
  add(left_out.hidden, "hidden");
  add(left_out.folder_links, left_out.folder_links == 1 ? "link to a folder" : "links to folders");
  add(left_out.beside_parts,
      left_out.beside_parts == 1 ? "picture beside the parts" : "pictures beside the parts");
  return text;
}

/// The pictures in and below a folder.
struct found_pictures {
  std::vector<std::string> names;  // paths from the folder on, in the order of their bytes
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

/// Whether a name is a system's own: what begins with a dot, as macOS's "._photo.jpg" and
/// ".ipynb_checkpoints" do, and what macOS, Windows, storage boxes and file systems leave behind.
inline bool is_hidden(std::string_view name) {
  constexpr std::array<std::string_view, 5> left_by_systems{
      "__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini", "lost+found"};
  return name.starts_with('.') || std::ranges::find(left_by_systems, name) != left_by_systems.end();
}

/// A folder on the way, and its path from the first one on, with a slash behind.
struct folder_to_visit {
  std::filesystem::path path;
  std::string name;
};

/// Adds a folder's own pictures to `found`, and its folders to `ahead`.
inline void find_pictures_in(folder_to_visit const& folder,
                             found_pictures& found,
                             std::vector<folder_to_visit>& ahead) {
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(folder.path, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code ignored;  // what cannot be looked at is no folder
    std::string const own = entry->path().filename().string();
    if (is_hidden(own)) {
      ++found.left_out.hidden;
    } else if (entry->is_directory(ignored)) {
      if (entry->is_symlink(ignored))
        ++found.left_out.folder_links;
      else
        ahead.push_back({entry->path(), folder.name + own + '/'});
    } else if (auto const ending = ending_of(own);
               ending == ".png" || ending == ".jpg" || ending == ".jpeg") {
      found.names.push_back(folder.name + own);
    } else {
      ++found.left_out.endings[ending];
    }
  }
  if (failed) throw io_error(folder.path.string(), "read folder", failed.value());
}

}  // namespace detail

/// Finds the pictures (*.png, *.jpg, *.jpeg, in letters of either case) in and below a folder. A
/// link to a file is what it names, also where that is missing: decoding says so. Hidden files and
/// folders and links to folders are passed over. Throws io_error when a folder cannot be read.
inline found_pictures find_pictures(std::filesystem::path const& folder) {
  if (!is_whole_path(folder.string()))
    throw io_error(folder.string(), "read folder (its name has a NUL)", EINVAL);
  found_pictures found;
  std::vector<detail::folder_to_visit> ahead{{folder, ""}};
  while (!ahead.empty()) {
    auto const next = std::move(ahead.back());
    ahead.pop_back();
    detail::find_pictures_in(next, found, ahead);
  }
  std::ranges::sort(found.names);
  return found;
}

}  // namespace mae
