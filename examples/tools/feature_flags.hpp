#pragma once

#include "checkpoint_flags.hpp"
#include "data_source.hpp"
#include "feature_precision.hpp"
#include "images.hpp"

#include <mae/core/parallel.hpp>
#include <mae/model/encode_images.hpp>

#include <cstdlib>
#include <iostream>

namespace tools {

inline constexpr pretrain::choice_words<mae::pooling, 3> pooling_words{
    {{"mean", mae::pooling::mean},
     {"class", mae::pooling::class_token},
     {"both", mae::pooling::both}}};

inline pretrain::flag pooling_flag(mae::pooling& pool) {
  return pretrain::choice("pool",
                          pooling_words,
                          pool,
                          "an image's feature: the mean of its patch tokens after the final norm,\n"
                          "its class token, or both");
}

inline constexpr pretrain::choice_words<feature_precision, 3> feature_precision_words{
    {{"fp32", feature_precision::fp32},
     {"bf16", feature_precision::bf16},
     {"int8", feature_precision::int8}}};

inline pretrain::flag feature_precision_flag(feature_precision& precision) {
  return pretrain::choice(
      "precision",
      feature_precision_words,
      precision,
      "what the encoder's layers multiply: bf16, and int8 with a scale for each\n"
      "row, are less exact, and faster where processors multiply them");
}

/// Where the images of --data come from, which is said.
inline pretrain::data_source find_source(common_options const& o) {
  auto source = pretrain::find_data(o.settings.data, std::getenv("MAE_CIFAR10_DIR"));
  pretrain::say_source(source, &std::cout, std::cerr);
  return source;
}

/// How a model takes images of this source; `graded` where they are.
inline pretrain::image_request request_for(common_options const& o,
                                           mae::pretrained_model const& model,
                                           pretrain::data_source const& source,
                                           bool graded) {
  pretrain::image_request request{
      .extent = model.sizes.image,
      .skip_unreadable = o.settings.unreadable == pretrain::unreadable_choice::skip,
      .limits = {.pixels = o.settings.max_pixels},
      .tests = o.settings.tests,
      .graded = graded};
  request_pictures(o, model, source, request, std::cerr);
  return request;
}

}  // namespace tools
