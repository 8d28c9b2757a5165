#pragma once

#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/json_reader.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// A named tensor: row-major, its last extent fastest, little-endian. Somebody else owns the bytes,
/// which need not be aligned.
struct tensor_entry {
  std::string name;
  dtype type = dtype::f32;
  std::vector<index_t> shape;        // empty for a scalar
  std::span<std::byte const> bytes;  // the product of `shape` times dtype_bytes(type)
};

/// The free text that a file carries beside its tensors.
using safetensors_metadata = std::map<std::string, std::string>;

namespace detail::safetensors {

inline constexpr std::uint64_t prefix_bytes = 8;          // the header's length comes first
inline constexpr std::uint64_t format_cap = 100'000'000;  // bytes of header; the format's own rule
inline constexpr std::uint64_t default_cap = 16'000'000;  // bytes of header; ours
inline constexpr std::size_t max_rank = 16;               // bounds the memory of a small header
inline constexpr std::size_t max_metadata = 65'536;       // entries; for the same reason
inline constexpr std::string_view metadata_name = "__metadata__";

/// Metadata of our own files. One entry of the two makes the hash compulsory, so that a flipped bit
/// in the name of the other does not pass for a foreign file.
inline constexpr std::string_view format_key = "mae.format";
inline constexpr std::string_view format_value = "1";
inline constexpr std::string_view hash_key = "mae.hash";
inline constexpr std::string_view blank_hash = "0000000000000000";

/// XXH64 as it stands in a file: 16 lower-case hexadecimal digits.
inline std::string hash_digits(std::uint64_t hash) {
  std::string digits(blank_hash);
  for (std::size_t i = digits.size(); i-- > 0; hash >>= 4)
    digits[i] = "0123456789abcdef"[hash & 0xF];
  return digits;
}

/// The numbers of the tensors, sorted by name; equal names keep their order.
inline std::vector<std::uint32_t> order_by_name(std::span<tensor_entry const> tensors) {
  std::vector<std::uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [tensors](std::uint32_t a, std::uint32_t b) {
    int const sign = tensors[a].name.compare(tensors[b].name);
    return sign != 0 ? sign < 0 : a < b;
  });
  return order;
}

/// What a header says. The tensors have no bytes until `place` gives them some.
struct header {
  std::vector<tensor_entry> tensors;   // as they stand in the header
  std::vector<std::uint64_t> begins;   // where the tensors' bytes begin in the data
  std::vector<std::uint32_t> by_name;  // the tensors' numbers, sorted by name
  safetensors_metadata metadata;
  std::optional<std::uint64_t> hash_offset;  // of the hash's first digit in the file
};

/// Gives the tensors of a header their bytes in `data`, of the size that it was checked against.
inline void place(header& checked, std::span<std::byte const> data) {
  for (std::size_t i = 0; i < checked.tensors.size(); ++i) {
    auto& tensor = checked.tensors[i];
    tensor.bytes = data.subspan(checked.begins[i], *tensor_bytes(tensor.type, tensor.shape));
  }
}

/// Reads the header of a file and checks it against the bytes that follow it, of which it needs but
/// the number: the tensors must cover them without gap or overlap.
class header_parser {
 public:
  header_parser(std::string const& file, std::string_view text, std::uint64_t data_bytes)
      : reader_(file, text, prefix_bytes), data_bytes_(data_bytes) {
    // Room for the greatest number of tensors, so that no growing vector doubles its memory.
    constexpr std::string_view least = R"("a":{"dtype":"U8","shape":[],"data_offsets":[0,0]},)";
    result_.tensors.reserve(text.size() / least.size());
    result_.begins.reserve(text.size() / least.size());
    name_offsets_.reserve(text.size() / least.size());
    if (!text.starts_with('{')) reader_.refuse(prefix_bytes, "the header must begin with '{'");
  }

  header parse() && {
    reader_.object([this](std::string name, std::uint64_t at) {
      if (name == metadata_name)
        metadata(at);
      else
        tensor(std::move(name), at);
    });
    reader_.finish();
    check_names();
    check_layout();
    return std::move(result_);
  }

 private:
  void metadata(std::uint64_t at) {
    if (std::exchange(has_metadata_, true)) reader_.refuse(at, "__metadata__ stands here twice");
    reader_.object([this](std::string key, std::uint64_t key_at) {
      std::uint64_t const value_at = reader_.next();
      if (key == hash_key) result_.hash_offset = value_at + 1;
      if (result_.metadata.contains(key))
        reader_.refuse(key_at, "the metadata has two entries " + in_quotes(key));
      result_.metadata[std::move(key)] = reader_.string();
      if (result_.metadata.size() > max_metadata)
        reader_.refuse(key_at, "the metadata has too many entries");
    });
  }

  void tensor(std::string name, std::uint64_t at) {
    if (name.empty()) reader_.refuse(at, "a tensor has an empty name");
    enum field : unsigned { type_field = 1, shape_field = 2, offsets_field = 4 };
    unsigned seen = 0;
    tensor_entry entry;
    std::array<std::uint64_t, 2> offsets{};
    reader_.object([&](std::string const& key, std::uint64_t key_at) {
      unsigned const which = key == "dtype"          ? type_field
                             : key == "shape"        ? shape_field
                             : key == "data_offsets" ? offsets_field
                                                     : 0U;
      if (which == 0) reader_.refuse(key_at, "a tensor has an unknown field " + in_quotes(key));
      if ((seen & which) != 0) reader_.refuse(key_at, "a tensor has two fields " + in_quotes(key));
      seen |= which;
      if (which == type_field) entry.type = type();
      if (which == shape_field) entry.shape = shape();
      if (which == offsets_field) offsets = data_offsets();
    });
    if (seen != (type_field | shape_field | offsets_field))
      reader_.refuse(at, "tensor " + in_quotes(name) + " lacks dtype, shape or data_offsets");
    entry.name = std::move(name);
    check_offsets(entry, offsets, at);
    result_.tensors.push_back(std::move(entry));
    result_.begins.push_back(offsets[0]);
    name_offsets_.push_back(static_cast<std::uint32_t>(at));
  }

  dtype type() {
    std::uint64_t const at = reader_.next();
    std::string const name = reader_.string();
    std::optional<dtype> const found = dtype_of(name);
    if (!found) reader_.refuse(at, "unknown dtype " + in_quotes(name));
    return *found;
  }

  std::vector<index_t> shape() {
    std::array<index_t, max_rank> extents{};
    std::size_t rank = 0;
    reader_.array([&] {
      std::uint64_t const at = reader_.next();
      std::uint64_t const extent = reader_.unsigned_integer();
      if (extent > static_cast<std::uint64_t>(std::numeric_limits<index_t>::max()))
        reader_.refuse(at, "an extent exceeds 63 bits");
      if (rank == max_rank) reader_.refuse(at, "a tensor has more than 16 extents");
      extents[rank++] = static_cast<index_t>(extent);
    });
    return {extents.begin(), extents.begin() + static_cast<index_t>(rank)};
  }

  std::array<std::uint64_t, 2> data_offsets() {
    std::array<std::uint64_t, 2> offsets{};
    std::size_t count = 0;
    std::uint64_t const at = reader_.next();
    reader_.array([&] {
      std::uint64_t const offset = reader_.unsigned_integer();
      if (count == 2) reader_.refuse(at, "data_offsets must hold two numbers");
      offsets[count++] = offset;
    });
    if (count != 2) reader_.refuse(at, "data_offsets must hold two numbers");
    return offsets;
  }

  void check_offsets(tensor_entry const& entry,
                     std::array<std::uint64_t, 2> const& offsets,
                     std::uint64_t at) const {
    auto const [begin, end] = offsets;
    auto const refuse = [&](char const* what) {
      reader_.refuse(at, "tensor " + in_quotes(entry.name) + ": " + what);
    };
    std::optional<std::uint64_t> const size = tensor_bytes(entry.type, entry.shape);
    if (!size) refuse("its size exceeds 64 bits");
    if (begin > end) refuse("its data end before they begin");
    if (end > data_bytes_) refuse("its data lie beyond the end of the file");
    if (end - begin != *size) refuse("its shape and dtype do not fit its data_offsets");
  }

  void check_names() {
    auto const& order = result_.by_name = order_by_name(result_.tensors);
    for (std::size_t i = 1; i < order.size(); ++i) {
      std::string const& name = result_.tensors[order[i]].name;
      if (name == result_.tensors[order[i - 1]].name)
        reader_.refuse(name_offsets_[order[i]], "two tensors are named " + in_quotes(name));
    }
  }

  /// Every byte of the data belongs to one tensor.
  void check_layout() {
    std::vector<std::uint32_t> order(result_.tensors.size());
    std::iota(order.begin(), order.end(), 0U);
    auto const begin = [this](std::uint32_t i) { return result_.begins[i]; };
    auto const size = [this](std::uint32_t i) {
      return *tensor_bytes(result_.tensors[i].type, result_.tensors[i].shape);
    };
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return std::pair(begin(a), size(a)) < std::pair(begin(b), size(b));
    });
    std::uint64_t covered = 0;
    for (std::uint32_t const i : order) {
      if (begin(i) != covered)
        reader_.refuse(name_offsets_[i],
                       "the data of tensor " + in_quotes(result_.tensors[i].name) +
                           (begin(i) < covered ? " overlap another's" : " come after a hole"));
      covered += size(i);
    }
    if (covered != data_bytes_)
      reader_.refuse(reader_.next() + covered, "bytes that belong to no tensor");
  }

  json_reader reader_;
  std::uint64_t data_bytes_;
  header result_;
  std::vector<std::uint32_t> name_offsets_;  // in the file, for messages
  bool has_metadata_ = false;
};

}  // namespace detail::safetensors

}  // namespace mae
