#pragma once

#include <mae/core/csv.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// The named points of many pictures.
struct keypoint_table {
  std::vector<std::string> names;                         // (J)
  std::map<std::string, std::vector<keypoint>> pictures;  // by name, J each, in pixels
};

namespace detail {

/// The columns of a point; -1 where it has none.
struct keypoint_columns {
  index_t x = -1;
  index_t y = -1;
  index_t visible = -1;
};

/// Those of a table, whose names are added to `names`.
inline std::vector<keypoint_columns> find_keypoints(csv_table const& table,
                                                    std::vector<std::string>& names) {
  std::vector<keypoint_columns> columns;
  for (auto const& column : table.names()) {
    if (!column.ends_with("_x") || column.size() < 3) continue;
    auto const name = column.substr(0, column.size() - 2);
    columns.push_back({.x = table.column(column),
                       .y = table.column(name + "_y"),
                       .visible = table.find(name + "_visible")});
    names.push_back(name);
  }
  if (columns.empty())
    throw format_error(table.path(), 0, "no point: columns NAME_x and NAME_y give their places");
  return columns;
}

inline keypoint read_keypoint(csv_table const& table, index_t row, keypoint_columns const& at) {
  auto const x = table.number(row, at.x);
  auto const y = table.number(row, at.y);
  if (x.has_value() != y.has_value())
    table.refuse_field(row, x ? at.y : at.x, "is one half of a place: say both, or none");
  auto const visible = at.visible < 0 ? std::optional<double>() : table.number(row, at.visible);
  if (visible && *visible > 0 && !x)
    table.refuse_field(row, at.visible, "is a visible point without a place");
  if (!x || (visible && !(*visible > 0))) return {};
  return {static_cast<float>(*x), static_cast<float>(*y), true};
}

}  // namespace detail

/// Reads a table with a column `image` and for each point NAME_x, NAME_y and, where it is wanted,
/// NAME_visible (0 or 1): pixels from the top left corner of the top left pixel, empty where a
/// point is not visible. Other columns are passed over. Throws io_error, and format_error for what
/// is no such table, for a picture that is there twice and for half a place.
inline keypoint_table read_keypoints(std::string const& path) {
  auto const table = csv_table::read(path);
  index_t const image = table.column("image");
  keypoint_table found;
  auto const columns = detail::find_keypoints(table, found.names);
  for (index_t row = 0; row < table.size(); ++row) {
    std::vector<keypoint> points;
    for (auto const& at : columns) points.push_back(detail::read_keypoint(table, row, at));
    auto const [where, is_first] =
        found.pictures.try_emplace(table.at(row, image), std::move(points));
    if (!is_first) table.refuse_field(row, image, "is there twice");
  }
  return found;
}

/// Reads which points take each other's place in a mirror image, a table with the columns `left`
/// and `right`. Throws io_error, and format_error for a name that is no point's, or is there twice.
inline mirror_partners read_partners(std::string const& path,
                                     std::vector<std::string> const& points) {
  auto const table = csv_table::read(path);
  mirror_partners partners(points.size());
  std::iota(partners.begin(), partners.end(), index_t{0});
  std::vector<bool> taken(points.size());
  auto const number = [&](index_t row, char const* column) {
    index_t const at = table.column(column);
    auto const found = std::ranges::find(points, table.at(row, at));
    if (found == points.end()) table.refuse_field(row, at, "is no point");
    auto const point = static_cast<std::size_t>(found - points.begin());
    if (taken[point]) table.refuse_field(row, at, "has a partner already");
    taken[point] = true;
    return point;
  };
  for (index_t row = 0; row < table.size(); ++row) {
    auto const left = number(row, "left");
    auto const right = number(row, "right");
    partners[left] = static_cast<index_t>(right);
    partners[right] = static_cast<index_t>(left);
  }
  return partners;
}

}  // namespace mae
