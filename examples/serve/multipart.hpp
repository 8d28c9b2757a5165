#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace serve {

/// The contents of the parts of a multipart/form-data body (RFC 7578), in their order, which views
/// of `body` are. Parts without a file (no filename) are left out where any has one. Throws
/// request_error (400) for a content type without a boundary and for what is no such body, and
/// (422) for more parts than `most`.
std::vector<std::string_view> split_multipart(std::string_view content_type,
                                              std::string_view body,
                                              std::size_t most);

}  // namespace serve
