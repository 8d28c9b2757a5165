#pragma once

#include "chosen_objective.hpp"
#include "picture.hpp"
#include "target_sample.hpp"

#include <mae/core/config.hpp>
#include <mae/mask/plan.hpp>

#include <vector>

namespace pretrain {

/// A row for each image of a plan whose targets are no pixels: the image, what the encoder sees,
/// the targets of all patches, and the same with the hidden patches' as predicted. Edges are drawn
/// as strokes, the brighter the more of a cell's gradients lie across them; a spectrum's middle is
/// its lowest frequency, brightness the logarithm of the magnitude. `stored` (images, H, W, C).
std::vector<reconstruction> compose_targets(chosen_objective const& objective,
                                            mae::model_config const& config,
                                            std::vector<float> const& stored,
                                            mae::mask_plan const& plan,
                                            target_sample const& sample);

/// What reconstructions.png shows, in words, from the third picture of a row on; and how.
char const* shown_of(chosen_objective const& objective);

}  // namespace pretrain
