#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/row_offsets.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/staging.hpp>
#include <mae/network/workspace.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/patch_loss.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace mae::detail {

/// A head that classifies on a lane, over features that are at hand instead of an encoder's tokens:
/// an image is S rows of F values. n images of a shard, K classes.
template <Backend B, class H>
class feature_pass {
  using L = typename B::lane;
  using T = typename B::scalar;
  using pass_type = typename H::template pass<L>;

 public:
  using operands_type = typename H::template weights<T const, linear_operands<L>>;
  using gradients_type = typename H::template weights<T, linear_weights<T>>;

  /// Makes room for shards of at most `most` images of `rows` rows each.
  feature_pass(B const& backend, H const& head, index_t rows, index_t most)
      : width_(head.encoder_width),
        rows_(rows),
        lane_(backend.make_lane()),
        host_features_(most * rows * width_),
        host_labels_(most),
        offsets_(most + 1) {
    shard_capacity const room{
        .images = most, .encoder_rows = most * rows, .longest_encoder_sequence = rows};
    workspace_.fit(room, [&](carver<T>& memory, shard_capacity const& fitted) {
      pass_ = pass_type::carve(memory, head, fitted, pass_kind::training);
      losses_ = memory.vector(head.label_rows(fitted));
    });
    features_.reserve(host_features_.size());
    labels_.reserve(most);
    product_extents const largest = head.extents(room);
    lane_.reserve_products(largest.rows, largest.width);
    lane_.reserve_transposed(largest.rows, largest.width);
    std::vector<index_t> starts;
    for (index_t i = 0; i <= most; ++i) starts.push_back(i * rows);
    lane_.upload(std::span<index_t const>(starts), offsets_.span());
  }

  L const& lane() const { return lane_; }
  /// What the next shard is written to, in the host's memory: features (n S, F), labels (n, 1).
  matrix_view<T> features(index_t images) { return host_features_.matrix(images * rows_, width_); }
  matrix_view<T> labels(index_t images) { return host_labels_.matrix(images, 1); }

  /// Adds the sum of the losses of the shard that was written to *total, and its gradient, both in
  /// the backend's memory.
  void learn(index_t images,
             operands_type const& weights,
             gradients_type const& weights_grad,
             double* total) {
    auto const shard = of_images(images);
    auto const in = bring(shard);
    auto const losses = losses_.first(static_cast<std::size_t>(images));
    pass_.forward(in, weights, losses);
    add_losses(lane_, std::span<T const>(losses), total);
    pass_.backward(in, weights, {}, weights_grad);  // features do not learn
  }

  /// The classes' scores (n, K) of the shard that was written, in the backend's memory.
  matrix_view<T const> predict(index_t images, operands_type const& weights) {
    auto const shard = of_images(images);
    return pass_.predict(bring(shard), weights);
  }

 private:
  shard_view of_images(index_t images) {
    shard_view shard;
    shard.images = images;
    shard.encoder_offsets = {offsets_.span().first(static_cast<std::size_t>(images) + 1), rows_};
    return shard;
  }
  /// `shard` must outlive the result.
  head_input<L> bring(shard_view const& shard) {
    return {.lane = lane_,
            .shard = shard,
            .tokens = features_.stage(lane_, matrix_view<T const>(features(shard.images))),
            .labels = labels_.stage(lane_, matrix_view<T const>(labels(shard.images))),
            .scratch = {},  // these heads need none
            .norm_epsilon = 0};
  }

  index_t width_;
  index_t rows_;
  L lane_;
  host_buffer<T> host_features_;
  host_buffer<T> host_labels_;
  staged_array<B, T> features_;
  staged_array<B, T> labels_;
  typename B::template buffer_of<index_t> offsets_;  // 0, S, 2 S, ...
  pass_workspace<B> workspace_;
  pass_type pass_;
  std::span<T> losses_;  // (n)
};

}  // namespace mae::detail
