#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/eval/feature_norm.hpp>
#include <mae/eval/labelled_features.hpp>
#include <mae/op/linear.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace mae {

/// How one step of stochastic gradient descent moves a parameter, as PyTorch's SGD: the velocity
/// becomes momentum * velocity + gradient, and the parameter loses learning_rate * velocity.
struct sgd_step {
  double learning_rate = 0.1;
  double momentum = 0.9;
};

/// The cross-entropy of one row of logits and a class. The logits (classes) are overwritten by
/// their gradient: softmax - one-hot.
inline double cross_entropy_with_gradient(std::span<float> logits, index_t label) {
  auto const own = static_cast<std::size_t>(label);
  float const largest = *std::max_element(logits.begin(), logits.end());
  float const own_logit = logits[own] - largest;
  float sum = 0.0F;
  for (float& logit : logits) sum += logit = std::exp(logit - largest);
  for (float& probability : logits) probability /= sum;
  logits[own] -= 1.0F;
  return std::log(static_cast<double>(sum)) - own_logit;
}

/// A linear layer over normalised features (see feature_norm). A batch is cut into pieces of a
/// fixed size that run in parallel and are summed in order, so that the number of threads does not
/// change a bit.
template <Lane L>
requires std::same_as<typename L::operand, float>
class linear_classifier {
 public:
  /// Weights and biases are zero at first. `batch` >= 2 is the size of every training batch.
  linear_classifier(index_t features, index_t classes, index_t batch)
      : features_(features),
        classes_(classes),
        parameters_(classes * features + classes),
        velocity_(parameters_.size()),
        packed_(L::packed_cells(features, classes)),
        norm_(features),
        inputs_(batch * features),
        logits_(batch * classes) {
    assert(batch >= 2);
    for (index_t first = 0; first < batch; first += piece_rows)
      pieces_.emplace_back(features, parameters_.size());
  }

  /// Draws the weights from N(0, 0.01^2).
  void initialise(random_stream& random) {
    constexpr double deviation = 0.01;
    for (index_t i = 0; i < classes_ * features_; ++i)
      parameters_[i] = static_cast<float>(deviation * random.normal());
    pack();
  }

  /// One step over the images `rows` (batch) of `set`. Returns their mean cross-entropy before it.
  double train(labelled_features const& set,
               std::span<image_index const> rows,
               sgd_step const& step,
               thread_pool& threads) {
    auto const count = static_cast<index_t>(rows.size());
    assert(count * features_ == inputs_.size() && set.features.cols == features_);
    threads.for_ranges(count, piece_rows, [&](index_t first, index_t last, int /*worker*/) {
      gather(set, rows, first, last);
    });
    for (std::size_t i = 1; i < pieces_.size(); ++i) pieces_[0].sums.add(pieces_[i].sums);
    feature_scaling const& scaling = norm_.observe(pieces_[0].sums, count);
    threads.for_ranges(count, piece_rows, [&](index_t first, index_t last, int /*worker*/) {
      differentiate(set, rows, scaling, first, last);
    });
    return descend(count, step);
  }

  /// The share of the set's images, in [0, 1], whose own class has the largest logit (of equal ones
  /// the lower class), the features normalised by the running statistics.
  double accuracy(labelled_features const& set, thread_pool& threads) const {
    feature_scaling const scaling = norm_.running();
    std::vector<index_t> correct(static_cast<std::size_t>(ceil_div(set.size(), piece_rows)));
    threads.for_ranges(set.size(), piece_rows, [&](index_t first, index_t last, int /*worker*/) {
      host_buffer<float> inputs((last - first) * features_);
      host_buffer<float> outputs((last - first) * classes_);
      auto const x = inputs.matrix(last - first, features_);
      auto const logits = outputs.matrix(last - first, classes_);
      for (index_t i = 0; i < x.rows; ++i) scaling.apply(set.features.row(first + i), x.row(i));
      classify(x, logits);
      for (index_t i = 0; i < x.rows; ++i) {
        auto const row = logits.row(i);
        auto const chosen = std::max_element(row.begin(), row.end()) - row.begin();
        correct[static_cast<std::size_t>(first / piece_rows)] +=
            chosen == set.label(first + i) ? 1 : 0;
      }
    });
    index_t const total = std::accumulate(correct.begin(), correct.end(), index_t{0});
    return static_cast<double>(total) / static_cast<double>(set.size());
  }

  /// weight (classes, F), bias (classes).
  linear_weights<float const> weights() const {
    return {parameters_.matrix(classes_, features_),
            parameters_.span().last(static_cast<std::size_t>(classes_))};
  }
  feature_norm const& norm() const { return norm_; }

 private:
  static constexpr index_t piece_rows = 64;

  /// What one piece of a batch adds to the sums over all of it.
  struct piece {
    piece(index_t features, index_t parameters) : sums(features), gradient(parameters) {}

    feature_sums sums;
    host_buffer<float> gradient;  // of the parameters, for the sum of the losses
    double loss = 0.0;
  };

  void gather(labelled_features const& set,
              std::span<image_index const> rows,
              index_t first,
              index_t last) {
    feature_sums& sums = pieces_[static_cast<std::size_t>(first / piece_rows)].sums;
    auto const inputs = inputs_.matrix(static_cast<index_t>(rows.size()), features_);
    sums.clear();
    for (index_t i = first; i < last; ++i) {
      auto const row = set.features.row(rows[static_cast<std::size_t>(i)]);
      std::copy(row.begin(), row.end(), inputs.row(i).begin());
      sums.add(row);
    }
  }

  void differentiate(labelled_features const& set,
                     std::span<image_index const> rows,
                     feature_scaling const& scaling,
                     index_t first,
                     index_t last) {
    auto const count = static_cast<index_t>(rows.size());
    auto const x = inputs_.matrix(count, features_).middle_rows(first, last - first);
    auto const logits = logits_.matrix(count, classes_).middle_rows(first, last - first);
    for (index_t i = 0; i < x.rows; ++i) scaling.apply(x.row(i), x.row(i));
    classify(x, logits);

    piece& own = pieces_[static_cast<std::size_t>(first / piece_rows)];
    own.loss = 0.0;
    for (index_t i = 0; i < x.rows; ++i) {
      index_t const label = set.label(rows[static_cast<std::size_t>(first + i)]);
      own.loss += cross_entropy_with_gradient(logits.row(i), label);
    }
    std::ranges::fill(own.gradient.span(), 0.0F);
    linear_backward_weights<L>(L{},
                               x,
                               logits,
                               {own.gradient.matrix(classes_, features_),
                                own.gradient.span().last(static_cast<std::size_t>(classes_))});
  }

  /// Whenever the parameters have changed: the weights as products read them.
  void pack() { L{}.pack_transposed(weights().weight, packed_.data()); }

  /// logits (rows, classes) = x (rows, F) W^T + b.
  void classify(matrix_view<float const> x, matrix_view<float> logits) const {
    L{}.multiply(x,
                 L::packed_at(packed_.data(), features_, classes_),
                 kernel::store_with_bias<float, float>{weights().bias.data(), logits});
  }

  double descend(index_t count, sgd_step const& step) {
    auto const images = static_cast<float>(count);
    auto const momentum = static_cast<float>(step.momentum);
    auto const rate = static_cast<float>(step.learning_rate);
    for (index_t i = 0; i < parameters_.size(); ++i) {
      float gradient = 0.0F;
      for (piece const& each : pieces_) gradient += each.gradient[i];
      velocity_[i] = momentum * velocity_[i] + gradient / images;
      parameters_[i] -= rate * velocity_[i];
    }
    pack();
    double loss = 0.0;
    for (piece const& each : pieces_) loss += each.loss;
    return loss / static_cast<double>(count);
  }

  index_t features_;
  index_t classes_;
  host_buffer<float> parameters_;         // weight (classes, F), then bias (classes)
  host_buffer<float> velocity_;           // like the parameters
  host_buffer<typename L::cell> packed_;  // W^T
  feature_norm norm_;
  host_buffer<float> inputs_;  // (batch, F)
  host_buffer<float> logits_;  // (batch, classes); their gradient after the loss
  std::vector<piece> pieces_;
};

}  // namespace mae
