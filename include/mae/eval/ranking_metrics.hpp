#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What a grade of relevance is worth: itself (Jarvelin and Kekalainen 2002, and scikit-learn), or
/// 2^grade - 1 (Burges et al. 2005), where the highest grades count far more.
enum class ranking_gain : std::uint8_t { linear, exponential };

namespace detail {

/// The images of a query by falling scores.
inline std::vector<std::size_t> by_score(std::span<double const> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return scores[a] > scores[b];
  });
  return order;
}

/// Where the run of equal scores ends that begins at place `first` of an order.
inline std::size_t end_of_ties(std::span<double const> scores,
                               std::span<std::size_t const> order,
                               std::size_t first) {
  std::size_t last = first + 1;
  while (last < order.size() && scores[order[last]] == scores[order[first]]) ++last;
  return last;
}

inline void require_ranking(std::span<double const> relevance, std::span<double const> scores) {
  if (relevance.size() != scores.size())
    throw config_error("a ranking is graded by as many scores as there are images, not " +
                       std::to_string(scores.size()) + " for " + std::to_string(relevance.size()));
  for (double const score : scores)
    if (!std::isfinite(score)) throw config_error("a score that is graded must be finite");
  for (double const grade : relevance)
    if (!std::isfinite(grade) || grade < 0)
      throw config_error("a relevance that is graded must be finite and not negative");
}

/// The discounted gains of images in the order of `scores`; those of one score have each place's
/// discount with their mean gain.
inline double discounted_gain(std::span<double const> gains,
                              std::span<double const> scores,
                              std::size_t most) {
  auto const order = by_score(scores);
  double sum = 0;
  for (std::size_t first = 0; first < order.size() && first < most;) {
    std::size_t const last = end_of_ties(scores, order, first);
    double gain = 0;
    double discount = 0;
    for (std::size_t i = first; i < last; ++i) {
      gain += gains[order[i]];
      if (i < most) discount += 1 / std::log2(static_cast<double>(i) + 2);
    }
    sum += gain / static_cast<double>(last - first) * discount;
    first = last;
  }
  return sum;
}

}  // namespace detail

/// The normalised discounted cumulative gain of a query's images, of the first `most` places (0:
/// all): the sum over places i, from 1, of gain / log2(i + 1), over that of the best order. Images
/// of one score are taken in all their orders alike: the mean over these, as scikit-learn's
/// ndcg_score has it by default (McSherry and Najork 2008). None where no image is relevant, of
/// which scikit-learn says 0. Throws config_error for scores that are not finite and for grades
/// below 0.
inline std::optional<double> ndcg(std::span<double const> relevance,
                                  std::span<double const> scores,
                                  index_t most = 0,
                                  ranking_gain gain = ranking_gain::linear) {
  detail::require_ranking(relevance, scores);
  std::vector<double> gains(relevance.begin(), relevance.end());
  if (gain == ranking_gain::exponential)
    for (double& value : gains) value = std::exp2(value) - 1;
  std::size_t const places = most > 0 ? static_cast<std::size_t>(most) : gains.size();
  double const best = detail::discounted_gain(gains, gains, places);
  if (!(best > 0)) return std::nullopt;
  return detail::discounted_gain(gains, scores, places) / best;
}

/// The average precision of a query's images, of which those of a relevance of at least `least`
/// are relevant: the sum over scores, falling, of the precision among images of at least that
/// score times what it adds to the recall. Images of one score come at once, as in scikit-learn's
/// average_precision_score, so that their order decides nothing. None where no image is relevant.
/// Throws as ndcg.
inline std::optional<double> average_precision(std::span<double const> relevance,
                                               std::span<double const> scores,
                                               double least = 1) {
  detail::require_ranking(relevance, scores);
  auto const order = detail::by_score(scores);
  double sum = 0;
  index_t found = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t const last = detail::end_of_ties(scores, order, first);
    index_t more = 0;
    for (std::size_t i = first; i < last; ++i) more += relevance[order[i]] >= least ? 1 : 0;
    found += more;
    sum += static_cast<double>(more) * static_cast<double>(found) / static_cast<double>(last);
    first = last;
  }
  if (found == 0) return std::nullopt;
  return sum / static_cast<double>(found);
}

/// Means over queries, of those that have a relevant image.
class ranking_grades {
 public:
  /// Of the first `most` places (0: all); see ndcg and average_precision.
  explicit ranking_grades(index_t most = 0,
                          ranking_gain gain = ranking_gain::linear,
                          double least_relevant = 1)
      : most_(most), gain_(gain), least_(least_relevant) {}

  /// Of one query.
  void add(std::span<double const> relevance, std::span<double const> scores) {
    ndcg_.add(mae::ndcg(relevance, scores, most_, gain_));
    precision_.add(average_precision(relevance, scores, least_));
  }
  /// The mean NDCG, and mAP; NaN without a query that counts.
  double mean_ndcg() const { return ndcg_.value(); }
  double mean_average_precision() const { return precision_.value(); }
  /// The queries that count in mAP.
  index_t queries() const { return precision_.count; }

 private:
  struct mean {
    double sum = 0;
    index_t count = 0;

    void add(std::optional<double> const& one) {
      if (!one) return;
      sum += *one;
      ++count;
    }
    double value() const {
      return count > 0 ? sum / static_cast<double>(count)
                       : std::numeric_limits<double>::quiet_NaN();
    }
  };

  index_t most_;
  ranking_gain gain_;
  double least_;
  mean ndcg_, precision_;
};

}  // namespace mae
