#pragma once

#include "save_file.hpp"

#include <mae/core/types.hpp>
#include <mae/io/json_writer.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace tools {

/// metrics.jsonl: a line an epoch.
class epoch_log {
 public:
  /// Keeps the lines of the first `epochs` epochs that the file has.
  epoch_log(std::filesystem::path path, mae::index_t epochs) : path_(std::move(path)) {
    std::ifstream file(path_);
    std::string line;
    for (mae::index_t i = 0; i < epochs && std::getline(file, line); ++i) text_ += line + '\n';
  }
  void add(mae::json_object const& record) {
    text_ += record.line() + '\n';
    pretrain::save_text(path_, text_);
  }

 private:
  std::filesystem::path path_;
  std::string text_;
};

}  // namespace tools
