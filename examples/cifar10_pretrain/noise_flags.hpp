#pragma once

#include "command_line.hpp"
#include "options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/pixel_noise.hpp>

#include <span>
#include <vector>

namespace pretrain {

/// --noise and --denoiser, and what must hold with them (throws usage_error).
std::vector<flag> noise_flags(options& o);
void check_noise(given_flags const& given, options const& o);

/// What held-out images are spoilt by: they are seen as they are, and masked, so that trainings can
/// be compared, but where noise is to be taken away.
mae::pixel_noise heldout_noise(options const& o);
/// What spoils them in pictures: noise where it is all there is.
mae::pixel_noise pictured_noise(options const& o);

/// What a report says of it; nothing where there is none.
mae::settings_list noise_entries(options const& o);

/// Held-out images (count, H, W, C), the first of their set, as an encoder sees them where nothing
/// is hidden: with the noise that mae::evaluate_heldout adds to them.
std::vector<float> spoil_images(std::span<float const> images,
                                mae::pixel_noise const& noise,
                                mae::pixel_statistics const& statistics,
                                mae::model_config const& config);

}  // namespace pretrain
