#include "grading.hpp"

#include <mae/eval/knn.hpp>
#include <mae/eval/linear_probe.hpp>

#include <algorithm>
#include <span>

namespace pretrain {
namespace {

graded_features read_pixels(image_set const& images, mae::index_t count) {
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

}  // namespace

grading_size size_of_grading(image_sets const& images, mae::index_t limit) {
  mae::index_t const train = images.train.size();
  mae::index_t const test = images.test.size();
  if (limit == 0 || limit >= train) return {train, test};
  return {limit, std::max<mae::index_t>(1, test * limit / train)};
}

probe_scores grade_features(mae::eigen_backend<float> backend,
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

probe_scores grade_pixels(mae::eigen_backend<float> const& backend,
                          image_sets const& images,
                          grading_size const& size) {
  return grade_features(backend,
                        read_pixels(images.train, size.train),
                        read_pixels(images.test, size.test),
                        images.train.num_classes(),
                        probe_choice::linear);
}

}  // namespace pretrain
