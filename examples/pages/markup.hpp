#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Text and bytes within SVG and HTML.

namespace pretrain {

/// Text as it may stand between tags and within quoted attributes; what is not UTF-8 or commands a
/// terminal is a question mark.
std::string escaped(std::string_view text);

/// Bytes as text (RFC 4648, section 4).
std::string base64(std::span<std::byte const> bytes);
/// The bytes again; nothing for text that base64 never made.
std::optional<std::vector<std::byte>> bytes_of_base64(std::string_view text);

}  // namespace pretrain
