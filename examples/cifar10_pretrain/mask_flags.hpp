#pragma once

#include "command_line.hpp"
#include "options.hpp"

#include <vector>

namespace pretrain {

/// What masks are for: to train, or to show what a decoder paints.
enum class mask_use { training, showing };

/// The flags that choose a mask, and what must hold between them. Throws usage_error.
std::vector<flag> mask_flags(options& o, mask_use use);
void check_mask(given_flags const& given, options const& o);

}  // namespace pretrain
