#include "feature_rows.hpp"

#include <mae/core/text.hpp>

#include <cstddef>
#include <string_view>

namespace tools {
std::vector<feature_row> rows_of(mae::picture_list const& list) {
  std::vector<feature_row> rows;
  for (auto const& file : list.files)
    rows.push_back(
        {.file = name_in(list, file),
         .class_name = file.label < 0 ? "" : list.class_names[static_cast<std::size_t>(file.label)],
         .label = file.label});
  return rows;
}

std::vector<feature_row> rows_of(pretrain::image_set const& images,
                                 std::string const& part,
                                 mae::index_t count,
                                 std::span<std::string_view const> class_names) {
  std::vector<feature_row> rows;
  for (mae::index_t i = 0; i < count; ++i) {
    auto const label = images.label(i);
    rows.push_back({.file = part + '/' + std::to_string(i),
                    .class_name = class_names.empty()
                                      ? std::to_string(label)
                                      : std::string(class_names[static_cast<std::size_t>(label)]),
                    .label = label});
  }
  return rows;
}

std::string to_csv(std::span<feature_row const> rows) {
  std::string table = "row,file,class\r\n";
  std::size_t number = 0;
  for (auto const& row : rows)
    table += std::to_string(number++) + ',' + mae::csv_field(row.file) + ',' +
             mae::csv_field(row.class_name) + "\r\n";
  return table;
}

}  // namespace tools
