#pragma once

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/c_api.h>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace c_api {

/// A call that cannot be: MAE_ERROR_ARGUMENT.
class argument_error : public mae::error {
 public:
  using error::error;
};

/// A result that is not finite: MAE_ERROR_NUMERIC.
class not_finite_error : public mae::error {
 public:
  using error::error;
};

/// What a decoder of pixels was trained to predict: them, or them normalised by patch.
struct painted_pixels {
  bool are_normalised = true;
  double epsilon = 1e-6;

  mae::index_t target_width(mae::model_config const& config) const { return config.patch_values(); }
  template <class T>
  void target(mae::model_config const& config,
              mae::matrix_view<T const> patches,
              std::span<mae::patch_index const> rows,
              mae::matrix_view<T> targets) const {
    if (are_normalised)
      mae::normalised_pixels{epsilon}.target(config, patches, rows, targets);
    else
      mae::pixels{}.target(config, patches, rows, targets);
  }
  template <class T>
  void to_pixels(mae::matrix_view<T const> patches,
                 std::span<mae::patch_index const> rows,
                 mae::matrix_view<T const> predictions,
                 mae::matrix_view<T> painted) const {
    if (are_normalised)
      mae::normalised_pixels{epsilon}.to_pixels(patches, rows, predictions, painted);
    else
      mae::pixels{}.to_pixels(patches, rows, predictions, painted);
  }
};
static_assert(mae::Objective<painted_pixels>);

}  // namespace c_api

/// What a checkpoint says, and its encoder, and where it was asked for all of it.
struct mae_model {
  using backend = mae::eigen_backend<float>;
  using painter = mae::sized_autoencoder<mae::uniform_mask<>, backend, c_api::painted_pixels>;

  std::string notes;
  mae::safetensors_metadata entries;
  mae::sized_encoder<backend> encoder;
  std::optional<painter> painting;

  mae::model_config const& sizes() const { return encoder.sizes(); }

  /// Throws what reading a checkpoint throws, and config_error for options that cannot be.
  static std::unique_ptr<mae_model> load(std::string const& path, mae_options const& options);

  /// Images (n, H, W, C) in scaled units as the decoder paints them, likewise.
  std::vector<float> reconstruct(std::span<float const> images,
                                 std::span<unsigned char const> hidden) const;
};
