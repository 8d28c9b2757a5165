#pragma once

#include "images.hpp"
#include "options.hpp"
#include "summary.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>
#include <mae/data/subset.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/model/encoder.hpp>

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
grading_size size_of_grading(image_sets const& images, mae::index_t limit);

/// Lets a linear classifier and nearest neighbours, as chosen, read the class from features.
probe_scores grade_features(mae::eigen_backend<float> backend,
                            graded_features const& train,
                            graded_features const& test,
                            mae::index_t classes,
                            probe_choice choice);

/// The pixels themselves as features, to a linear classifier alone: what any encoder must beat.
probe_scores grade_pixels(mae::eigen_backend<float> const& backend,
                          image_sets const& images,
                          grading_size const& size);

/// The first `count` images, encoded without a mask: the mean of an image's patch tokens.
template <class Encoder>
graded_features encode_images(Encoder const& encoder, image_set const& images, mae::index_t count) {
  mae::subset const part(images, 0, count);
  graded_features features{.values = encoder.features(part, mae::pooling::mean),
                           .width = Encoder::feature_width(mae::pooling::mean)};
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
  return grade_features(model.backend(),
                        encode_images(encoder, images.train, size.train),
                        encode_images(encoder, images.test, size.test),
                        images.train.num_classes(),
                        choice);
}

}  // namespace pretrain
