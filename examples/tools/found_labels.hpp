#pragma once

#include "labelled_folder.hpp"

#include <mae/data/annotation.hpp>
#include <mae/images/keypoint_table.hpp>
#include <mae/images/picture_list.hpp>

#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

// Where the labels of a folder's pictures are, and which of its pictures have some.

namespace tools {

struct found_labels {
  std::filesystem::path masks;               // a folder, where masks are wanted
  std::optional<mae::keypoint_table> table;  // where points are
  std::string table_path;
};

bool is_there(std::filesystem::path const& path);

/// Throws config_error for a folder that lacks what is wanted, and what mae::read_keypoints throws.
found_labels find_labels(std::string const& folder, label_request const& request);

/// A picture's mask: X.png for X.jpg, in the same folders or in none. Empty without one.
std::string mask_of(found_labels const& labels, std::string const& picture);

/// A picture's points; null without any.
std::vector<mae::keypoint> const* points_of(found_labels const& labels, std::string const& picture);

/// Every name of a table must be a picture's: a wrong one would be left out without a word. Throws
/// config_error, which names it.
void require_pictures(found_labels const& labels, mae::picture_list const& list);

/// Leaves out pictures of which no label is known, which `notes` are told. Throws config_error
/// where none remains.
void keep_labelled(found_labels const& labels, mae::picture_list& list, std::ostream& notes);

}  // namespace tools
