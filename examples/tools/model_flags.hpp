#pragma once

#include "command_line.hpp"

#include <mae/core/types.hpp>
#include <mae/interop/pretrained.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

// What a checkpoint's files may leave open, and the flags that say it.

namespace tools {

/// Height and width; 0 where nothing is said.
struct image_sides {
  mae::index_t height = 0;
  mae::index_t width = 0;
};

/// Each is empty, or 0, where its flag is not given.
struct known_of_model {
  mae::index_t heads = 0;
  mae::index_t decoder_heads = 0;
  image_sides image;
  image_sides patch;
  double norm_epsilon = 0;
  std::string statistics;
  std::optional<double> rescale;
  std::string resample;
  std::string fit;
};

/// --heads, --decoder-heads, --image-size, --patch-size, --norm-epsilon, --statistics, --rescale,
/// --resample, --fit.
std::vector<pretrain::flag> known_flags(known_of_model& known);
/// A flag for sides, "HxW" or one number for both.
pretrain::flag sides_flag(char const* name, char const* description, image_sides& sides);

/// The sizes among them.
mae::read_options sizes_of(known_of_model const& known);

/// Puts what is known of pictures into a checkpoint's description. Throws config_error for what its
/// files contradict, and what it throws reading a file of statistics.
void say_pictures(known_of_model const& known, mae::pretrained_model& model);

/// Puts the statistics that most models have where neither files nor flags say any, and a line on
/// `notes`.
void assume_statistics(mae::pretrained_model& model, std::ostream& notes);

}  // namespace tools
