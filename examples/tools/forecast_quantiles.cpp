// What trains and opens models that learn quantiles: a network of its own, compiled here alone.

#include "forecast_training.hpp"

#include <mae/interop/open_pretrained.hpp>
#include <mae/series/quantile_model.hpp>
#include <mae/series/window_mask.hpp>

#include <memory>
#include <ostream>
#include <utility>

namespace tools {

forecast_model train_quantile_model(mae::series const& s,
                                    mae::index_t length,
                                    window_training_options const& o,
                                    std::ostream& lines) {
  auto const backend = on_threads(o.threads);
  auto const trained = train_windows(
      s,
      length,
      o,
      lines,
      [&] {
        return mae::quantile_series_model<forecast_backend>(o.windows, o.levels, o.model, backend);
      },
      [](auto const& model) { return mae::describe_quantiles(model); });
  auto const painted = std::make_shared<mae::painted_quantiles<forecast_backend> const>(trained);
  return {painted, mae::painter_of_quantiles(*painted), o.windows};
}

forecast_model open_quantile_model(mae::pretrained_model const& found, int threads) {
  using opened = mae::sized_autoencoder<mae::window_mask, forecast_backend, mae::quantile_pixels>;
  opened::parts parts;
  parts.objective = mae::quantiles_in(found.path, found.description);
  parts.norm_epsilon = found.norm_epsilon();
  parts.backend = on_threads(threads);
  auto const model = std::make_shared<opened const>(mae::open_pretrained(found, std::move(parts)));
  return {model, mae::painter_of_quantiles(*model)};
}

}  // namespace tools
