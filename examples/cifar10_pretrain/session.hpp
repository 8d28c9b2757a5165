#pragma once

#include "beginning.hpp"
#include "images.hpp"
#include "options.hpp"

namespace pretrain {

/// One run of the program: begins or resumes a training, watches it, and leaves its files in the
/// output folder. Throws what the library throws.
void run_session(options const& settings, image_sets const& images, beginning start);

}  // namespace pretrain
