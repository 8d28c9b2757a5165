#pragma once

#include "feature_precision.hpp"
#include "images.hpp"
#include "terminal.hpp"

#include <mae/core/bfloat16.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/model/encode_images.hpp>
#include <mae/network/encoder_pass.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tools {

/// What an image is called, by its number.
using image_name = std::function<std::string(mae::index_t)>;

/// The encoder of a checkpoint on the processor: frozen features of unmasked images.
class feature_encoder {
 public:
  /// Throws mae::config_error for a checkpoint whose heads are not known.
  feature_encoder(mae::pretrained_model const& model,
                  std::shared_ptr<mae::thread_pool> threads,
                  feature_precision precision = feature_precision::fp32);
  ~feature_encoder();
  feature_encoder(feature_encoder const&) = delete;
  feature_encoder& operator=(feature_encoder const&) = delete;

  /// "fp32" or "bf16": what stands between products, and what attention multiplies.
  std::string activations() const;
  mae::index_t width(mae::pooling pool) const;
  mae::index_t depth() const;
  /// N, and the values D of each one's token.
  mae::index_t patches() const;
  mae::index_t token_width() const;
  /// The images that are best encoded at once: enough for all threads.
  mae::index_t images_of_part() const;

  /// Features (n, width) of all images. Throws mae::config_error, with what name_of(number) says,
  /// for the first whose features are not finite.
  std::vector<float> features(pretrain::image_set const& images,
                              mae::pooling pool,
                              image_name const& name_of) const;
  /// All tokens after the last block, through the final norm where that is of every token: (n, N +
  /// 1, D), the class token first. Throws likewise.
  std::vector<float> tokens(pretrain::image_set const& images, image_name const& name_of) const;
  /// Features of the first `count` images, part after part; shows progress.
  std::vector<float> encode(pretrain::image_set const& images,
                            mae::index_t count,
                            mae::pooling pool,
                            image_name const& name_of,
                            pretrain::progress_line& progress) const;
  /// The same after each of several blocks, in one pass: (count, blocks, width). With `seen`, of
  /// the patches that it chooses.
  std::vector<float> encode(pretrain::image_set const& images,
                            mae::index_t count,
                            mae::pooling pool,
                            mae::block_range blocks,
                            image_name const& name_of,
                            pretrain::progress_line& progress,
                            mae::see_patches const* seen = nullptr) const;
  /// The patch tokens of the first `count` images after one block, likewise: (count, N, D), rounded
  /// to bfloat16, as they are many.
  std::vector<mae::bfloat16> encode_patches(pretrain::image_set const& images,
                                            mae::index_t count,
                                            mae::index_t block,
                                            image_name const& name_of,
                                            pretrain::progress_line& progress) const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace tools
