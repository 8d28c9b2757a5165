#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <cstdint>
#include <span>
#include <vector>

// Which images of a gallery are most like others, and how often those are of the same class.

namespace tools {

/// One image of a gallery, and how like the query it is.
struct found_image {
  mae::index_t number = 0;
  double cosine = 0;
};

/// The `count` rows of `gallery` (n, D) whose cosine with `query` (D) is greatest, that one first;
/// of equals the lower number. A row of zeros is like nothing. The row `without` is left out.
std::vector<found_image> most_like(mae::matrix_view<float const> gallery,
                                   std::span<float const> query,
                                   mae::index_t count,
                                   mae::index_t without = -1);

/// How well features find images of the same class: each image of the gallery that has a class, and
/// another of it there, asks for all the others.
struct retrieval_metrics {
  mae::index_t queries = 0;
  std::vector<double> recall;         // for each k: the share of queries with one of their class
                                      // among the k first
  double mean_average_precision = 0;  // the mean over queries of the mean precision at each image
                                      // of their class, in the order of likeness
};

/// Of a gallery (n, D) and its classes, -1 for none.
retrieval_metrics measure_retrieval(mae::matrix_view<float const> gallery,
                                    std::span<std::int64_t const> labels,
                                    std::span<mae::index_t const> ks);

}  // namespace tools
