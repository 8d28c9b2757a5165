#pragma once

#include "beginning.hpp"
#include "images.hpp"
#include "options.hpp"

#include <mae/core/config.hpp>

#include <iosfwd>

namespace pretrain {

/// The operations of a training step for one image of which `visible` patches are seen: products
/// alone, a multiply-add as two, backward as twice forward.
double training_flops(mae::model_config const& config, double visible);

/// Says on `out` what a training would be: parameters, operations and time of a step, steps,
/// memory. Trains four steps of a model that is then forgotten, and writes nothing. Throws what the
/// library throws.
void say_plan(options const& settings,
              image_sets const& images,
              beginning const& start,
              std::ostream& out);

}  // namespace pretrain
