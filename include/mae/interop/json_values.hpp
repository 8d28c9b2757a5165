#pragma once

#include <mae/core/types.hpp>
#include <mae/io/json_reader.hpp>

#include <cstdint>
#include <limits>
#include <vector>

// Values as they stand in the configurations of other libraries.

namespace mae::detail {

/// Whether null comes next, which is then passed over.
inline bool skip_null(json_reader& reader) {
  if (!reader.begins_with('n')) return false;
  reader.skip();
  return true;
}

inline index_t read_count(json_reader& reader) {
  std::uint64_t const at = reader.next();
  std::uint64_t const value = reader.unsigned_integer();
  if (value > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
    reader.refuse(at, "a size beyond 31 bits");
  for (char const fraction : {'.', 'e', 'E'})
    if (reader.begins_with(fraction)) reader.refuse(at, "a size that is no whole number");
  return static_cast<index_t>(value);
}

/// A list of `count` sizes.
inline std::vector<index_t> read_counts(json_reader& reader,
                                        std::size_t count,
                                        char const* expected) {
  std::vector<index_t> values;
  std::uint64_t const at = reader.next();
  reader.array([&] {
    values.push_back(read_count(reader));
    if (values.size() > count) reader.refuse(at, expected);
  });
  if (values.size() != count) reader.refuse(at, expected);
  return values;
}

/// One number for both, or a list of height and width.
inline void read_sides(json_reader& reader, index_t& height, index_t& width) {
  if (!reader.begins_with('[')) {
    height = width = read_count(reader);
    return;
  }
  auto const sides = read_counts(reader, 2, "expected height and width");
  height = sides[0];
  width = sides[1];
}

/// A number for each channel: a list, or one number for all.
struct channel_numbers {
  std::vector<double> values = {};
  bool is_one_for_all = false;
};
inline channel_numbers read_channel_numbers(json_reader& reader) {
  channel_numbers numbers;
  if (!reader.begins_with('[')) return {{reader.number()}, true};
  reader.array([&] { numbers.values.push_back(reader.number()); });
  return numbers;
}

}  // namespace mae::detail
