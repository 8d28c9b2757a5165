#pragma once

#include "finetune_flags.hpp"
#include "page.hpp"

#include <string>
#include <vector>

namespace tools {

/// report.html in --out: a page that shows a fine-tuning from the metrics.jsonl that stands there,
/// a curve for each number of it, `predictions`, and the settings. `data` names the images. Throws
/// mae::io_error.
void save_report(finetune_options const& o,
                 std::string const& data,
                 std::vector<pretrain::page_section> predictions,
                 bool is_running);

}  // namespace tools
