#pragma once

#include "epoch_log.hpp"
#include "feature_health.hpp"
#include "images.hpp"

#include <mae/core/types.hpp>
#include <mae/data/subset.hpp>
#include <mae/io/json_writer.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/op/pooling.hpp>

#include <algorithm>
#include <optional>
#include <vector>

namespace tools {

/// What the features of a model's encoder tell without labels, of the first of some images.
class health_watch {
 public:
  /// `images` must outlive this object. Of fewer than two nothing can be said.
  explicit health_watch(pretrain::image_set const& images)
      : images_(images), count_(std::min(most_health_images, images.size())) {
    if (count_ >= 2) crops_ = pretrain::crops_of(images, count_);
  }

  /// Members of metrics.jsonl.
  template <class Model>
  void describe(Model const& model, mae::json_object& record) const {
    if (!crops_) return;
    auto const encoder = mae::encoder_of(model);
    auto const whole = encoder.features(mae::subset(images_, 0, count_), mae::pooling::mean);
    auto const crops = encoder.features(*crops_, mae::pooling::mean);
    auto const width = std::ssize(whole) / count_;
    auto const found =
        pretrain::measure_health({whole.data(), count_, width}, {crops.data(), count_, width});
    record.add("effective_rank", found.effective_rank)
        .add("alignment", found.alignment)
        .add("uniformity", found.uniformity)
        .add("deviation", found.deviation);
  }

 private:
  pretrain::image_set const& images_;
  mae::index_t count_;
  std::optional<pretrain::image_set> crops_;
};

}  // namespace tools
