#include "picture_parts.hpp"

#include "assumed.hpp"

#include <mae/core/csv.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/images/list_pictures.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <ostream>

namespace tools {
namespace {

using mae::index_t;

/// The parts of pictures by name, as a table says it.
std::map<std::string, mae::picture_part> read_split(std::string const& path) {
  auto const table = mae::csv_table::read(path);
  index_t const image = table.column("image");
  index_t const part = table.column("part");
  std::map<std::string, mae::picture_part> parts;
  for (index_t row = 0; row < table.size(); ++row) {
    auto const found = mae::part_named(table.at(row, part));
    if (!found) table.refuse_field(row, part, "is no part: train, test or val");
    if (!parts.try_emplace(table.at(row, image), *found).second)
      table.refuse_field(row, image, "is there twice");
  }
  return parts;
}

void split_by_table(std::string const& path, mae::picture_list& list, std::ostream& notes) {
  auto parts = read_split(path);
  index_t left = 0;
  for (auto& file : list.files) {
    auto const name = name_in(list, file);
    auto const found = parts.contains(name) ? parts.find(name) : parts.find("images/" + name);
    if (found == parts.end()) {
      file.part =
          mae::picture_part::whole;  // whatever its folder says: neither trained on nor tested
      ++left;
      continue;
    }
    file.part = found->second;
    parts.erase(found);
  }
  if (!parts.empty())
    throw mae::config_error(path + ": there is no labelled picture " + parts.begin()->first +
                            " in " + list.folder);
  if (left > 0)
    pretrain::say_assumed(
        notes, std::to_string(left) + " pictures that " + path + " does not name are left out");
}

}  // namespace

void give_parts(std::string const& table, mae::picture_list& list, std::ostream& notes) {
  if (!table.empty()) return split_by_table(table, list, notes);
  if (!list.part_folders.empty()) return;
  std::ranges::sort(list.files, {}, &mae::picture_file::path);
  auto const tests = std::max<index_t>(1, std::ssize(list.files) / 5);
  for (index_t i = 0; i < std::ssize(list.files); ++i)
    list.files[static_cast<std::size_t>(i)].part =
        i < std::ssize(list.files) - tests ? mae::picture_part::train : mae::picture_part::test;
  pretrain::say_assumed(notes,
                        "tests are on the last " + std::to_string(tests) +
                            " pictures in the order of their names; --split says otherwise");
}

}  // namespace tools
