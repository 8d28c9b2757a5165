#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/classifier.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/staging.hpp>
#include <mae/network/workspace.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>

#include <cassert>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace mae::detail {

/// The head `classifier` on a lane, over features that are at hand instead of an encoder's tokens:
/// an image is one row, its feature F = D, in the place of the class token. n images of a shard, K
/// classes.
template <Backend B>
class feature_pass {
  using L = typename B::lane;
  using T = typename B::scalar;

 public:
  using operands_type = classifier::weights<T const, linear_operands<L>>;
  using gradients_type = classifier::weights<T, linear_weights<T>>;

  /// `head` pools the class token. Makes room for shards of at most `most` images.
  feature_pass(B const& backend, classifier const& head, index_t most)
      : width_(head.encoder_width),
        lane_(backend.make_lane()),
        host_features_(most * width_),
        host_labels_(most),
        offsets_(most + 1) {
    assert(head.pool == pooling::class_token);
    shard_capacity const room{.images = most, .encoder_rows = most, .longest_encoder_sequence = 1};
    workspace_.fit(room, [&](carver<T>& memory, shard_capacity const& fitted) {
      pass_ = classifier_pass<L>::carve(memory, head, fitted, pass_kind::training);
      losses_ = memory.vector(head.label_rows(fitted));
    });
    features_.reserve(host_features_.size());
    labels_.reserve(most);
    product_extents const largest = head.extents(room);
    lane_.reserve_products(largest.rows, largest.width);
    lane_.reserve_transposed(largest.rows, largest.width);
    std::vector<index_t> rows(static_cast<std::size_t>(most) + 1);
    std::iota(rows.begin(), rows.end(), index_t{0});
    lane_.upload(std::span<index_t const>(rows), offsets_.span());
  }

  L const& lane() const { return lane_; }
  /// What the next shard is written to, in the host's memory: features (n, F), labels (n, 1).
  matrix_view<T> features(index_t images) { return host_features_.matrix(images, width_); }
  matrix_view<T> labels(index_t images) { return host_labels_.matrix(images, 1); }

  /// Adds the sum of the losses of the shard that was written to *total, and its gradient, both in
  /// the backend's memory.
  void learn(index_t images,
             operands_type const& weights,
             gradients_type const& weights_grad,
             double* total) {
    auto const shard = one_row_each(images);
    auto const in = bring(shard);
    auto const losses = losses_.first(static_cast<std::size_t>(images));
    pass_.forward(in, weights, losses);
    add_losses(lane_, std::span<T const>(losses), total);
    pass_.backward(in, weights, {}, weights_grad);  // features do not learn
  }

  /// The classes' scores (n, K) of the shard that was written, in the backend's memory.
  matrix_view<T const> predict(index_t images, operands_type const& weights) {
    auto const shard = one_row_each(images);
    return pass_.predict(bring(shard), weights);
  }

 private:
  shard_view one_row_each(index_t images) {
    shard_view shard;
    shard.images = images;
    shard.encoder_offsets = {offsets_.span().first(static_cast<std::size_t>(images) + 1), 1};
    return shard;
  }
  /// `shard` must outlive the result.
  head_input<L> bring(shard_view const& shard) {
    return {.lane = lane_,
            .shard = shard,
            .tokens = features_.stage(lane_, matrix_view<T const>(features(shard.images))),
            .labels = labels_.stage(lane_, matrix_view<T const>(labels(shard.images))),
            .scratch = {},  // this head needs none
            .norm_epsilon = 0};
  }

  index_t width_;
  L lane_;
  host_buffer<T> host_features_;
  host_buffer<T> host_labels_;
  staged_array<B, T> features_;
  staged_array<B, T> labels_;
  typename B::template buffer_of<index_t> offsets_;  // 0, 1, 2, ...
  pass_workspace<B> workspace_;
  classifier_pass<L> pass_;
  std::span<T> losses_;  // (n)
};

}  // namespace mae::detail
