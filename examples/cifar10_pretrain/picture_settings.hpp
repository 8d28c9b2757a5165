#pragma once

#include "command_line.hpp"

#include <mae/core/config.hpp>
#include <mae/data/resize.hpp>
#include <mae/images/picture_fit.hpp>

#include <iosfwd>
#include <string>

namespace mae {
struct preprocessing;
}  // namespace mae

namespace pretrain {

/// The flags --fit and --resample; `otherwise` is what holds without them.
flag fit_flag(std::string& fit, std::string const& otherwise);
flag resample_flag(std::string& resample, std::string const& otherwise);

/// How pictures are resized and resampled for a model.
struct picture_settings {
  mae::picture_fit fit;
  mae::interpolation kind = mae::interpolation::bicubic;
};

/// Whose files say how pictures become its images, and what --fit can do about it.
struct picture_owner {
  std::string path;
  mae::image_extent image;
  bool is_fit_given = false;
  bool flags_decide = false;  // a flag that says otherwise than the files is no contradiction
};

/// Throws config_error for ways that are not among those here. A line on `notes` for what neither
/// files nor flags say.
picture_settings settings_for_pictures(picture_owner const& owner,
                                       mae::preprocessing const& how,
                                       std::ostream& notes);

}  // namespace pretrain
