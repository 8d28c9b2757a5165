#pragma once

#include <mae/images/picture_list.hpp>

#include <iosfwd>
#include <string>

namespace tools {

/// Gives each picture its part: by a table (columns image, part), pictures that it does not name
/// being left out; without one (an empty path) by the folders train, test and val where there are
/// some, else the last fifth in the order of names are tests. `notes` are told. Throws
/// mae::config_error for a table that names no picture or none of these parts, and
/// what mae::csv_table::read throws.
void give_parts(std::string const& table, mae::picture_list& list, std::ostream& notes);

}  // namespace tools
