#include "found_labels.hpp"

#include "assumed.hpp"

#include <mae/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <ostream>
#include <system_error>

namespace tools {

namespace fs = std::filesystem;

bool is_there(fs::path const& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string mask_of(found_labels const& labels, std::string const& picture) {
  fs::path const name = fs::path(picture).replace_extension(".png");
  for (auto const& path : {labels.masks / name, labels.masks / name.filename()})
    if (is_there(path)) return path.string();
  return {};
}

std::vector<mae::keypoint> const* points_of(found_labels const& labels,
                                            std::string const& picture) {
  if (!labels.table) return nullptr;
  auto const& pictures = labels.table->pictures;
  for (auto const& name : {picture, "images/" + picture, fs::path(picture).filename().string()})
    if (auto const found = pictures.find(name); found != pictures.end()) return &found->second;
  return nullptr;
}

found_labels find_labels(std::string const& folder, label_request const& request) {
  found_labels found;
  fs::path const root(folder);
  if (!is_there(root / "images"))
    throw mae::config_error(folder + " has no folder images, in which labelled pictures lie");
  if (request.masks) {
    found.masks = root / (request.instances ? "labels" : "masks");
    if (!is_there(found.masks))
      throw mae::config_error(
          folder + " has no folder " + found.masks.filename().string() +
          (request.instances ? ""
                             : "; --instances takes labels/, in which each value is an instance"));
  }
  if (request.points) {
    found.table_path =
        request.keypoints.empty() ? (root / "keypoints.csv").string() : request.keypoints;
    found.table = mae::read_keypoints(found.table_path);
  }
  return found;
}

void require_pictures(found_labels const& labels, mae::picture_list const& list) {
  if (!labels.table) return;
  std::size_t matched = 0;
  for (auto const& file : list.files)
    matched += points_of(labels, name_in(list, file)) != nullptr ? 1 : 0;
  if (matched >= labels.table->pictures.size()) return;
  for (auto const& [name, points] : labels.table->pictures) {
    std::string const& wanted = name;
    bool const is_one = std::ranges::any_of(list.files, [&](auto const& file) {
      auto const own = name_in(list, file);
      return own == wanted || "images/" + own == wanted ||
             fs::path(own).filename().string() == wanted;
    });
    if (!is_one)
      throw mae::config_error(labels.table_path + ": there is no picture " + wanted + " in " +
                              list.folder);
  }
}

void keep_labelled(found_labels const& labels, mae::picture_list& list, std::ostream& notes) {
  auto const before = std::ssize(list.files);
  std::erase_if(list.files, [&](auto const& file) {
    auto const name = name_in(list, file);
    bool const has_mask = !labels.masks.empty() && !mask_of(labels, name).empty();
    return !has_mask && points_of(labels, name) == nullptr;
  });
  auto const left = before - std::ssize(list.files);
  if (left > 0)
    pretrain::say_assumed(notes, std::to_string(left) + " pictures without labels are left out");
  if (list.files.empty())
    throw mae::config_error("no picture in " + list.folder + " has a label in " +
                            (labels.masks.empty() ? labels.table_path : labels.masks.string()));
}

}  // namespace tools
