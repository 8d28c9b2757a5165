#pragma once

#include <mae/core/settings.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>

namespace mae::detail {

/// Those entries of a file of ours that are about the model, not about a training.
inline settings_list model_entries(safetensors_metadata const& all) {
  constexpr std::array about{"image_",
                             "patch_",
                             "encoder_",
                             "decoder_",
                             "density_token",
                             "norm_",
                             "mask",
                             "saliency_",
                             "objective",
                             "target_",
                             "hog_",
                             "principal_",
                             "pixel_",
                             "picture_",
                             "position_",
                             "series_",
                             kept_preprocessor};
  settings_list kept;
  for (auto const& [name, value] : all)
    if (std::ranges::any_of(about,
                            [&name = name](char const* start) { return name.starts_with(start); }))
      kept.push_back({name, value});
  return kept;
}

}  // namespace mae::detail
