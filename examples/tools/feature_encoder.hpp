#pragma once

#include "images.hpp"
#include "terminal.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/model/encode_images.hpp>

#include <memory>
#include <vector>

namespace tools {

/// The encoder of a checkpoint on the processor: frozen features of unmasked images.
class feature_encoder {
 public:
  /// Throws mae::config_error for a checkpoint whose heads are not known.
  feature_encoder(mae::pretrained_model const& model, std::shared_ptr<mae::thread_pool> threads);
  ~feature_encoder();
  feature_encoder(feature_encoder const&) = delete;
  feature_encoder& operator=(feature_encoder const&) = delete;

  mae::index_t width(mae::pooling pool) const;
  /// Features (count, width) of the first `count` images; shows progress.
  std::vector<float> encode(pretrain::image_set const& images,
                            mae::index_t count,
                            mae::pooling pool,
                            pretrain::progress_line& progress) const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace tools
