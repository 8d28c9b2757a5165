#pragma once

#include <string_view>

namespace serve {

/// The page that is served at /: page/page.html with its style and its script, by the build.
extern std::string_view const page_text;

}  // namespace serve
