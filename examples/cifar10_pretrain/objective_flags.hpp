#pragma once

#include "command_line.hpp"
#include "options.hpp"

#include <vector>

namespace pretrain {

/// The flags that choose what is predicted, and what must hold between them. Throws usage_error.
std::vector<flag> objective_flags(options& o);
void check_objective(given_flags const& given, options const& o);

}  // namespace pretrain
