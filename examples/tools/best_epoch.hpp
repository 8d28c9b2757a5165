#pragma once

#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>

#include <string>

namespace tools {

/// The graded epoch that was best so far, counted from 1.
struct best_epoch {
  static constexpr char const* epoch_entry = "mae.best_epoch";
  static constexpr char const* score_entry = "mae.best_score";

  mae::index_t epoch = 0;  // none
  double score = 0;

  mae::settings_list entries() const {
    return {{epoch_entry, std::to_string(epoch)}, {score_entry, mae::decimal_text(score)}};
  }
  /// What a training's file says.
  static best_epoch of(std::string const& path) {
    auto const file = mae::safetensors_file::load(path);
    mae::progress_reader const read(path, file.metadata());
    if (!file.metadata().contains(epoch_entry)) return {};
    return {read.count(epoch_entry), read.number(score_entry)};
  }
};

}  // namespace tools
