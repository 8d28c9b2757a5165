#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <vector>

namespace tools {

struct tsne_options {
  double perplexity = 30;  // about as many neighbours as a point attends to; lowered to (n - 1) / 3
  int iterations = 750;
};

/// Places of n rows in a plane, (n, 2), by t-SNE (van der Maaten & Hinton 2008), exact: its time
/// grows with n^2. Begins with the first two principal axes, as Kobak & Berens (2019) advise, and
/// draws nothing by chance. Fewer than four rows stay on the axes.
std::vector<float> place_by_tsne(mae::matrix_view<float const> rows,
                                 tsne_options const& options = {});

/// The affinities p(j | i), (n, n), of rows at squared distances (n, n): each row's entropy is that
/// of `perplexity` equal neighbours.
std::vector<double> tsne_affinities(std::vector<double> const& squared_distances,
                                    mae::index_t n,
                                    double perplexity);

}  // namespace tools
