#pragma once

#include <mae/core/types.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/model/encode_images.hpp>

#include <span>
#include <string>
#include <vector>

namespace serve {

/// The linear classifier that mae_finetune trained on top of an encoder: K classes.
struct class_head {
  mae::pooling pool = mae::pooling::mean;
  std::vector<float> weight = {};       // (K, width of a feature)
  std::vector<float> bias = {};         // (K)
  std::vector<std::string> names = {};  // (K)

  mae::index_t classes() const { return std::ssize(bias); }
  /// Each class's probability (K), of an image's class token and mean (2 D).
  std::vector<double> probabilities(std::span<float const> feature) const;
};

/// Reads it from the file that `model` was read from. Throws io_error, format_error, and
/// config_error, with what to do, for a file without such a classifier.
class_head read_class_head(mae::pretrained_model const& model);

}  // namespace serve
