#include "forecast_model.hpp"

#include "assumed.hpp"
#include "forecast_training.hpp"

#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/interop.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/series/window_mask.hpp>

#include <memory>
#include <ostream>
#include <string>
#include <utility>

namespace tools {
namespace {

using mae::index_t;

/// Throws config_error unless the decoder paints pixels as they are, of all tokens.
void require_pixels(mae::pretrained_model const& found, std::ostream& notes) {
  if (found.crosses)
    throw mae::config_error(
        found.path +
        ": its decoder is one by cross-attention, by which nothing is forecast here: give a model "
        "whose decoder attends to all patches (that of cifar10_pretrain without --decoder cross), "
        "or train one of windows (--train)");
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

forecast_model open_pixel_model(mae::pretrained_model const& found, int threads) {
  using opened = mae::sized_autoencoder<mae::window_mask, forecast_backend, mae::pixels>;
  opened::parts parts;
  parts.norm_epsilon = found.norm_epsilon();
  parts.backend = on_threads(threads);
  auto const model = std::make_shared<opened const>(mae::open_pretrained(found, std::move(parts)));
  return {model, mae::painter_of(*model)};
}

}  // namespace

forecast_model open_forecast_model(std::string const& path,
                                   known_of_model const& known,
                                   int threads,
                                   std::ostream& notes) {
  auto const found = mae::read_pretrained(path, sizes_of(known));
  for (auto const& note : found.notes) notes << mae::printable(note) << '\n';
  bool const has_quantiles = found.other_targets() == "quantiles";
  if (!has_quantiles) require_pixels(found, notes);
  auto model =
      has_quantiles ? open_quantile_model(found, threads) : open_pixel_model(found, threads);
  model.windows = mae::windows_in(found.path, found.description, found.sizes);
  model.learnt = mae::learnt_in(found.path, found.description);
  return model;
}

forecast_model train_forecast_model(mae::series const& s,
                                    index_t length,
                                    window_training_options const& o,
                                    std::ostream& lines) {
  if (!o.levels.empty()) return train_quantile_model(s, length, o, lines);
  auto const backend = on_threads(o.threads);
  using own = mae::series_model<forecast_backend>;
  auto const model = std::make_shared<own const>(train_windows(
      s,
      length,
      o,
      lines,
      [&] { return own(o.windows, o.model, backend); },
      [](auto const& /*nothing more*/) { return mae::settings_list(); }));
  return {model, mae::painter_of(*model), o.windows};
}

}  // namespace tools
