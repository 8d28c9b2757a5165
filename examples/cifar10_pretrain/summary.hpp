#pragma once

#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace pretrain {

/// How well labels can be read from features, top-1 in percent; absent where not measured.
struct probe_scores {
  std::optional<double> linear;
  std::optional<double> knn;
};

/// Everything that summary.json tells of a training.
struct run_summary {
  std::string status;  // "done" or "interrupted"
  std::string data;    // "cifar10" or "synthetic"
  std::string config;
  std::string mask;
  std::string objective;
  mae::settings_list targets = {};  // what the objective was made with, in the words of files
  std::string precision;
  std::string backend;
  std::string device;  // the instruction set, or the GPU
  std::string build;   // compiler, instruction set, version of the library
  int threads = 0;
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  double epochs = 0;
  mae::index_t batch_size = 0;  // images of an optimizer step
  mae::index_t parameters = 0;
  std::optional<double> images_per_second;  // training steps alone, after warm-up
  std::optional<double> final_loss;         // of the last epoch's training
  std::optional<double> heldout_loss;
  std::optional<double> baseline_loss;  // held-out, predicting zero
  probe_scores trained = {};            // the encoder after the training
  probe_scores untrained = {};          // the same encoder before it
  probe_scores pixels = {};             // no encoder: the pixels themselves
  double wall_seconds = 0;              // of this run
  mae::settings_list flags = {};        // that --settings repeats
};

/// The summary for people: a few lines, with each figure beside what it must be compared with.
std::string to_text(run_summary const& summary, std::filesystem::path const& folder);

}  // namespace pretrain
