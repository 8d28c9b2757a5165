#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/file.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

static_assert(std::endian::native == std::endian::little,
              "mae: tensors are read and written as they lie in memory, which a safetensors file "
              "wants little-endian");

struct safetensors_options {
  /// A longer header is refused, in bytes; at most 100,000,000. With the default cap a file takes
  /// at most its own size and 64 MB of memory, whatever it holds.
  std::uint64_t header_cap = detail::safetensors::default_cap;
};

/// A safetensors file in memory: https://github.com/huggingface/safetensors#format. Its header is
/// read and checked before memory is taken for the data, and all of it before a tensor can be seen,
/// also the hash where there is one (save_safetensors).
class safetensors_file {
 public:
  /// Throws io_error when the file cannot be opened or read, format_error (file, offset, reason)
  /// when it is not a well-formed safetensors file or has changed since its hash was taken.
  static safetensors_file load(std::string const& path, safetensors_options options = {}) {
    namespace st = detail::safetensors;
    input_file file(path);
    std::array<std::byte, st::prefix_bytes> prefix{};
    auto const start = std::span(prefix).first(std::min<std::uint64_t>(file.size(), prefix.size()));
    file.read(start);
    std::uint64_t const head_bytes =
        prefix.size() + header_bytes(path, start, file.size(), options);
    host_buffer<std::byte> head(static_cast<index_t>(head_bytes));
    std::copy(prefix.begin(), prefix.end(), head.data());
    file.read(head.span().subspan(prefix.size()));
    auto header = parse_header(path, head.span(), file.size() - head_bytes);
    host_buffer<std::byte> data(static_cast<index_t>(file.size() - head_bytes));
    auto const bytes = data.span();
    file.read(bytes);
    file.expect_end();
    return checked(path, head.span(), bytes, std::move(header), std::move(data));
  }

  /// The same of bytes that are in memory already; errors name `file`.
  static safetensors_file parse(std::string const& file,
                                host_buffer<std::byte> bytes,
                                safetensors_options options = {}) {
    std::span<std::byte const> const all = std::as_const(bytes).span();
    std::uint64_t const head_bytes =
        detail::safetensors::prefix_bytes + header_bytes(file, all, all.size(), options);
    auto const head = all.first(head_bytes);
    auto const data = all.subspan(head_bytes);
    auto header = parse_header(file, head, data.size());
    return checked(file, head, data, std::move(header), std::move(bytes));
  }

  /// What the file says about itself, without the library's own `mae.format` and `mae.hash`.
  safetensors_metadata const& metadata() const noexcept { return header_.metadata; }
  /// In the order of the header; the bytes live as long as this object.
  std::span<tensor_entry const> tensors() const noexcept { return header_.tensors; }
  /// Whether the file carried a hash; then it was right.
  bool hashed() const noexcept { return header_.hash_offset.has_value(); }

  /// The tensor of that name, nullptr when there is none.
  tensor_entry const* find(std::string_view name) const {
    auto const& order = header_.by_name;
    auto const found = std::lower_bound(
        order.begin(), order.end(), name, [this](std::uint32_t i, std::string_view wanted) {
          return header_.tensors[i].name < wanted;
        });
    if (found == order.end() || header_.tensors[*found].name != name) return nullptr;
    return &header_.tensors[*found];
  }

 private:
  safetensors_file(host_buffer<std::byte> bytes, detail::safetensors::header header)
      : bytes_(std::move(bytes)), header_(std::move(header)) {}

  /// Reads and checks the header's length, the first 8 bytes of a file of `file_bytes`.
  static std::uint64_t header_bytes(std::string const& file,
                                    std::span<std::byte const> start,
                                    std::uint64_t file_bytes,
                                    safetensors_options options) {
    namespace st = detail::safetensors;
    if (start.size() < st::prefix_bytes)
      throw format_error(file, start.size(), "the file is shorter than 8 bytes");
    std::uint64_t length = 0;
    for (std::size_t i = st::prefix_bytes; i-- > 0;)
      length = length << 8 | std::to_integer<std::uint64_t>(start[i]);
    if (length == 0) throw format_error(file, 0, "the header is empty");
    if (length > std::min(options.header_cap, st::format_cap))
      throw format_error(file, 0, "the header's length exceeds the cap");
    if (length > file_bytes - st::prefix_bytes)
      throw format_error(file, 0, "the header is longer than the file");
    return length;
  }

  /// Checks all that a file says before its data, of which there are `data_bytes`.
  static detail::safetensors::header parse_header(std::string const& file,
                                                  std::span<std::byte const> head,
                                                  std::uint64_t data_bytes) {
    auto const text = head.subspan(detail::safetensors::prefix_bytes);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes read as characters
    std::string_view const characters(reinterpret_cast<char const*>(text.data()), text.size());
    auto header = detail::safetensors::header_parser(file, characters, data_bytes).parse();
    check_format(file, header.metadata);
    return header;
  }

  /// Refuses a file of ours that a later version wrote, whatever else it holds.
  static void check_format(std::string const& file, safetensors_metadata const& metadata) {
    namespace st = detail::safetensors;
    auto const format = metadata.find(std::string(st::format_key));
    if (format == metadata.end() || format->second == st::format_value) return;
    throw format_error(file,
                       st::prefix_bytes,
                       "mae.format is " + in_quotes(format->second) + ", and this program reads " +
                           std::string(st::format_value) +
                           ": a later version of it wrote the file, and can read it");
  }

  /// A file of which head and data lie in memory; `owner` owns the data.
  static safetensors_file checked(std::string const& file,
                                  std::span<std::byte const> head,
                                  std::span<std::byte const> data,
                                  detail::safetensors::header header,
                                  host_buffer<std::byte> owner) {
    check_hash(file, head, data, header);
    place(header, data);
    return {std::move(owner), std::move(header)};
  }

  /// Files of ours carry the hash of all their bytes, the hash's own digits taken as zeros.
  static void check_hash(std::string const& file,
                         std::span<std::byte const> head,
                         std::span<std::byte const> data,
                         detail::safetensors::header& header) {
    namespace st = detail::safetensors;
    auto const hash = header.metadata.find(std::string(st::hash_key));
    if (hash == header.metadata.end()) {
      if (header.metadata.contains(std::string(st::format_key)))
        throw format_error(file, st::prefix_bytes, "the file has lost its hash");
      return;
    }
    if (hash->second.size() != st::blank_hash.size())
      throw format_error(file, *header.hash_offset, "the hash must have 16 digits");
    auto const digits = head.subspan(*header.hash_offset, st::blank_hash.size());
    xxh64 state;
    state.update(head.first(*header.hash_offset));
    state.update(std::as_bytes(std::span(st::blank_hash)));
    state.update(head.subspan(*header.hash_offset + digits.size()));
    state.update(data);
    std::string const expected = st::hash_digits(state.digest());
    auto const right = std::as_bytes(std::span(expected));
    if (!std::equal(digits.begin(), digits.end(), right.begin(), right.end()))
      throw format_error(
          file, *header.hash_offset, "the hash is wrong: the file has changed since it was saved");
    header.metadata.erase(hash);
    header.metadata.erase(std::string(st::format_key));
  }

  host_buffer<std::byte> bytes_;
  detail::safetensors::header header_;
};

}  // namespace mae
