#pragma once

#include "images.hpp"

#include <mae/core/types.hpp>
#include <mae/images/picture_list.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tools {

/// Which image a row of features is of.
struct feature_row {
  std::string file;             // a picture's path from --data on, or "test/17"
  std::string class_name = {};  // empty without a class
  std::int64_t label = -1;
};

/// The rows of pictures, in their order.
std::vector<feature_row> rows_of(mae::picture_list const& list);

/// The first `count` rows of a data set's part, "train" or "test". `class_names` may be empty: then
/// a class is its number.
std::vector<feature_row> rows_of(pretrain::image_set const& images,
                                 std::string const& part,
                                 mae::index_t count,
                                 std::span<std::string_view const> class_names);

/// A table of comma-separated values (RFC 4180): "row,file,class", then a line for each row. Lines
/// end with CR LF; what holds a comma, a quote or a line break is put between quotes.
std::string to_csv(std::span<feature_row const> rows);

}  // namespace tools
