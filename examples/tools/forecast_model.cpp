#include "forecast_model.hpp"

#include "assumed.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/clock.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/interop.hpp>
#include <mae/io/model_file.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series/window_mask.hpp>
#include <mae/series/windows.hpp>
#include <mae/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>

namespace tools {
namespace {

using mae::index_t;
using backend = mae::eigen_backend<float>;
using own_model = mae::series_model<backend>;

backend on_threads(int threads) {
  return backend(std::make_shared<mae::thread_pool>(threads));
}

/// Throws config_error unless the decoder paints pixels as they are.
void require_pixels(mae::pretrained_model const& found, std::ostream& notes) {
  auto const normalised = found.norm_pix();
  if (!found.other_targets().empty() || normalised.value_or(false))
    throw mae::config_error(
        found.path + ": its decoder predicts " +
        (found.other_targets().empty() ? "patches normalised by their own mean and deviation"
                                       : found.other_targets()) +
        ": a forecast needs one that predicts pixels as they are (norm_pix_loss false, --objective "
        "pixels)");
  if (!normalised && !found.entry("series_period"))
    pretrain::say_assumed(notes,
                          "the decoder paints pixels as they are; one that paints normalised "
                          "patches gives no forecast");
}

mae::training_options training_of(mae::series_windows const& images,
                                  window_training_options const& o,
                                  std::int64_t steps) {
  auto options = mae::window_training(images, steps, o.model.seed, o.batch_size);
  options.lr = o.lr;
  return options;
}

/// How many steps fit into the minutes, by those of a model that is thrown away.
std::int64_t steps_in_time(mae::series_windows const& images, window_training_options const& o) {
  constexpr std::int64_t warm = 3;
  constexpr std::int64_t measured = 10;
  own_model trial(o.windows, o.model, on_threads(o.threads));
  mae::trainer training(trial, images, training_of(images, o, warm + measured));
  for (std::int64_t i = 0; i < warm; ++i) training.step();
  double const begin = mae::monotonic_seconds();
  for (std::int64_t i = 0; i < measured; ++i) training.step();
  double const seconds = (mae::monotonic_seconds() - begin) / static_cast<double>(measured);
  return std::max<std::int64_t>(10, std::llround(o.minutes * 60 / seconds));
}

}  // namespace

forecast_model open_forecast_model(std::string const& path,
                                   known_of_model const& known,
                                   int threads,
                                   std::ostream& notes) {
  auto const found = mae::read_pretrained(path, sizes_of(known));
  for (auto const& note : found.notes) notes << mae::printable(note) << '\n';
  require_pixels(found, notes);
  using parts = mae::autoencoder_parts<mae::window_mask, backend, mae::pixels>;
  parts made_of;
  made_of.norm_epsilon = found.norm_epsilon();
  made_of.backend = on_threads(threads);
  using opened = mae::sized_autoencoder<mae::window_mask, backend, mae::pixels>;
  auto const model =
      std::make_shared<opened const>(mae::open_pretrained(found, std::move(made_of)));
  return {model,
          mae::painter_of(*model),
          mae::windows_in(found.path, found.description, found.sizes.patch)};
}

forecast_model train_forecast_model(mae::series const& s,
                                    index_t length,
                                    window_training_options const& o,
                                    std::ostream& lines) {
  mae::series_windows const images(s, o.windows, length);
  auto const steps = o.steps ? *o.steps : steps_in_time(images, o);
  auto const model = std::make_shared<own_model>(o.windows, o.model, on_threads(o.threads));
  auto const settings = training_of(images, o, steps);
  mae::trainer training(*model, images, settings);
  lines << "training on " << images.size() << " windows of " << o.windows.context << " + "
        << o.windows.horizon << " values, patches of " << o.windows.patch.height << " phases x "
        << o.windows.patch.width << " periods: " << steps << " steps of " << settings.batch_size
        << " (--steps " << steps << " repeats them)\n"
        << std::flush;
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
    mae::save_model(o.save, *model, mae::describe(o.windows));
    lines << "wrote " << o.save << ": the model\n";
  }
  return {model, mae::painter_of(*model), o.windows};
}

}  // namespace tools
