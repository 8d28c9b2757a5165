#pragma once

#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/text.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/file.hpp>
#include <mae/io/finite.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mae {

/// What becomes of infinities and NaNs among the values of a file.
enum class non_finite_values : std::uint8_t { saved, refused };

namespace detail::safetensors {

/// Builds the first part of a file, up to the data: the length, the header, spaces up to a multiple
/// of 8 bytes. The hash's digits are zeros; `hash_offset` says where they stand.
class header_builder {
 public:
  header_builder(std::span<tensor_entry const> tensors, safetensors_metadata const& metadata) {
    check(tensors, metadata);
    text_.assign(prefix_bytes, '\0');
    text_ += "{\"__metadata__\":{";
    add_own_metadata();
    for (auto const& [key, value] : metadata) {
      text_ += ',';
      member(key, value);
    }
    text_ += '}';
    std::uint64_t begin = 0;
    for (tensor_entry const& tensor : tensors) begin = add(tensor, begin);
    text_ += '}';
    text_.resize((text_.size() + 7) / 8 * 8, ' ');
    set_length();
  }

  std::span<std::byte const> bytes() const { return std::as_bytes(std::span(text_)); }

  void set_hash(std::uint64_t hash) {
    text_.replace(hash_offset_, blank_hash.size(), hash_digits(hash));
  }

 private:
  static void check(std::span<tensor_entry const> tensors, safetensors_metadata const& metadata) {
    if (metadata.contains(std::string(format_key)) || metadata.contains(std::string(hash_key)))
      throw config_error("the metadata keys mae.format and mae.hash are the library's own");
    if (metadata.size() + 2 > max_metadata) throw config_error("too many metadata entries");
    for (tensor_entry const& tensor : tensors) {
      if (tensor.name.empty() || tensor.name == metadata_name)
        throw config_error("a tensor cannot be named " + in_quotes(tensor.name));
      if (tensor.shape.size() > max_rank)
        throw config_error("tensor " + in_quotes(tensor.name) + " has more than 16 extents");
      if (tensor_bytes(tensor.type, tensor.shape) != tensor.bytes.size())
        throw config_error("tensor " + in_quotes(tensor.name) + ": its bytes do not fit its shape");
    }
    auto const order = order_by_name(tensors);
    for (std::size_t i = 1; i < order.size(); ++i)
      if (tensors[order[i]].name == tensors[order[i - 1]].name)
        throw config_error("two tensors are named " + in_quotes(tensors[order[i]].name));
  }

  void set_length() {
    std::uint64_t length = text_.size() - prefix_bytes;
    if (length > default_cap)
      throw config_error("a safetensors header of " + std::to_string(length) +
                         " bytes is too long");
    for (std::size_t i = 0; i < prefix_bytes; ++i, length >>= 8)
      text_[i] = static_cast<char>(length & 0xFF);
  }

  void add_own_metadata() {
    member(format_key, format_value);
    text_ += ',';
    member(hash_key, blank_hash);
    hash_offset_ = text_.size() - blank_hash.size() - 1;
  }

  /// Adds a tensor whose data begin at `begin`; where they end.
  std::uint64_t add(tensor_entry const& tensor, std::uint64_t begin) {
    std::uint64_t const end = begin + tensor.bytes.size();
    text_ += ',';
    string(tensor.name);
    text_ += ":{\"dtype\":";
    string(dtype_name(tensor.type));
    text_ += ",\"shape\":[";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      if (i != 0) text_ += ',';
      text_ += std::to_string(tensor.shape[i]);
    }
    text_ += "],\"data_offsets\":[" + std::to_string(begin) + ',' + std::to_string(end) + "]}";
    return end;
  }

  void member(std::string_view key, std::string_view value) {
    string(key);
    text_ += ':';
    string(value);
  }

  void string(std::string_view content) {
    text_ += '"';
    while (!content.empty()) {
      std::size_t const length = utf8_sequence(content);
      char const first = content.front();
      if (length == 0 || first == '\0')
        throw config_error("a name or metadata is not UTF-8 without U+0000: " + in_quotes(content));
      if (length == 1 && first < 0x20) {
        text_ += "\\u00";
        text_ += "01"[first >> 4];
        text_ += "0123456789abcdef"[first & 0xF];
      } else {
        if (first == '"' || first == '\\') text_ += '\\';
        text_ += content.substr(0, length);
      }
      content.remove_prefix(length);
    }
    text_ += '"';
  }

  std::string text_;
  std::size_t hash_offset_ = 0;
};

/// Adds a tensor's bytes to a hash, and says whether all its values are finite. In pieces that the
/// hash has brought into a processor's first cache, where the second look costs next to nothing.
inline bool add_checked(xxh64& hash, tensor_entry const& tensor) {
  constexpr std::size_t piece = 1 << 14;  // bytes, a whole number of values of any type
  bool finite = true;
  for (auto rest = tensor.bytes; !rest.empty(); rest = rest.subspan(std::min(piece, rest.size()))) {
    auto const bytes = rest.first(std::min(piece, rest.size()));
    hash.update(bytes);
    finite = finite && all_finite(tensor.type, bytes);
  }
  return finite;
}

/// Writes a file's bytes to `file`, which has a member write(std::span<std::byte const>). With a
/// name in `finite_for`, a value that is not finite is a numeric_error, which names both, before a
/// byte is written.
template <class File>
void write(File& file,
           std::span<tensor_entry const> tensors,
           safetensors_metadata const& metadata,
           std::string const& finite_for = {}) {
  header_builder header(tensors, metadata);
  xxh64 hash;
  hash.update(header.bytes());
  for (tensor_entry const& tensor : tensors)
    if (finite_for.empty())
      hash.update(tensor.bytes);
    else if (!add_checked(hash, tensor))
      throw numeric_error(finite_for, tensor.name);
  header.set_hash(hash.digest());
  file.write(header.bytes());
  for (tensor_entry const& tensor : tensors) file.write(tensor.bytes);
}

}  // namespace detail::safetensors

/// Writes what save_safetensors writes to an open file, which the caller commits. Throws as that.
inline void write_safetensors(atomic_file& file,
                              std::span<tensor_entry const> tensors,
                              safetensors_metadata const& metadata = {}) {
  detail::safetensors::write(file, tensors, metadata);
}

/// Replaces the file at `path` by one with these tensors, in this order, as a whole or not at all
/// (atomic_file), without a copy of their bytes. It carries a hash of all its bytes, in the
/// metadata entry `mae.hash`: XXH64, seed 0, of the file with the hash's own 16 digits taken as
/// '0'. Throws io_error when the system refuses; config_error when the file could not be loaded
/// again: equal or empty names, bytes that do not fit a shape, text that is not UTF-8, a header
/// over 16 MB; numeric_error, which names the tensor, for a value that is refused.
inline void save_safetensors(std::string const& path,
                             std::span<tensor_entry const> tensors,
                             safetensors_metadata const& metadata = {},
                             non_finite_values non_finite = non_finite_values::saved) {
  atomic_file file(path);
  bool const saved = non_finite == non_finite_values::saved;
  detail::safetensors::write(file, tensors, metadata, saved ? std::string() : path);
  file.commit();
}

}  // namespace mae
