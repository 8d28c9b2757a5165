#pragma once

#include "command_line.hpp"
#include "options.hpp"

#include <vector>

namespace pretrain {

/// The flags of several views of an image, what must hold between them (throws usage_error), and
/// what they are where nothing is said.
std::vector<flag> contrast_flags(options& o);
void check_contrast(given_flags const& given, options const& o);
void fill_contrast(given_flags const& given, options& o);

}  // namespace pretrain
