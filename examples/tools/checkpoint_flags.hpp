#pragma once

#include "data_source.hpp"
#include "flag_values.hpp"
#include "images.hpp"
#include "model_flags.hpp"
#include "options.hpp"

#include <mae/data/dataset.hpp>
#include <mae/interop/pretrained.hpp>

#include <iosfwd>
#include <string>

// What the tools have in common: flags of the same name mean the same everywhere.

namespace tools {

/// The flags --model, --data, --unreadable, --seed and --threads, and those of what is known of the
/// model; the rest of `settings` is the
/// driver's.
struct common_options {
  std::string model;
  known_of_model known;
  pretrain::options settings;
};

pretrain::flag model_flag(common_options& o);
pretrain::flag data_flag(common_options& o);
pretrain::flag unreadable_flag(common_options& o);
pretrain::flag seed_flag(common_options& o);
pretrain::flag threads_flag(common_options& o);

/// Those of what is known of the model.
inline constexpr char const* known_title =
    "What is known of the model where its files do not say it";
pretrain::flag_group known_group(common_options& o);

/// Says what was left out of a checkpoint, stripped from its names, and assumed.
void say_notes(mae::pretrained_model const& model, std::ostream& notes);

/// Reads the checkpoint of --model, with what the flags say of it. What nothing says is assumed,
/// and `notes` told so. Throws usage_error without a --model, or as read_pretrained and
/// say_pictures.
mae::pretrained_model read_model(common_options const& o, std::ostream& notes);

/// Asks for images as a model takes them; what of it is assumed is said on `notes` where they are
/// pictures.
void request_pictures(common_options const& o,
                      mae::pretrained_model const& model,
                      pretrain::data_source const& source,
                      pretrain::image_request& request,
                      std::ostream& notes);

}  // namespace tools
