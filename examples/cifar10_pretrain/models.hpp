#pragma once

#include "images.hpp"
#include "options.hpp"

namespace pretrain {

/// Runs a session of the configuration that the command line chose. Each configuration is compiled
/// in a file of its own.
void run_session(options const& settings, image_sets const& images);

void run_tiny4(options const& settings, image_sets const& images);
void run_tiny4_decoder6(options const& settings, image_sets const& images);
void run_tiny2(options const& settings, image_sets const& images);
void run_quick4(options const& settings, image_sets const& images);

}  // namespace pretrain
