#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/unit_rows.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

namespace detail {

/// One view of all images asks for its image among the answers of another view: the sum over images
/// of the cross entropy of softmax(f_i . g_j / temperature) and j = i. In double and by plain loops
/// whose inner ones are vectors: nvcc compiles them too.
class view_questions {
 public:
  /// `rows` are those of n images, `views` a piece.
  view_questions(unit_rows const& rows, index_t images, index_t views, double temperature)
      : rows_(rows),
        images_(images),
        views_(views),
        temperature_(temperature),
        columns_(rows.row(0).size() * static_cast<std::size_t>(images)),
        logits_(static_cast<std::size_t>(images)) {}

  /// Adds the gradient for the unit rows to `gradient` (n * views, E); returns the loss.
  double ask(index_t asking, index_t answering, std::span<double> gradient) {
    transpose(answering);
    double loss = 0;
    for (index_t i = 0; i < images_; ++i) {
      auto const question = rows_.row(i * views_ + asking);
      loss += answer(question, i);
      add_gradients(question, i * views_ + asking, answering, gradient);
    }
    return loss;
  }

 private:
  /// columns (E, n): the answers, so that the loop over them is the inner one.
  void transpose(index_t answering) {
    auto const images = static_cast<std::size_t>(images_);
    for (std::size_t j = 0; j < images; ++j) {
      auto const row = rows_.row(static_cast<index_t>(j) * views_ + answering);
      for (std::size_t k = 0; k < row.size(); ++k) columns_[k * images + j] = row[k];
    }
  }

  /// The loss of a question whose answer is image i; leaves in `logits_` the gradient of each one's
  /// product.
  double answer(std::span<double const> question, index_t i) {
    auto const images = static_cast<std::size_t>(images_);
    std::ranges::fill(logits_, 0.0);
    for (std::size_t k = 0; k < question.size(); ++k) {
      double const* const column = columns_.data() + k * images;
      double const value = question[k] / temperature_;
      for (std::size_t j = 0; j < images; ++j) logits_[j] += value * column[j];
    }
    double const most = *std::ranges::max_element(logits_);
    auto const right = static_cast<std::size_t>(i);
    double const asked_for = logits_[right];
    double sum = 0;
    for (double& logit : logits_) sum += logit = std::exp(logit - most);
    for (double& probability : logits_) probability /= sum * temperature_;
    logits_[right] -= 1 / temperature_;
    return most + std::log(sum) - asked_for;
  }

  void add_gradients(std::span<double const> question,
                     index_t asking_row,
                     index_t answering,
                     std::span<double> gradient) const {
    std::size_t const width = question.size();
    double* const of_question = gradient.data() + static_cast<std::size_t>(asking_row) * width;
    for (index_t j = 0; j < images_; ++j) {
      index_t const row = j * views_ + answering;
      auto const given = rows_.row(row);
      double* const of_answer = gradient.data() + static_cast<std::size_t>(row) * width;
      double const slope = logits_[static_cast<std::size_t>(j)];
      for (std::size_t k = 0; k < width; ++k) {
        of_question[k] += slope * given[k];
        of_answer[k] += slope * question[k];
      }
    }
  }

  unit_rows const& rows_;
  index_t images_;
  index_t views_;
  double temperature_;
  std::vector<double> columns_;
  std::vector<double> logits_;
};

}  // namespace detail

/// The symmetric InfoNCE loss of z (n * views, E), the views of an image one after the other: with
/// f the rows of unit length, the mean over images and ordered pairs (a, b) of different views of
///
///   -log( exp(f_ia . f_ib / temperature) / sum over images j of exp(f_ia . f_jb / temperature) ).
///
/// Writes the gradient for z. In double, whatever T is, in the memory of a few copies of z.
template <class T>
double info_nce(matrix_view<T const> z, index_t views, double temperature, matrix_view<T> z_grad) {
  index_t const images = z.rows / views;
  detail::unit_rows const unit(z);
  std::vector<double> gradient(static_cast<std::size_t>(z.rows * z.cols));
  detail::view_questions questions(unit, images, views, temperature);
  double loss = 0;
  for (index_t asking = 0; asking < views; ++asking)
    for (index_t answering = 0; answering < views; ++answering)
      if (answering != asking) loss += questions.ask(asking, answering, gradient);
  double const share = 1 / static_cast<double>(images * views * (views - 1));
  auto const width = static_cast<std::size_t>(z.cols);
  for (index_t r = 0; r < z.rows; ++r)
    unit.write_gradient(
        r,
        std::span<double const>(gradient).subspan(static_cast<std::size_t>(r) * width, width),
        share,
        z_grad.row(r));
  return share * loss;
}

}  // namespace mae
