#include "grading.hpp"

#include "encoding.hpp"
#include "interrupt.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/eval/knn.hpp>
#include <mae/eval/linear_probe.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace pretrain {

namespace {

/// The pixels of the first `count` images, at the size that they are stored in.
std::vector<float> read_pixels(image_set const& images, mae::index_t count) {
  auto const width = static_cast<std::size_t>(images.original().extent().values());
  std::vector<float> values(static_cast<std::size_t>(count) * width);
  for (mae::index_t i = 0; i < count; ++i)
    images.original().read(i,
                           std::span(values).subspan(static_cast<std::size_t>(i) * width, width));
  return values;
}

probe_scores grade_features(graded_features const& train,
                            graded_features const& test,
                            mae::index_t classes,
                            probe_choice choice,
                            std::shared_ptr<mae::thread_pool> const& threads) {
  constexpr double percent = 100.0;
  mae::eigen_backend<float> backend(threads);
  probe_scores scores;
  if (choice == probe_choice::linear || choice == probe_choice::both)
    scores.linear = percent * mae::linear_probe(backend, train.view(), test.view(), classes).top1;
  if (choice == probe_choice::knn || choice == probe_choice::both)
    scores.knn =
        percent * mae::knn_top1(backend,
                                train.view(),
                                test.view(),
                                classes,
                                {.neighbours = std::min<mae::index_t>(mae::knn_options{}.neighbours,
                                                                      std::ssize(train.labels))});
  return scores;
}

}  // namespace

grading_size size_of_grading(image_sets const& images, mae::index_t limit) {
  mae::index_t const train = images.train.size();
  mae::index_t const test = images.test.size();
  if (limit == 0 || limit >= train) return {train, test};
  return {limit, std::max<mae::index_t>(1, test * limit / train)};
}

std::optional<probe_scores> grade_encoder(training_task const& task,
                                          image_sets const& images,
                                          grading_size const& size,
                                          probe_choice choice,
                                          std::shared_ptr<mae::thread_pool> const& threads,
                                          progress_line& progress) {
  auto const encode = [&](image_set const& set, mae::index_t count) {
    return with_labels(
        encode_in_parts(count, task.feature_encoder(set), progress, interrupted), set, count);
  };
  auto const train = encode(images.train, size.train);
  if (interrupted()) return std::nullopt;
  auto const test = encode(images.test, size.test);
  if (interrupted()) return std::nullopt;
  return grade_features(train, test, images.train.num_classes(), choice, threads);
}

bool can_grade_pixels(image_sets const& images) {
  constexpr mae::index_t most_values = 20'000;
  return images.train.original().extent().values() <= most_values;
}

probe_scores grade_pixels(image_sets const& images,
                          grading_size const& size,
                          std::shared_ptr<mae::thread_pool> const& threads) {
  auto const read = [](image_set const& set, mae::index_t count) {
    return with_labels(read_pixels(set, count), set, count);
  };
  return grade_features(read(images.train, size.train),
                        read(images.test, size.test),
                        images.train.num_classes(),
                        probe_choice::linear,
                        threads);
}

}  // namespace pretrain
