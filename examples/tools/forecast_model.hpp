#pragma once

#include "model_flags.hpp"

#include <mae/core/types.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/pixel_painter.hpp>
#include <mae/series/series.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/windows.hpp>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tools {

/// A model that is opened or trained, as the series' functions take it, and how it is to be used.
struct forecast_model {
  std::shared_ptr<void const> owner;
  mae::pixel_painter painter;
  /// Of the windows that it was trained on; nothing for a model of pictures.
  std::optional<mae::window_options> windows = {};
  /// What it has learnt from, where a file says.
  std::optional<mae::learnt_series> learnt = {};
};

/// Opens a checkpoint; what it assumes is said on `notes`. Throws as read_pretrained, and
/// config_error for a decoder that does not paint pixels as they are.
forecast_model open_forecast_model(std::string const& path,
                                   known_of_model const& known,
                                   int threads,
                                   std::ostream& notes);

/// How a model is trained.
struct window_training_options {
  mae::window_options windows;
  mae::series_model_options model;
  std::vector<double> levels = {};         // of quantiles, the median among them; none: means
  std::optional<std::int64_t> steps = {};  // else what fits into the minutes
  double minutes = 1;
  mae::index_t batch_size = 32;
  double lr = 5e-3;
  int threads = 0;
  std::string save = {};  // a file, or empty
};

/// Trains a model on the first `length` values of a series, and says on `lines` how. Throws
/// config_error for windows that the series does not have.
forecast_model train_forecast_model(mae::series const& s,
                                    mae::index_t length,
                                    window_training_options const& options,
                                    std::ostream& lines);

}  // namespace tools
