#pragma once

#include "forecast_model.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/clock.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/io/model_file.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/series.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/windows.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <ostream>

// How a model of windows is trained, whatever its loss: each of the two kinds is compiled in a unit
// of its own.

namespace tools {

using forecast_backend = mae::eigen_backend<float>;

inline forecast_backend on_threads(int threads) {
  return forecast_backend(std::make_shared<mae::thread_pool>(threads));
}

inline mae::training_options training_of(mae::series_windows const& images,
                                         window_training_options const& o,
                                         std::int64_t steps) {
  auto options = mae::window_training(images, steps, o.model.seed, o.batch_size);
  options.lr = o.lr;
  return options;
}

/// How many steps fit into the minutes, by those of a model that is thrown away.
template <class Model>
std::int64_t steps_in_time(Model trial,
                           mae::series_windows const& images,
                           window_training_options const& o) {
  constexpr std::int64_t warm = 3;
  constexpr std::int64_t measured = 10;
  mae::trainer training(trial, images, training_of(images, o, warm + measured));
  for (std::int64_t i = 0; i < warm; ++i) training.step();
  double const begin = mae::monotonic_seconds();
  for (std::int64_t i = 0; i < measured; ++i) training.step();
  double const seconds = (mae::monotonic_seconds() - begin) / static_cast<double>(measured);
  return std::max<std::int64_t>(10, std::llround(o.minutes * 60 / seconds));
}

/// Trains what `make` makes, says on `lines` how, and saves it, where it is to be saved, with what
/// it has learnt from and what else `describe` says of it.
template <class Make, class Describe>
auto train_windows(mae::series const& s,
                   mae::index_t length,
                   window_training_options const& o,
                   std::ostream& lines,
                   Make const& make,
                   Describe const& describe) {
  mae::series_windows const images(s, o.windows, length);
  auto const steps = o.steps ? *o.steps : steps_in_time(make(), images, o);
  auto model = make();
  auto const settings = training_of(images, o, steps);
  mae::trainer training(model, images, settings);
  lines << "training on " << images.size() << " windows of " << o.windows.context << " + "
        << o.windows.horizon << " values, patches of " << o.windows.patch.height << " phases x "
        << o.windows.patch.width << " periods: " << steps << " steps of " << settings.batch_size
        << " (--steps " << steps << " repeats them)\n";
  if (images.constant() > 0)
    lines << "left out: " << images.constant() << " windows whose context is constant\n";
  lines << std::flush;
  double loss = 0;
  double zero = 0;
  std::int64_t const told = std::max<std::int64_t>(1, steps / 10);
  training.run({.on_step = [&](mae::step_report const& report) {
    loss += report.loss / static_cast<double>(told);
    zero += report.baseline / static_cast<double>(told);
    if (report.step % told != 0) return;
    lines << "step " << report.step << "  loss " << loss << "  (predicting the mean: " << zero
          << ")\n"
          << std::flush;
    loss = 0;
    zero = 0;
  }});
  if (!o.save.empty()) {
    mae::settings_list said = mae::describe(o.windows);
    for (auto const& list : {mae::describe(mae::learnt_from(s, length)), describe(model)})
      said.insert(said.end(), list.begin(), list.end());
    mae::save_model(o.save, model, said);
    lines << "wrote " << o.save << ": the model\n";
  }
  return model;
}

/// Of models that learn quantiles.
forecast_model train_quantile_model(mae::series const& s,
                                    mae::index_t length,
                                    window_training_options const& options,
                                    std::ostream& lines);
forecast_model open_quantile_model(mae::pretrained_model const& found, int threads);

}  // namespace tools
