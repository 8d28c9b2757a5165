#pragma once

#include "images.hpp"
#include "options.hpp"
#include "summary.hpp"
#include "terminal.hpp"
#include "training_task.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/eval/labelled_features.hpp>

#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace pretrain {

/// How many training and test images the grading looks at.
struct grading_size {
  mae::index_t train = 0;
  mae::index_t test = 0;
};

/// Features of images and their classes.
struct graded_features {
  std::vector<float> values;  // (n, width)
  std::vector<mae::index_t> labels = {};

  mae::labelled_features view() const {
    auto const images = std::ssize(labels);
    return {{values.data(), images, std::ssize(values) / images}, labels};
  }
};

/// Features (count, width) of the first `count` images, with these images' classes.
inline graded_features with_labels(std::vector<float> values,
                                   image_set const& images,
                                   mae::index_t count) {
  graded_features features{.values = std::move(values)};
  for (mae::index_t i = 0; i < count; ++i) features.labels.push_back(images.label(i));
  return features;
}

/// All images, or `limit` training images (0: all) and test images in the same proportion.
grading_size size_of_grading(image_sets const& images, mae::index_t limit);

/// Reads the class from a task's features as it stands: by a linear classifier, by nearest
/// neighbours, as chosen. Works on the processor, wherever the features come from. Nothing when
/// the user interrupts it.
std::optional<probe_scores> grade_encoder(training_task const& task,
                                          image_sets const& images,
                                          grading_size const& size,
                                          probe_choice choice,
                                          std::shared_ptr<mae::thread_pool> const& threads,
                                          progress_line& progress);

/// Whether the pixels themselves can be graded: of large pictures they are more than a classifier
/// can take.
bool can_grade_pixels(image_sets const& images);

/// The pixels themselves as features, to a linear classifier alone: what any encoder must beat.
probe_scores grade_pixels(image_sets const& images,
                          grading_size const& size,
                          std::shared_ptr<mae::thread_pool> const& threads);

}  // namespace pretrain
