#pragma once

#include "finetune_flags.hpp"

#include <string>

namespace tools {

/// report.html in --out: a page that shows a fine-tuning from the metrics.jsonl that stands there,
/// a curve for each number of it, the settings, and at its end the pictures (*.png) that it left.
/// `data` names the images. Throws mae::io_error.
void save_report(finetune_options const& o, std::string const& data, bool is_running);

}  // namespace tools
