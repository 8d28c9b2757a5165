#pragma once

#include <mae/core/text.hpp>

#include <ostream>
#include <string_view>

namespace pretrain {

/// Says in a line what was assumed where neither the user nor a file decides it, and what says
/// otherwise: "heads 3, as micro8 has; --heads says otherwise". `notes` is stderr.
inline void say_assumed(std::ostream& notes, std::string_view what) {
  notes << "assumed: " << mae::printable(what) << '\n' << std::flush;
}

}  // namespace pretrain
