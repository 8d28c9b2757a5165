#pragma once

#include "images.hpp"
#include "options.hpp"
#include "summary.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/data/subset.hpp>
#include <mae/eval/knn.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/eval/linear_probe.hpp>
#include <mae/model/encoder.hpp>

#include <algorithm>
#include <span>
#include <vector>

namespace pretrain {

/// Features of images and their classes.
struct graded_features {
  std::vector<float> values;  // (n, width)
  std::vector<mae::index_t> labels = {};
  mae::index_t width = 0;

  mae::labelled_features view() const {
    return {{values.data(), static_cast<mae::index_t>(labels.size()), width}, labels};
  }
};

/// How many training and test images the grading looks at.
struct grading_size {
  mae::index_t train = 0;
  mae::index_t test = 0;
};

/// All images, or `limit` training images (0: all) and test images in the same proportion.
inline grading_size size_of_grading(image_sets const& images, mae::index_t limit) {
  mae::index_t const train = images.train.size();
  mae::index_t const test = images.test.size();
  if (limit == 0 || limit >= train) return {train, test};
  return {limit, std::max<mae::index_t>(1, test * limit / train)};
}

/// Lets a linear classifier and nearest neighbours, as chosen, read the class from features.
inline probe_scores grade_features(mae::eigen_backend<float> backend,
                                   graded_features const& train,
                                   graded_features const& test,
                                   mae::index_t classes,
                                   probe_choice choice) {
  constexpr double percent = 100.0;
  probe_scores scores;
  if (choice == probe_choice::linear || choice == probe_choice::both)
    scores.linear = percent * mae::linear_probe(backend, train.view(), test.view(), classes).top1;
  if (choice == probe_choice::knn || choice == probe_choice::both)
    scores.knn = percent * mae::knn_top1(backend, train.view(), test.view(), classes);
  return scores;
}

inline graded_features read_pixels(image_set const& images, mae::index_t count) {
  mae::index_t const width = images.extent().values();
  graded_features features{.values = std::vector<float>(static_cast<std::size_t>(count * width)),
                           .width = width};
  for (mae::index_t i = 0; i < count; ++i) {
    images.read(i,
                std::span(features.values)
                    .subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width)));
    features.labels.push_back(images.label(i));
  }
  return features;
}

/// The pixels themselves as features, to a linear classifier alone: what any encoder must beat.
inline probe_scores grade_pixels(mae::eigen_backend<float> const& backend,
                                 image_sets const& images,
                                 grading_size const& size) {
  return grade_features(backend,
                        read_pixels(images.train, size.train),
                        read_pixels(images.test, size.test),
                        images.train.num_classes(),
                        probe_choice::linear);
}

/// The first `count` images, encoded without a mask: the mean of an image's patch tokens.
template <class Encoder>
graded_features encode_images(Encoder const& encoder, image_set const& images, mae::index_t count) {
  mae::subset const part(images, 0, count);
  graded_features features{.values = encoder.features(part, mae::pooling::mean),
                           .width = encoder.feature_width(mae::pooling::mean)};
  for (mae::index_t i = 0; i < count; ++i) features.labels.push_back(part.label(i));
  return features;
}

/// Grades a model's encoder as it stands.
template <class Model>
probe_scores grade_encoder(Model const& model,
                           image_sets const& images,
                           grading_size const& size,
                           probe_choice choice) {
  auto const encoder = mae::encoder_of(model);
  return grade_features(mae::eigen_backend<float>(model.backend()),
                        encode_images(encoder, images.train, size.train),
                        encode_images(encoder, images.test, size.test),
                        images.train.num_classes(),
                        choice);
}

}  // namespace pretrain
