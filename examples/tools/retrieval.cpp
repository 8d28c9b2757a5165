#include "retrieval.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>

namespace tools {
namespace {

using mae::index_t;

double product(std::span<float const> a, std::span<float const> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

double cosine(std::span<float const> a, std::span<float const> b) {
  double const lengths = std::sqrt(product(a, a)) * std::sqrt(product(b, b));
  return lengths > 0 ? product(a, b) / lengths : 0;
}

bool comes_first(found_image const& a, found_image const& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.number < b.number;
}

/// What one query adds.
void add_query(retrieval_metrics& sums,
               std::span<found_image const> order,
               std::span<std::int64_t const> labels,
               std::int64_t label,
               std::span<index_t const> ks) {
  double right = 0;
  double precision = 0;
  index_t first = std::ssize(order);
  for (index_t place = 0; place < std::ssize(order); ++place) {
    auto const number = static_cast<std::size_t>(order[static_cast<std::size_t>(place)].number);
    if (labels[number] != label) continue;
    if (right == 0) first = place;
    right += 1;
    precision += right / static_cast<double>(place + 1);
  }
  ++sums.queries;
  sums.mean_average_precision += precision / right;
  for (std::size_t i = 0; i < ks.size(); ++i) sums.recall[i] += first < ks[i] ? 1 : 0;
}

}  // namespace

std::vector<found_image> most_like(mae::matrix_view<float const> gallery,
                                   std::span<float const> query,
                                   index_t count,
                                   index_t without) {
  std::vector<found_image> all;
  for (index_t i = 0; i < gallery.rows; ++i)
    if (i != without) all.push_back({i, cosine(gallery.row(i), query)});
  auto const kept = all.begin() + std::min(count, std::ssize(all));
  std::partial_sort(all.begin(), kept, all.end(), comes_first);
  all.erase(kept, all.end());
  return all;
}

retrieval_metrics measure_retrieval(mae::matrix_view<float const> gallery,
                                    std::span<std::int64_t const> labels,
                                    std::span<index_t const> ks) {
  std::map<std::int64_t, index_t> counts;
  for (auto const label : labels) ++counts[label];
  retrieval_metrics found;
  found.recall.assign(ks.size(), 0);
  for (index_t i = 0; i < gallery.rows; ++i) {
    auto const label = labels[static_cast<std::size_t>(i)];
    if (label < 0 || counts[label] < 2) continue;
    add_query(found, most_like(gallery, gallery.row(i), gallery.rows, i), labels, label, ks);
  }
  if (found.queries == 0) return found;
  auto const queries = static_cast<double>(found.queries);
  found.mean_average_precision /= queries;
  for (double& share : found.recall) share /= queries;
  return found;
}

}  // namespace tools
