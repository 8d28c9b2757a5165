#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

/// The driver's command line for a training that is not graded, with more flags.
inline std::vector<std::string> training_words(std::string const& data,
                                               std::string const& config,
                                               std::int64_t steps,
                                               std::filesystem::path const& out,
                                               std::vector<std::string> const& more = {}) {
  std::vector<std::string> words{DRIVER, "--data", data, "--config", config, "--probe", "none"};
  words.insert(words.end(), {"--steps", std::to_string(steps), "--out", out.string()});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}
