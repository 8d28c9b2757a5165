#pragma once

#include "finetune_inputs.hpp"
#include "finetuning.hpp"
#include "head_task.hpp"
#include "place_tasks.hpp"

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/interop/open_pretrained.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

// What is compiled once for each type of numbers.

namespace tools {

/// An encoder that has learned nothing.
template <mae::Backend B>
struct new_model : finetuned_model<B> {
  new_model(mae::model_config const& sizes, typename finetuned_model<B>::parts made_of)
      : finetuned_model<B>(sizes, std::move(made_of)) {}
};

template <mae::Backend B>
finetuned_model<B> make_model(finetune_inputs const& in) {
  auto const& o = in.o;
  auto const& sets = in.sets;
  typename finetuned_model<B>::parts parts{
      .heads = {mae::classifier{.classes = std::max<mae::index_t>(in.train.num_classes(), 0),
                                .pool = o.pool,
                                .normalises = o.final_norm() == mae::norm_place::pooled,
                                .smoothing = o.smoothing,
                                .class_names = sets.class_names},
                mae::segmenter{
                    .classes = sets.mask_classes, .decoder = o.decoder, .upsampling = o.upsampling},
                mae::keypoints{.points = std::ssize(sets.point_names),
                               .partners = sets.partners,
                               .names = sets.point_names,
                               .sigma = o.sigma,
                               .decoder = o.decoder,
                               .upsampling = o.upsampling}},
      .head_weights = o.head_weights,
      .seed = o.settings.seed,
      .mask = finetune_mask({o.hidden_share(class_head)},
                            {o.hidden_share(segmentation_head)},
                            {o.hidden_share(keypoint_head)}),
      .backend = B(in.threads),
      .positions = o.recipe.positions,
      .final_norm = o.final_norm()};
  if (!o.from_scratch) return mae::open_pretrained_encoder(in.found, std::move(parts));
  new_model<B> model(in.found.sizes, std::move(parts));
  if (auto statistics = in.found.statistics(); !statistics.mean.empty())
    model.set_statistics(std::move(statistics));
  return model;
}

template <class Model>
typename finetuning<Model>::tasks make_tasks(finetune_options const& o, labelled_sets const& sets) {
  bool const is_alone = std::ranges::count(o.head_weights, 0.0) + 1 == std::ssize(o.head_weights);
  auto const name = [&](std::size_t head) {
    return std::string("predictions") + (is_alone ? "" : std::string("_") + head_words[head]);
  };
  typename finetuning<Model>::tasks tasks;
  if (o.trains(class_head)) tasks.push_back(std::make_unique<class_task<Model>>(name(class_head)));
  if (o.trains(segmentation_head))
    tasks.push_back(std::make_unique<segmentation_task<Model>>(name(segmentation_head)));
  if (o.trains(keypoint_head))
    tasks.push_back(std::make_unique<keypoint_task<Model>>(name(keypoint_head), sets.point_names));
  return tasks;
}

template <mae::Backend B>
bool finetune_with(finetune_inputs const& in) {
  using model_type = finetuned_model<B>;
  auto model = make_model<B>(in);
  chosen_images const test(in.sets.test);
  finetuning<model_type> training(in.o,
                                  model,
                                  in.train,
                                  test,
                                  make_tasks<model_type>(in.o, in.sets),
                                  in.pictures,
                                  in.sets.name);
  if (in.o.dry_run) {
    std::cout << training.plan();
    return true;
  }
  bool const is_done = training.run();
  if (is_done) training.save_results();
  return is_done;
}

}  // namespace tools
