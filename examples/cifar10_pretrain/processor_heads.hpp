#pragma once

#include "backend_task.hpp"
#include "chosen_objective.hpp"
#include "open_perceptual.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/head/perceptual.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/op/paint_patches.hpp>

#include <array>
#include <tuple>
#include <variant>

namespace pretrain {

/// The units of what is painted; of an objective whose targets are pixels.
inline mae::painted_units units_of(chosen_objective const& objective) {
  auto const* const normalised = std::get_if<mae::normalised_pixels>(&objective.which());
  if (normalised == nullptr) return {};
  return {.are_of_patch = true, .epsilon = normalised->epsilon};
}

/// On the processor, also what is painted at a distance, and a denoiser: to be included by every
/// unit that makes tasks of these backends which compare images.
template <class Operand>
struct offered_heads<mae::eigen_backend<Operand>, true> {
  using backend_type = mae::eigen_backend<Operand>;
  using type = std::tuple<mae::contrast,
                          mae::sigreg,
                          mae::uniformity,
                          mae::perceptual<backend_type>,
                          mae::denoiser>;
  using weights = std::array<double, 1 + std::tuple_size_v<type>>;

  static type of(task_parts const& parts, backend_type const& backend) {
    auto const& o = parts.settings;
    mae::perceptual<backend_type> distance{.encoder = {}, .units = units_of(parts.objective)};
    if (o.perceptual > 0) distance.encoder = open_perceptual(parts, backend);
    return {contrast_of(o),
            mae::sigreg{.views = o.views},
            mae::uniformity{},
            distance,
            mae::denoiser{}};
  }
  static weights weights_of(options const& o) {
    return {1, o.contrast, o.sigreg, o.uniformity, o.perceptual, o.denoiser};
  }
};

}  // namespace pretrain
