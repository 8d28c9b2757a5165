#pragma once

#include <mae/core/error.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/types.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace mae {

/// What is said of the images of a dataset that are to be ranked: how relevant each is, the more
/// the better, NaN where nothing is said; and to which query. Only images of one query are
/// compared.
struct relevance_judgements {
  std::vector<double> relevance = {};  // of each image of the dataset, by its number
  std::vector<index_t> query = {};     // likewise; empty: all are of one

  /// Throws config_error for judgements of no image, queries of another number, infinities, and
  /// where no query has two images of different grades: there would be nothing to learn.
  void require_valid() const {
    if (relevance.empty())
      throw config_error("a ranking needs judgements: the relevance of each image of the dataset");
    if (!query.empty() && query.size() != relevance.size())
      throw config_error("a ranking has judgements of " + std::to_string(relevance.size()) +
                         " images and queries of " + std::to_string(query.size()));
    for (double const grade : relevance)
      if (std::isinf(grade))
        throw config_error("the relevance of an image must be finite, or NaN where none is said");
    if (!has_pair())
      throw config_error(
          "no query of a ranking's judgements has two images of different relevance: there is no "
          "order to learn");
  }
  /// What tells them from others.
  std::uint64_t hash() const {
    xxh64 hash;
    hash.update(std::as_bytes(std::span(relevance)));
    hash.update(std::as_bytes(std::span(query)));
    return hash.digest();
  }

 private:
  bool has_pair() const {
    std::map<index_t, double> first;  // grade, of each query
    for (std::size_t i = 0; i < relevance.size(); ++i) {
      if (std::isnan(relevance[i])) continue;
      auto const at = first.emplace(query.empty() ? 0 : query[i], relevance[i]).first;
      if (at->second != relevance[i]) return true;
    }
    return false;
  }
};

namespace detail {

/// One sample of a step: its score and what is said of its image.
struct ranked_sample {
  double score;
  double relevance;
  index_t query;
};

/// The mean of log(1 + exp(-(s_i - s_j))) over all pairs of samples of one query of which i is the
/// more relevant (RankNet: Burges et al. 2005). Writes the gradient for the scores. Without such a
/// pair both are 0.
inline double pairwise_logistic(std::span<ranked_sample const> samples,
                                std::span<double> gradient) {
  double loss = 0;
  index_t pairs = 0;
  for (double& value : gradient) value = 0;
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (std::size_t j = 0; j < samples.size(); ++j) {
      auto const& better = samples[i];
      auto const& worse = samples[j];
      if (better.query != worse.query || !(better.relevance > worse.relevance)) continue;
      double const ahead = better.score - worse.score;
      // log(1 + exp(-x)) without an exponential that overflows.
      loss += std::log1p(std::exp(-std::abs(ahead))) + (ahead < 0 ? -ahead : 0.0);
      double const slope = -1 / (1 + std::exp(ahead));
      gradient[i] += slope;
      gradient[j] -= slope;
      ++pairs;
    }
  if (pairs == 0) return 0;
  for (double& value : gradient) value /= static_cast<double>(pairs);
  return loss / static_cast<double>(pairs);
}

}  // namespace detail

}  // namespace mae
