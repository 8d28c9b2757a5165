#pragma once

#include "chosen_mask.hpp"
#include "chosen_objective.hpp"
#include "images.hpp"
#include "noise_flags.hpp"
#include "picture.hpp"
#include "target_pictures.hpp"
#include "target_sample.hpp"
#include "training_task.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pretrain {

/// A uniform 75% mask for each of the first `count` images, the same in every run: the pictures of
/// different trainings can be compared.
inline mae::mask_plan plan_of_pictures(mae::index_t count, mae::index_t patches) {
  mae::mask_plan plan(count, patches);
  std::vector<float> scores(static_cast<std::size_t>(patches));
  mae::index_t const visible = std::max<mae::index_t>(1, patches / 4);
  for (mae::index_t i = 0; i < count; ++i) {
    mae::random_stream random(
        {.use = mae::purpose::heldout_mask, .index = static_cast<std::uint64_t>(i)});
    mae::score_noise(random, scores);
    plan.assign(i, {visible, patches - visible}, scores);
  }
  return plan;
}

/// The first `count` images of a set, one after the other: (count, H, W, C).
inline std::vector<float> read_images(image_set const& images, mae::index_t count) {
  auto const values = static_cast<std::size_t>(images.extent().values());
  std::vector<float> all(values * static_cast<std::size_t>(count));
  for (mae::index_t i = 0; i < count; ++i)
    images.read(i, std::span(all).subspan(static_cast<std::size_t>(i) * values, values));
  return all;
}

/// A row of pictures for each image, from the images as they are and as they were painted. Throws
/// mae::config_error where that is not finite: no colour is.
inline std::vector<reconstruction> compose_rows(mae::model_config const& config,
                                                std::vector<float> const& stored,
                                                std::vector<float> const& painted,
                                                mae::mask_plan const& plan) {
  auto const image_at = [&](std::vector<float> const& all, mae::index_t i) {
    auto const first = all.begin() + i * config.image.values();
    return float_image{config.image, std::vector<float>(first, first + config.image.values())};
  };
  std::vector<reconstruction> rows;
  auto const bad = std::ranges::find_if(painted, [](float value) { return !std::isfinite(value); });
  if (bad != painted.end())
    throw mae::config_error("image " +
                            std::to_string((bad - painted.begin()) / config.image.values()) +
                            " (from 0): what the decoder paints is not finite: the model's "
                            "weights or its pixels' statistics are beyond what float can "
                            "compute with");
  for (mae::index_t i = 0; i < plan.images(); ++i) {
    std::vector<std::uint8_t> hidden(static_cast<std::size_t>(plan.patches()), 0);
    for (auto const patch : plan.target(i)) hidden[static_cast<std::size_t>(patch)] = 1;
    rows.push_back(compose(image_at(stored, i), image_at(painted, i), config.patch, hidden));
  }
  return rows;
}

/// The first images of a set, of which nothing is hidden, as noise spoils them and as they are
/// painted; targets that are no pixels are drawn as they should be.
inline std::vector<reconstruction> spoilt_rows(training_task const& task,
                                               chosen_objective const& objective,
                                               std::vector<float> const& stored) {
  auto const& config = task.config();
  mae::index_t const count = std::ssize(stored) / config.image.values();
  auto const plan = mae::mask_plan::all_visible(count, config.num_patches());
  auto const seen = spoil_images(stored, task.noise(), task.statistics(), config);
  std::vector<reconstruction> rows;
  if (objective.is_picture()) {
    rows = compose_rows(config, stored, task.paint(seen, plan), plan);
  } else {
    auto input = stored;
    mae::normalise_pixels(input, task.statistics());
    rows = compose_targets(
        objective, config, stored, plan, all_targets(objective, config, input, count));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto const first = seen.begin() + static_cast<std::ptrdiff_t>(i) * config.image.values();
    rows[i].masked.values.assign(first, first + config.image.values());
    if (objective.is_picture()) rows[i].pasted = rows[i].reconstructed;
  }
  return rows;
}

/// Paints the first `count` images of a set, for a picture; targets that are no pixels are drawn.
inline std::vector<reconstruction> reconstruct_rows(training_task const& task,
                                                    chosen_objective const& objective,
                                                    image_set const& images,
                                                    mae::index_t count) {
  count = std::min(count, images.size());
  auto const stored = read_images(images, count);
  if (task.mask().hides_nothing()) return spoilt_rows(task, objective, stored);
  auto const plan = plan_of_pictures(count, task.config().num_patches());
  if (!objective.is_picture())
    return compose_targets(objective, task.config(), stored, plan, task.predict(stored, plan));
  return compose_rows(task.config(), stored, task.paint(stored, plan), plan);
}

}  // namespace pretrain
