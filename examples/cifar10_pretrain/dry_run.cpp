#include "dry_run.hpp"

#include "chosen_mask.hpp"
#include "chosen_objective.hpp"
#include "configs.hpp"
#include "contrast_head.hpp"
#include "length.hpp"
#include "output_folder.hpp"
#include "training_plan.hpp"
#include "training_task.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/head/contrast.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/head/projection_layers.hpp>
#include <mae/head/sigreg.hpp>

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace pretrain {
namespace {

using mae::index_t;

/// The share of patches that an average image hides, of the whole training; of masks from a file
/// the least.
double hidden_share(options const& settings, chosen_mask const& mask, index_t patches) {
  double const middle = (settings.mask_from + settings.mask_to) / 2;
  if (settings.mask == mask_choice::file)
    return 1 - static_cast<double>(mask.max_visible(patches)) / static_cast<double>(patches);
  if (settings.mask == mask_choice::levels) {
    double sum = 0;
    for (auto const* shares : {&settings.levels_from, &settings.levels_to})
      for (double const share : *shares) sum += share;
    return sum / static_cast<double>(2 * settings.levels_from.size());
  }
  if (settings.mask == mask_choice::none) return 0;
  if (settings.mask == mask_choice::random) return middle;
  if (settings.mask != mask_choice::ramped) return settings.mask_ratio;
  return settings.ramp_begins * settings.mask_from +
         (settings.ramp_ends - settings.ramp_begins) * middle +
         (1 - settings.ramp_ends) * settings.mask_to;
}

/// The projectors and predictors that heads add to a model.
std::vector<mae::projection_layers> layers_of(options const& settings,
                                              mae::model_config const& config) {
  std::vector<mae::projection_layers> all;
  auto const contrast = contrast_of(settings).fitted(config);
  if (settings.contrast > 0) all.push_back(contrast.projection.layers());
  if (settings.contrast > 0 && contrast.predictor > 0) all.push_back(contrast.prediction());
  if (settings.sigreg > 0) all.push_back(mae::sigreg{}.fitted(config).projection.layers());
  return all;
}

/// Of a view: the projectors, and of accumulated batches, of which nothing is kept, their and the
/// encoder's forward pass once more, before all views meet; and moving keys.
double comparing_flops(options const& settings, mae::model_config const& config, double visible) {
  if (!settings.compares_images()) return 0;
  bool const runs_twice = settings.accumulate > 1;
  double const passes = runs_twice ? 4 : 3;  // backward as twice forward
  double flops = runs_twice ? encoder_flops(config, visible) : 0;
  bool const moves = settings.contrast > 0 && settings.keys == key_choice::moving;
  if (moves) flops += encoder_flops(config, visible);
  for (auto const& part : layers_of(settings, config))
    flops += passes * 2 * static_cast<double>(part.hidden * (part.inputs + part.outputs));
  if (moves) {
    auto const projection = contrast_of(settings).fitted(config).projection.layers();
    flops += 2 * static_cast<double>(projection.hidden * (projection.inputs + projection.outputs));
  }
  return flops;
}

/// Of the visible patches of a view: what levels say, and the layers.
double denoising_flops(options const& settings, mae::model_config const& config, double visible) {
  if (settings.denoiser == 0) return 0;
  auto const layers = mae::denoiser{}.fitted(config).layers();
  index_t const weights = config.encoder.width * mae::denoiser::level_values +
                          layers.hidden * (layers.inputs + layers.outputs);
  return 3 * 2 * visible * static_cast<double>(weights);  // backward as twice forward
}

/// Of an image, all its views.
double image_flops(options const& settings,
                   chosen_mask const& mask,
                   mae::model_config const& config) {
  auto const patches = static_cast<double>(config.num_patches());
  double const hidden = patches * hidden_share(settings, mask, config.num_patches());
  double const visible = patches - hidden;
  index_t const painted = settings.painted_views > 0 ? settings.painted_views : settings.views;
  bool const crosses = settings.decoder == decoder_choice::cross;
  double const predicted = settings.predicted_share * hidden;
  double const seen = settings.visible_loss > 0 ? visible : 0;
  double const painting = crosses ? cross_training_flops(config, visible, predicted)
                                  : training_flops(config, visible, predicted, seen);
  double const encoding = training_flops(config, visible, 0);
  double const beside =
      comparing_flops(settings, config, visible) + denoising_flops(settings, config, visible);
  return static_cast<double>(painted) * painting +
         static_cast<double>(settings.views - painted) * encoding +
         static_cast<double>(settings.views) * beside;
}

}  // namespace

void say_plan(options const& settings,
              image_sets const& images,
              beginning const& start,
              std::ostream& out) {
  auto const threads = std::make_shared<mae::thread_pool>(settings.threads);
  auto const mask = make_mask(settings, images.train, config_of(settings), *threads);
  auto const objective = make_objective(settings, images.train, start, *threads);
  auto const levels =
      make_levels(settings, images.train, config_of(settings), start.levels(), *threads);
  auto const make = [&](training_length const& length) {
    return make_task({settings, images.train, mask, objective, length, start, levels, threads});
  };
  double const seconds = [&] {
    auto const trial = make({.total_steps = 1'000'000});
    return time_of_step([&] { return trial->train_step().seconds; });
  }();
  index_t const of_step = settings.batch_size * settings.accumulate;
  index_t const per_epoch = std::max<index_t>(1, images.train.size() / of_step);
  auto const length = resolve_length(settings, per_epoch, start.saved, seconds);
  auto const task = make(length);
  std::int64_t done = 0;
  if (start.saved) {
    task->resume(settings.out / output::training);
    done = task->step();
  }
  auto const& config = task->config();
  auto const compute = task->compute();
  auto const steps = task->total_steps();
  double left = seconds * static_cast<double>(steps - done);
  if (length.seconds) left = std::min(left, *length.seconds);
  index_t projected = 0;
  for (auto const& part : layers_of(settings, config)) projected += part.num_parameters();
  out << to_text(
      {.title = model_name(settings) + " on " + images.name + ", " + compute.backend + ", " +
                compute.precision + ", " + compute.device + ", " + std::to_string(threads->size()) +
                " threads",
       .parameters = parameters_of(settings, config, objective.target_width(config)) + projected,
       .step_images = of_step,
       .step_flops = static_cast<double>(of_step) * image_flops(settings, mask, config),
       .counted = std::string("products alone, backward as twice forward") +
                  (settings.objective == objective_choice::teacher || settings.perceptual > 0
                       ? ", the teacher's not"
                       : ""),
       .step_seconds = seconds,
       .steps = steps,
       .steps_done = done,
       .epochs = static_cast<double>(steps) / static_cast<double>(task->steps_per_epoch()),
       .images = images.train.size(),
       .seconds_left = left,
       .memory_note = compute.uses_processor ? "" : "; the device's own not"});
}

}  // namespace pretrain
