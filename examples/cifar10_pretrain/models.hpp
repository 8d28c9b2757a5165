#pragma once

#include "images.hpp"
#include "options.hpp"

namespace pretrain {

/// Runs a session of the configuration that the command line chose.
void run_session(options const& settings, image_sets const& images);

}  // namespace pretrain
