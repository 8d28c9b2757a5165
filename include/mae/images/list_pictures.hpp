#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/images/found_pictures.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

/// The part that a folder's name means, in letters of either case: train, training; test, testing;
/// val, valid, validation.
inline std::optional<picture_part> part_named(std::string_view name) {
  using word = std::pair<std::string_view, picture_part>;
  constexpr std::array<word, 7> words{{{"train", picture_part::train},
                                       {"training", picture_part::train},
                                       {"test", picture_part::test},
                                       {"testing", picture_part::test},
                                       {"val", picture_part::validation},
                                       {"valid", picture_part::validation},
                                       {"validation", picture_part::validation}}};
  std::string small(name);
  for (char& letter : small)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  for (auto const& [text, part] : words)
    if (small == text) return part;
  return std::nullopt;
}

namespace detail {

/// Names of pictures, each from the same folder on, in the order of their bytes.
using picture_names = std::vector<std::string_view>;

/// A name up to its first slash; empty without one.
inline std::string_view first_folder(std::string_view name) {
  auto const slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

/// What lies in one of a folder's folders.
struct picture_group {
  picture_names names;     // from that folder on
  bool has_own = false;    // pictures
  bool has_below = false;  // folders with pictures
};

/// Pictures by the folder that they lie in; "" where some lie in none.
using picture_groups = std::map<std::string, picture_group>;

inline picture_groups group_pictures(picture_names const& names) {
  picture_groups groups;
  for (auto const name : names) {
    auto const folder = first_folder(name);
    auto const rest = name.substr(folder.empty() ? 0 : folder.size() + 1);
    auto& group = groups[std::string(folder)];
    group.names.push_back(rest);
    (first_folder(rest).empty() ? group.has_own : group.has_below) = true;
  }
  return groups;
}

/// The names of the folders that are parts: all that are named so. One alone beside other pictures
/// is a part only where it is `train` and holds classes itself; without, it is a class, as a train
/// beside a plane is. Throws config_error where the meaning of a name cannot be told.
inline std::map<picture_part, std::string> find_parts(std::string const& folder,
                                                      picture_groups const& groups) {
  std::map<picture_part, std::string> parts;
  for (auto const& [name, group] : groups) {
    auto const part = part_named(name);
    if (!part) continue;
    if (auto const [other, is_first] = parts.try_emplace(*part, name); !is_first)
      throw config_error(folder + ": its folders " + other->second + " and " + name +
                         " are named as the same part: make one folder of them");
  }
  if (parts.size() != 1 || groups.size() == 1) return parts;
  auto const& [part, name] = *parts.begin();
  bool const is_train = part == picture_part::train;
  if (is_train && groups.at(name).has_below) return parts;
  if (is_train && !groups.contains("")) return {};
  throw config_error(folder + ": its folder " + name +
                     " is named as a part, but other pictures lie beside it: put these into a "
                     "folder " +
                     (is_train ? "test" : "train") + ", or rename " + name +
                     " where it is a class");
}

/// Adds the pictures of a part, which lie in `folder`: their classes, where it has folders.
inline void add_part(std::string const& folder,
                     picture_groups const& groups,
                     picture_part part,
                     std::vector<std::pair<std::string, picture_file>>& found) {
  if (groups.size() > 1 && groups.contains(""))
    throw config_error(folder +
                       ": pictures lie beside folders of pictures, which are classes: put "
                       "them into one of these, or elsewhere");
  if (part != picture_part::whole && std::ranges::all_of(groups, [](auto const& one) {
        return part_named(one.first).has_value();
      }))
    throw config_error(folder +
                       ": a part of a set that has parts again: name it instead of the "
                       "folder that it lies in");
  for (auto const& [class_name, group] : groups)
    for (auto const rest : group.names)
      found.emplace_back(class_name,
                         picture_file{.path = folder + class_name +
                                              (class_name.empty() ? "" : "/") + std::string(rest),
                                      .part = part});
}

/// Takes the pictures into the list, with the numbers of their classes and in its order.
inline void add_classes(std::vector<std::pair<std::string, picture_file>>& found,
                        picture_list& list) {
  for (auto const& [class_name, file] : found)
    if (!class_name.empty()) list.class_names.push_back(class_name);
  std::ranges::sort(list.class_names);
  list.class_names.erase(std::unique(list.class_names.begin(), list.class_names.end()),
                         list.class_names.end());
  for (auto& [class_name, file] : found) {
    auto const at = std::ranges::lower_bound(list.class_names, class_name);
    if (!class_name.empty()) file.label = static_cast<std::int32_t>(at - list.class_names.begin());
    list.files.push_back(std::move(file));
  }
  std::ranges::sort(list.files, {}, [](picture_file const& one) {
    return std::tie(one.part, one.label, one.path);
  });
}

}  // namespace detail

/// The classes and parts of pictures that find_pictures found in a folder. Folders named as parts
/// (part_named) are parts; elsewhere, and in each part, folders are classes, with all pictures
/// below them, and a part without folders has no classes. A folder that holds one folder of
/// folders, and nothing else, is entered first. Throws config_error without pictures, for pictures
/// beside classes, and where it cannot be told whether a folder is a part.
inline picture_list list_pictures(std::string const& folder, found_pictures const& found) {
  if (found.names.empty()) {
    std::string const others = to_string(found.left_out);
    throw config_error(folder + ": no PNG or JPEG file in it" +
                       (others.empty() ? "" : "; left out: " + others));
  }
  picture_list list{.folder = folder + (folder.ends_with('/') ? "" : "/"),
                    .files = {},
                    .left_out = found.left_out};
  std::string inside = list.folder;
  auto groups = detail::group_pictures({found.names.begin(), found.names.end()});
  while (groups.size() == 1 && !groups.begin()->second.has_own &&
         !part_named(groups.begin()->first)) {
    inside += groups.begin()->first + '/';
    groups = detail::group_pictures(detail::picture_names(groups.begin()->second.names));
    list.inner_folder = inside;
  }
  std::vector<std::pair<std::string, picture_file>> pictures;
  auto const parts = detail::find_parts(inside, groups);
  for (auto const& [part, name] : parts) {
    list.part_folders[part] = inside + name;
    auto const within = detail::group_pictures(groups.at(name).names);
    detail::add_part(inside + name + '/', within, part, pictures);
  }
  if (parts.empty()) detail::add_part(inside, groups, picture_part::whole, pictures);
  for (auto const& [name, group] : groups) {
    if (parts.empty() && part_named(name)) list.class_like_part = name;
    if (!parts.empty() && !part_named(name)) list.left_out.beside_parts += std::ssize(group.names);
  }
  detail::add_classes(pictures, list);
  return list;
}

/// The same of all pictures in and below a folder. Throws io_error when a folder cannot be read.
inline picture_list list_pictures(std::string const& folder) {
  return list_pictures(folder, find_pictures(folder));
}

/// A picture alone, which is not looked at yet.
inline picture_list list_picture(std::string const& path) {
  return {.folder = path.substr(0, path.rfind('/') + 1), .files = {{.path = path}}};
}

}  // namespace mae
