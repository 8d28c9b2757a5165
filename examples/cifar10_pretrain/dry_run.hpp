#pragma once

#include "beginning.hpp"
#include "images.hpp"
#include "options.hpp"

#include <iosfwd>

namespace pretrain {

/// Says on `out` what a training would be: parameters, operations and time of a step, steps,
/// memory. Trains four steps of a model that is then forgotten, and writes nothing. Throws what the
/// library throws.
void say_plan(options const& settings,
              image_sets const& images,
              beginning const& start,
              std::ostream& out);

}  // namespace pretrain
