#pragma once

#include "images.hpp"
#include "options.hpp"

#include <mae/data/dataset.hpp>

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <memory>

namespace mae {
struct pretrained_model;
class thread_pool;
}  // namespace mae

namespace pretrain {

/// What a saved training says that the command line need not repeat: its length, and what the
/// checkpoint decided that it began with.
struct saved_training {
  std::int64_t total_steps = 0;
  double warmup_epochs = 0;
  double norm_epsilon = 0;
  mae::pixel_statistics statistics = {};  // empty where the file has none
};

/// Reads it, for images of so many channels. Throws what mae::load_training throws.
saved_training read_saved_training(std::filesystem::path const& checkpoint, mae::index_t channels);

/// The checkpoint of --init that a training begins with; nothing without that flag. Where it says
/// nothing of pixel statistics, `notes` are told which are taken. Throws what mae::read_pretrained
/// throws; mae::config_error where --statistics asks for others than the checkpoint's.
std::shared_ptr<mae::pretrained_model const> read_initial_model(options const& settings,
                                                                image_set const& images,
                                                                mae::thread_pool& threads,
                                                                std::ostream& notes);

}  // namespace pretrain
