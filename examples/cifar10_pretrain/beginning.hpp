#pragma once

#include "images.hpp"
#include "options.hpp"
#include "picture_settings.hpp"

#include <mae/core/settings.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/patch_levels.hpp>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>

namespace mae {
struct pretrained_model;
class thread_pool;
}  // namespace mae

namespace pretrain {

struct data_source;

/// What a saved training says that the command line need not repeat: its length, and what the
/// checkpoint decided that it began with.
struct saved_training {
  std::int64_t total_steps = 0;
  double warmup_epochs = 0;
  double norm_epsilon = 0;
  mae::pixel_statistics statistics = {};  // empty where the file has none
  mae::patch_levels levels = {};          // likewise
};

/// What a training begins or goes on with, and how pictures become its images.
struct beginning {
  static constexpr char const* init_entry = "mae.init";  // of a training's file

  std::optional<saved_training> saved = {};                   // of --resume
  std::shared_ptr<mae::pretrained_model const> initial = {};  // of --init
  picture_settings pictures = {};
  mae::settings_list picture_entries = {};  // the same, in the words of the files that it leaves
  std::string begun_with = {};              // what --init named; of a resumed training, then

  /// Of density, that the tokens of what it begins or goes on with are told.
  mae::patch_levels levels() const;
};

/// Reads what --resume or --init names. Pictures are fitted as it says, unless flags say otherwise;
/// `notes` are told where that is not the usual way. Throws what mae::load_training and
/// mae::read_pretrained throw; mae::config_error for ways to fit pictures that are not among those
/// here, for flags that contradict a saved training, and for --fit without pictures.
beginning read_beginning(options const& settings, data_source const& source, std::ostream& notes);

/// Where the checkpoint of --init says nothing of pixel statistics, `notes` are told which are
/// taken. Throws mae::config_error where --statistics asks for others than the checkpoint's.
void check_statistics(options const& settings,
                      mae::pretrained_model const& initial,
                      image_set const& images,
                      mae::thread_pool& threads,
                      std::ostream& notes);

}  // namespace pretrain
