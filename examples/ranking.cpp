// An encoder that puts images in order: a ranking head learns from graded relevance, pair by pair,
// and is graded by NDCG and mAP on images that it has not seen. Here brighter images are the more
// relevant.
#include <mae/eval/head_outputs.hpp>
#include <mae/eval/ranking_metrics.hpp>
#include <mae/heads.hpp>
#include <mae/mae.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>
#include <vector>

constexpr mae::model_config small{.image = {.height = 16, .width = 16, .channels = 3},
                                  .patch = {.height = 4, .width = 4},
                                  .encoder = {.depth = 2, .width = 32, .heads = 4},
                                  .decoder = {.depth = 1, .width = 32, .heads = 4}};

/// Grades from 0 to 3, a quarter of the images each, by their mean value.
std::vector<double> grades_of(mae::synthetic_dataset const& images) {
  std::vector<float> pixels(static_cast<std::size_t>(small.image.values()));
  std::vector<double> means;
  for (mae::index_t i = 0; i < images.size(); ++i) {
    images.read(i, pixels);
    means.push_back(std::accumulate(pixels.begin(), pixels.end(), 0.0));
  }
  auto sorted = means;
  std::ranges::sort(sorted);
  for (double& mean : means)
    mean = static_cast<double>(4 * (std::ranges::lower_bound(sorted, mean) - sorted.begin()) /
                               std::ssize(sorted));
  return means;
}

int main() {
  mae::synthetic_dataset const images(320, 1, small.image);
  mae::synthetic_dataset const others(160, 2, small.image);
  // [ranking]
  auto const judgements = std::make_shared<mae::relevance_judgements const>(
      mae::relevance_judgements{.relevance = grades_of(images)});  // all of one query
  mae::headed_encoder<small, mae::no_mask, mae::eigen_backend<float>, mae::ranking> network(
      {.heads = {mae::ranking{.judgements = judgements}}});
  mae::trainer training(network, images, {.batch_size = 64, .epochs = 8, .lr = 2e-3});
  training.run();

  std::vector<double> scores(160);
  mae::for_each_output<0>(
      network, others, [&](mae::index_t first, mae::index_t count, auto const& found) {
        for (mae::index_t i = 0; i < count; ++i)
          scores[static_cast<std::size_t>(first + i)] = static_cast<double>(found(i, 0));
      });
  mae::ranking_grades grades(20);  // NDCG of the first 20 places
  grades.add(grades_of(others), scores);
  std::cout << "NDCG@20 " << grades.mean_ndcg() << "  mAP " << grades.mean_average_precision()
            << "\n";
  // [/ranking]
  return grades.mean_ndcg() > 0.8 ? 0 : 1;
}
