#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/op/linear.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
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

  /// The class with the largest sum of votes of the first `neighbours`; of equal ones the lower.
  /// `votes` (classes) is scratch.
  index_t elect(index_t neighbours,
                std::span<index_t const> labels,
                double temperature,
                std::span<double> votes) const {
    std::fill(votes.begin(), votes.end(), 0.0);
    double const best = nearest_.front().similarity;
    for (std::size_t i = 0; i < static_cast<std::size_t>(neighbours); ++i) {
      auto const& [similarity, index] = nearest_[i];
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

/// Rows divided by their lengths, a row of zeros left as it is.
inline void copy_at_unit_length(matrix_view<float const> from, matrix_view<float> to) {
  for (index_t i = 0; i < from.rows; ++i) {
    double squares = 0.0;
    for (double const value : from.row(i)) squares += value * value;
    double const scale = squares > 0.0 ? 1.0 / std::sqrt(squares) : 0.0;
    for (index_t k = 0; k < from.cols; ++k)
      to(i, k) = static_cast<float>(static_cast<double>(from(i, k)) * scale);
  }
}

/// The training images' features at unit length, as right operands of products: in tiles that stay
/// in a core's cache with the similarities to a few test images.
template <Lane L>
class training_tiles {
 public:
  static constexpr index_t most_images = 512;

  training_tiles(matrix_view<float const> features, thread_pool& threads)
      : images_(features.rows),
        width_(features.cols),
        tile_cells_(L::packed_cells(width_, most_images)),
        cells_(count() * tile_cells_) {
    threads.for_ranges(images_, most_images, [&](index_t first, index_t last, int /*worker*/) {
      host_buffer<float> room((last - first) * width_);
      auto const rows = room.matrix(last - first, width_);
      copy_at_unit_length(features.middle_rows(first, last - first), rows);
      L{}.pack_transposed(rows, cells_.data() + first / most_images * tile_cells_);
    });
  }

  index_t count() const { return ceil_div(images_, most_images); }
  typename L::packed operator[](index_t tile) const {
    return L::packed_at(cells_.data() + tile * tile_cells_,
                        width_,
                        std::min(most_images, images_ - tile * most_images));
  }

 private:
  index_t images_;
  index_t width_;
  index_t tile_cells_;
  host_buffer<typename L::cell> cells_;
};

/// Writes how many of the test images have the class that their neighbours elect, for each number
/// of neighbours.
template <Lane L>
void count_elected(training_tiles<L> const& train,
                   std::span<index_t const> train_labels,
                   labelled_features const& test,
                   index_t classes,
                   std::span<index_t const> neighbours,
                   double temperature,
                   index_t* elected) {
  L const lane;
  host_buffer<float> queries(test.features.size());
  host_buffer<float> similarities(test.size() * train.most_images);
  auto const rows = queries.matrix(test.size(), test.features.cols);
  copy_at_unit_length(test.features, rows);

  std::vector<neighbour_list> nearest(
      static_cast<std::size_t>(test.size()),
      neighbour_list(*std::max_element(neighbours.begin(), neighbours.end())));
  for (index_t tile = 0; tile < train.count(); ++tile) {
    auto const found = similarities.matrix(test.size(), train[tile].cols);
    lane.multiply(rows, train[tile], kernel::store_product<float, float>{found});
    for (index_t i = 0; i < test.size(); ++i)
      nearest[static_cast<std::size_t>(i)].offer(found.row(i), tile * train.most_images);
  }

  std::vector<double> votes(static_cast<std::size_t>(classes));
  for (index_t const number : neighbours) {
    *elected = 0;
    for (index_t i = 0; i < test.size(); ++i) {
      neighbour_list const& own = nearest[static_cast<std::size_t>(i)];
      if (own.elect(number, train_labels, temperature, votes) == test.label(i)) ++*elected;
    }
    ++elected;
  }
}

inline void require_valid(std::span<index_t const> neighbours,
                          double temperature,
                          index_t training_images) {
  if (neighbours.empty()) throw config_error("kNN: no number of neighbours is given");
  for (index_t const number : neighbours)
    if (number < 1 || number > training_images)
      throw config_error("kNN: " + std::to_string(number) + " neighbours of " +
                         std::to_string(training_images) + " training images");
  if (!(temperature > 0.0)) throw config_error("kNN: the temperature must be positive");
}

}  // namespace detail

/// The share of test images, in [0, 1], whose class the nearest training images name, for each of
/// several numbers of neighbours: cosine similarity, votes as Wu et al. 2018 (arXiv 1805.01978)
/// weigh them, whatever the number, as DINO's eval_knn has it. Similarities are computed once. Runs
/// on all of the backend's threads and does not depend on their number.
/// Throws config_error for sets that require_comparable refuses, for no number, for fewer than one
/// neighbour or more than there are training images, and for a temperature that is not positive.
template <Backend B>
requires(std::same_as<typename B::lane::operand, float> && !B::lane::is_parallel)
    std::vector<double> knn_top1(B& backend,
                                 labelled_features const& train,
                                 labelled_features const& test,
                                 index_t classes,
                                 std::span<index_t const> neighbours,
                                 double temperature = knn_options{}.temperature) {
  constexpr index_t grain = 64;
  require_comparable(train, test, classes);
  detail::require_valid(neighbours, temperature, train.size());

  thread_pool& threads = backend.threads();
  detail::training_tiles<typename B::lane> const tiles(train.features, threads);
  auto const numbers = std::ssize(neighbours);
  host_buffer<index_t> elected(ceil_div(test.size(), grain) * numbers);
  threads.for_ranges(test.size(), grain, [&](index_t first, index_t last, int /*worker*/) {
    labelled_features const part{test.features.middle_rows(first, last - first),
                                 test.labels.subspan(static_cast<std::size_t>(first),
                                                     static_cast<std::size_t>(last - first))};
    detail::count_elected(tiles,
                          train.labels,
                          part,
                          classes,
                          neighbours,
                          temperature,
                          elected.data() + first / grain * numbers);
  });
  std::vector<double> shares(neighbours.size());
  for (index_t i = 0; i < elected.size(); ++i)
    shares[static_cast<std::size_t>(i % numbers)] += static_cast<double>(elected[i]);
  for (double& share : shares) share /= static_cast<double>(test.size());
  return shares;
}

/// The same for one number of neighbours.
template <Backend B>
requires(std::same_as<typename B::lane::operand, float> &&
         !B::lane::is_parallel) double knn_top1(B& backend,
                                                labelled_features const& train,
                                                labelled_features const& test,
                                                index_t classes,
                                                knn_options const& options = {}) {
  std::array<index_t, 1> const neighbours{options.neighbours};
  return knn_top1(backend, train, test, classes, neighbours, options.temperature).front();
}

}  // namespace mae
