#pragma once

#include "checkpoint_flags.hpp"
#include "data_source.hpp"
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

/// The images that --data names, as a model takes them.
inline pretrain::image_sets load_sets(common_options const& o,
                                      mae::pretrained_model const& model,
                                      mae::thread_pool& threads) {
  auto const source = pretrain::find_data(o.settings.data, std::getenv("MAE_CIFAR10_DIR"));
  std::cout << source.reason << std::endl;
  pretrain::image_request request{
      .extent = model.sizes.image,
      .skip_unreadable = o.settings.unreadable == pretrain::unreadable_choice::skip,
      .limits = {.pixels = o.settings.max_pixels}};
  request_pictures(o, model, source, request, std::cerr);
  auto sets = pretrain::load_images(source, request, threads);
  for (auto const& note : sets.notes) std::cerr << "left out: " << note << '\n';
  return sets;
}

}  // namespace tools
