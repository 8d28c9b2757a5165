#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// A file with that header and those data, the header's length put right.
inline std::string framed(std::string const& header, std::string const& data = "") {
  std::string prefix;
  for (unsigned shift = 0; shift < 64; shift += 8)
    prefix += static_cast<char>(std::uint64_t{header.size()} >> shift & 0xFF);
  return prefix + header + data;
}

/// One member of a header: a tensor of unsigned bytes.
inline std::string u8_tensor(std::string const& name, std::size_t begin, std::size_t end) {
  return '"' + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(end - begin) +
         R"(],"data_offsets":[)" + std::to_string(begin) + ',' + std::to_string(end) + "]}";
}

inline mae::host_buffer<std::byte> buffer_of(std::string_view text) {
  mae::host_buffer<std::byte> buffer(static_cast<mae::index_t>(text.size()));
  std::ranges::copy(std::as_bytes(std::span(text)), buffer.data());
  return buffer;
}

inline std::string text_of(std::span<std::byte const> bytes) {
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}
