#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/unit_rows.hpp>
#include <mae/network/coupled_step.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace mae {

namespace detail {

/// One view of all images asks for its image among keys, which have no gradient: those of another
/// view, and earlier ones, but for an image's own. In double and by plain loops whose inner ones
/// are vectors, four questions at a time, which spares memory: nvcc compiles them too.
class key_questions {
  static constexpr std::size_t together = 4;

 public:
  /// `queries` and `keys` are rows of n images, `views` a piece, whose numbers `images` are;
  /// `earlier` may be null.
  key_questions(unit_rows const& queries,
                unit_rows const& keys,
                index_t views,
                double temperature,
                std::span<image_index const> images,
                key_queue const* earlier)
      : queries_(queries),
        keys_(keys),
        views_(views),
        temperature_(temperature),
        images_(images),
        earlier_(earlier),
        width_(queries.row(0).size()),
        candidates_(images.size() +
                    (earlier == nullptr ? 0 : static_cast<std::size_t>(earlier->size()))),
        rows_(candidates_ * width_),
        columns_(candidates_ * width_),
        logits_(together * candidates_) {
    for (std::size_t j = images.size(); j < candidates_; ++j) {
      auto const key = earlier->key(static_cast<index_t>(j - images.size()));
      for (std::size_t k = 0; k < width_; ++k) put(j, k, static_cast<double>(key[k]));
    }
  }

  /// Adds the gradient for the queries' unit rows to `gradient` (n * views, E); returns the loss.
  double ask(index_t asking, index_t answering, std::span<double> gradient) {
    for (std::size_t j = 0; j < images_.size(); ++j) {
      auto const key = keys_.row(static_cast<index_t>(j) * views_ + answering);
      for (std::size_t k = 0; k < width_; ++k) put(j, k, key[k]);
    }
    double loss = 0;
    for (std::size_t first = 0; first < images_.size(); first += together) {
      std::size_t const count = std::min(together, images_.size() - first);
      multiply(first, count, asking);
      for (std::size_t q = 0; q < count; ++q) loss += answer(q, first + q);
      add_gradients(first, count, asking, gradient);
    }
    return loss;
  }

 private:
  void put(std::size_t j, std::size_t k, double value) {
    rows_[j * width_ + k] = value;
    columns_[k * candidates_ + j] = value;
  }
  index_t row_of(std::size_t image, index_t view) const {
    return static_cast<index_t>(image) * views_ + view;
  }
  double* logits_of(std::size_t q) { return logits_.data() + q * candidates_; }

  /// The products of `count` questions with all candidates, over the temperature.
  void multiply(std::size_t first, std::size_t count, index_t asking) {
    constexpr std::size_t block = 512;
    std::ranges::fill(logits_, 0.0);
    for (std::size_t begin = 0; begin < candidates_; begin += block) {
      std::size_t const end = std::min(candidates_, begin + block);
      for (std::size_t k = 0; k < width_; ++k) {
        double const* const column = columns_.data() + k * candidates_;
        for (std::size_t q = 0; q < count; ++q) {
          double const value = queries_.row(row_of(first + q, asking))[k] / temperature_;
          double* const logits = logits_of(q);
          for (std::size_t j = begin; j < end; ++j) logits[j] += value * column[j];
        }
      }
    }
  }

  /// The loss of question q, whose answer is this image's key; leaves the gradient of each
  /// candidate's product in its place.
  double answer(std::size_t q, std::size_t image) {
    std::span<double> const logits(logits_of(q), candidates_);
    for (std::size_t j = images_.size(); j < candidates_; ++j)
      if (earlier_->images[j - images_.size()] == images_[image])
        logits[j] = -std::numeric_limits<double>::infinity();
    double const most = *std::ranges::max_element(logits);
    double const asked_for = logits[image];
    double sum = 0;
    for (double& logit : logits) sum += logit = std::exp(logit - most);
    for (double& probability : logits) probability /= sum * temperature_;
    logits[image] -= 1 / temperature_;
    return most + std::log(sum) - asked_for;
  }

  void add_gradients(std::size_t first,
                     std::size_t count,
                     index_t asking,
                     std::span<double> gradient) {
    for (std::size_t j = 0; j < candidates_; ++j) {
      double const* const key = rows_.data() + j * width_;
      for (std::size_t q = 0; q < count; ++q) {
        double const slope = logits_of(q)[j];
        auto const row = static_cast<std::size_t>(row_of(first + q, asking));
        double* const to = gradient.data() + row * width_;
        for (std::size_t k = 0; k < width_; ++k) to[k] += slope * key[k];
      }
    }
  }

  unit_rows const& queries_;
  unit_rows const& keys_;
  index_t views_;
  double temperature_;
  std::span<image_index const> images_;
  key_queue const* earlier_;
  std::size_t width_;            // E
  std::size_t candidates_;       // M
  std::vector<double> rows_;     // (M, E)
  std::vector<double> columns_;  // (E, M)
  std::vector<double> logits_;   // (4, M)
};

/// See info_nce_of_keys: of rows of unit length; writes the gradient for the queries' unit rows.
inline double loss_of_questions(unit_rows const& queries,
                                unit_rows const& keys,
                                index_t views,
                                double temperature,
                                std::span<image_index const> images,
                                key_queue const* earlier,
                                std::span<double> gradient) {
  key_questions questions(queries, keys, views, temperature, images, earlier);
  double loss = 0;
  for (index_t asking = 0; asking < views; ++asking)
    for (index_t answering = 0; answering < views; ++answering)
      if (answering != asking) loss += questions.ask(asking, answering, gradient);
  return loss;
}

}  // namespace detail

/// The InfoNCE loss of queries q (n * views, E) that ask for their images among keys k (n * views,
/// E), the views of an image one after the other, and among earlier keys: with rows of unit length
/// the mean over images i and ordered pairs (a, b) of different views of
///
///   -log( exp(q_ia . k_ib / temperature)
///         / (sum over images j of exp(q_ia . k_jb / temperature)
///            + sum over earlier keys e of other images than i of exp(q_ia . e / temperature)) ).
///
/// Keys have no gradient (MoCo v3: Chen, Xie and He 2021, arXiv 2104.02057, without its factor of
/// twice the temperature; earlier ones as in MoCo: He et al. 2019, arXiv 1911.05722). Writes that
/// for q. In double, whatever T is, in the memory of two copies of all keys.
template <class T>
double info_nce_of_keys(matrix_view<T const> q,
                        matrix_view<T const> k,
                        index_t views,
                        double temperature,
                        std::span<image_index const> images,
                        key_queue const* earlier,
                        matrix_view<T> q_grad) {
  detail::unit_rows const queries(q);
  detail::unit_rows const keys(k);
  std::vector<double> gradient(static_cast<std::size_t>(q.rows * q.cols));
  double const loss = detail::loss_of_questions(
      queries, keys, views, temperature, images, earlier, std::span(gradient));
  double const share = 1 / static_cast<double>(q.rows * (views - 1));
  auto const width = static_cast<std::size_t>(q.cols);
  for (index_t r = 0; r < q.rows; ++r)
    queries.write_gradient(
        r,
        std::span<double const>(gradient).subspan(static_cast<std::size_t>(r) * width, width),
        share,
        q_grad.row(r));
  return share * loss;
}

}  // namespace mae
