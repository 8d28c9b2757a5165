#pragma once

#include <mae/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

// The pictures of a folder, with their classes and parts: list_pictures.hpp finds them,
// image_folder.hpp reads them.

namespace mae {

/// What a picture is for, by the folder that it lies in; `whole` where the set has no parts.
enum class picture_part : std::uint8_t { whole, train, test, validation };

/// A picture's file and the number of its class, -1 where it has none.
struct picture_file {
  std::string path;
  std::int32_t label = -1;
  picture_part part = picture_part::whole;
};

/// What a listing passed over, and how much of it.
struct left_out_files {
  std::map<std::string, index_t> endings;  // files that are no pictures: ".webp"; "" without one
  index_t hidden = 0;                      // files and folders
  index_t folder_links = 0;
  index_t beside_parts = 0;  // pictures that lie beside the parts of a set
};

/// The pictures of a folder: part after part, in these class after class, in these in the order of
/// their paths' bytes.
struct picture_list {
  std::string folder;  // that was listed, with a slash at its end; a picture's path begins with it
  std::vector<picture_file> files;
  std::vector<std::string> class_names = {};  // of all parts, in the order of their bytes
  std::map<picture_part, std::string> part_folders = {};  // paths; empty for a set without parts
  std::string inner_folder = {};     // the path of the one in it that is listed instead, or empty
  std::string class_like_part = {};  // the name of a class that would name a part elsewhere
  left_out_files left_out = {};
};

/// How many of the pictures are of a part.
inline index_t count_pictures(picture_list const& list, picture_part part) {
  return std::ranges::count(list.files, part, &picture_file::part);
}

/// Those of the pictures for which keep(picture_file) holds, with their classes alone, numbered
/// anew.
template <class Keep>
picture_list keep_pictures(picture_list list, Keep const& keep) {
  std::erase_if(list.files, [&](picture_file const& file) { return !keep(file); });
  std::vector<std::int32_t> numbers(list.class_names.size(), -1);
  for (auto const& file : list.files)
    if (file.label >= 0) numbers[static_cast<std::size_t>(file.label)] = 0;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 0) continue;
    numbers[i] = static_cast<std::int32_t>(names.size());
    names.push_back(list.class_names[i]);
  }
  for (auto& file : list.files)
    if (file.label >= 0) file.label = numbers[static_cast<std::size_t>(file.label)];
  list.class_names = std::move(names);
  return list;
}

/// A picture's path from the listed folder on.
inline std::string name_in(picture_list const& list, picture_file const& file) {
  return file.path.substr(list.folder.size());
}

}  // namespace mae
