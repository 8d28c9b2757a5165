#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/matrix_product.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/labelled_features.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// How the nearest training images vote.
struct knn_options {
  index_t neighbours = 20;
  double temperature = 0.07;  // a neighbour's vote is exp(cosine similarity / temperature)
};

namespace detail {

/// The training images that are most similar to one image, found in one pass over all of them in
/// order. Of equally similar ones the earlier counts.
class neighbour_list {
 public:
  explicit neighbour_list(index_t neighbours) : nearest_(static_cast<std::size_t>(neighbours)) {
    clear();
  }

  void clear() { std::fill(nearest_.begin(), nearest_.end(), neighbour{}); }

  /// Looks at the similarities of the training images `first`, `first` + 1, ...
  void offer(std::span<float const> similarities, index_t first) {
    float least = nearest_.back().similarity;
    for (std::size_t i = 0; i < similarities.size(); ++i)
      if (similarities[i] > least) {
        insert({similarities[i], first + static_cast<index_t>(i)});
        least = nearest_.back().similarity;
      }
  }

  /// The class with the largest sum of votes; of equal ones the lower. `votes` (classes) is
  /// scratch.
  index_t elect(std::span<index_t const> labels,
                double temperature,
                std::span<double> votes) const {
    std::fill(votes.begin(), votes.end(), 0.0);
    double const best = nearest_.front().similarity;
    for (auto const& [similarity, index] : nearest_) {
      auto const label = static_cast<std::size_t>(labels[static_cast<std::size_t>(index)]);
      votes[label] += std::exp((similarity - best) / temperature);  // the scale elects nobody
    }
    return std::max_element(votes.begin(), votes.end()) - votes.begin();
  }

 private:
  struct neighbour {
    float similarity = -std::numeric_limits<float>::infinity();
    index_t index = 0;
  };

  void insert(neighbour const& found) {
    auto const place = std::upper_bound(
        nearest_.begin(), nearest_.end(), found, [](neighbour const& a, neighbour const& b) {
          return a.similarity > b.similarity;
        });
    std::move_backward(place, nearest_.end() - 1, nearest_.end());
    *place = found;
  }

  std::vector<neighbour> nearest_;  // the most similar first
};

/// The rows of a matrix divided by their lengths, a row of zeros left as it is.
inline host_buffer<float> unit_rows(matrix_view<float const> matrix, thread_pool& threads) {
  constexpr index_t grain = 256;
  host_buffer<float> unit(matrix.size());
  matrix_view<float> const rows = unit.matrix(matrix.rows, matrix.cols);
  threads.for_ranges(matrix.rows, grain, [&](index_t first, index_t last, int /*worker*/) {
    for (index_t i = first; i < last; ++i) {
      double squares = 0.0;
      for (double const value : matrix.row(i)) squares += value * value;
      double const scale = squares > 0.0 ? 1.0 / std::sqrt(squares) : 0.0;
      std::transform(
          matrix.row(i).begin(), matrix.row(i).end(), rows.row(i).begin(), [scale](float value) {
            return static_cast<float>(value * scale);
          });
    }
  });
  return unit;
}

/// How many of the test images have the class that their neighbours elect. Rows are of unit length.
/// The training images pass in tiles that stay in the cache with the similarities.
template <Backend B>
index_t count_elected(labelled_features const& train,
                      labelled_features const& test,
                      index_t classes,
                      knn_options const& options) {
  constexpr index_t tile_images = 512;
  host_buffer<float> similarities(test.size() * tile_images);
  std::vector<neighbour_list> nearest(static_cast<std::size_t>(test.size()),
                                      neighbour_list(options.neighbours));
  for (index_t first = 0; first < train.size(); first += tile_images) {
    index_t const count = std::min(tile_images, train.size() - first);
    auto const tile = similarities.matrix(test.size(), count);
    std::fill_n(tile.data, tile.size(), 0.0F);
    add_product<product_form::nt>(test.features, train.features.middle_rows(first, count), tile);
    for (index_t i = 0; i < tile.rows; ++i)
      nearest[static_cast<std::size_t>(i)].offer(tile.row(i), first);
  }
  std::vector<double> votes(static_cast<std::size_t>(classes));
  index_t elected = 0;
  for (index_t i = 0; i < test.size(); ++i) {
    neighbour_list const& own = nearest[static_cast<std::size_t>(i)];
    if (own.elect(train.labels, options.temperature, votes) == test.label(i)) ++elected;
  }
  return elected;
}

}  // namespace detail

/// The share of test images, in [0, 1], whose class the nearest training images name: cosine
/// similarity, votes as Wu et al. 2018 (arXiv 1805.01978) weigh them. Runs on all of the backend's
/// threads and does not depend on their number.
/// Throws config_error for sets that require_comparable refuses, for fewer than one neighbour or
/// more than there are training images, and for a temperature that is not positive.
template <Backend B>
requires(std::same_as<typename B::scalar, float>&& B::uses_host_memory) double knn_top1(
    B& backend,
    labelled_features const& train,
    labelled_features const& test,
    index_t classes,
    knn_options const& options = {}) {
  constexpr index_t grain = 64;
  require_comparable(train, test, classes);
  if (options.neighbours < 1 || options.neighbours > train.size())
    throw config_error("kNN: " + std::to_string(options.neighbours) + " neighbours of " +
                       std::to_string(train.size()) + " training images");
  if (!(options.temperature > 0.0)) throw config_error("kNN: the temperature must be positive");

  thread_pool& threads = backend.threads();
  host_buffer<float> const train_rows = detail::unit_rows(train.features, threads);
  host_buffer<float> const test_rows = detail::unit_rows(test.features, threads);
  labelled_features const all{train_rows.matrix(train.size(), train.features.cols), train.labels};
  auto const queries = test_rows.matrix(test.size(), test.features.cols);

  std::vector<index_t> elected(static_cast<std::size_t>(ceil_div(test.size(), grain)));
  threads.for_ranges(test.size(), grain, [&](index_t first, index_t last, int /*worker*/) {
    labelled_features const part{queries.middle_rows(first, last - first),
                                 test.labels.subspan(static_cast<std::size_t>(first),
                                                     static_cast<std::size_t>(last - first))};
    elected[static_cast<std::size_t>(first / grain)] =
        detail::count_elected<B>(all, part, classes, options);
  });
  index_t const total = std::accumulate(elected.begin(), elected.end(), index_t{0});
  return static_cast<double>(total) / static_cast<double>(test.size());
}

}  // namespace mae
