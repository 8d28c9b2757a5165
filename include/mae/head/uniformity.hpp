#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_map.hpp>
#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/pooling.hpp>

#include <algorithm>
#include <string_view>

namespace mae {

template <Lane L>
class uniformity_pass;

/// The head that spreads images' features over the sphere (U-MAE: Zhang et al. 2022, arXiv
/// 2210.08344): the mean over all pairs of a step's images, each with itself too, of the squared
/// cosine between their features. It has no tensors, and is of use beside a painter, with a weight
/// of about 0.01.
struct uniformity {
  template <class T, class Linear>
  struct weights {};
  template <Lane L>
  using pass = uniformity_pass<L>;

  static constexpr std::string_view name = "uniformity";
  static constexpr bool couples = true;

  pooling pool = pooling::class_token;
  index_t encoder_width = 0;  // D

  /// The head on top of an encoder of these sizes.
  uniformity fitted(model_config const& config) const { return {pool, config.encoder.width}; }
  settings_list settings() const { return {{"pooling", name_of(pool)}}; }

  template <class Walk, class... Of>
  void walk(Walk& /*at*/, Of&... /*of*/) const {}
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return pooled_width(pool, encoder_width); }
  product_extents extents(shard_capacity const& /*room*/) const { return {}; }

  /// With the rows f of unit length of z (S, F) the loss is ||f^T f / S||^2 (Frobenius), which is
  /// the mean over pairs of (f_a . f_b)^2: no matrix grows with the square of S. In double,
  /// whatever T is.
  template <class T>
  double couple(matrix_view<T const> z, matrix_view<T> z_grad) const {
    using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    constexpr double least_length = 1e-12;  // as PyTorch's normalize
    auto const count = static_cast<double>(z.rows);
    matrix unit = eigen_map(z).template cast<double>();
    Eigen::VectorXd const lengths = unit.rowwise().norm().cwiseMax(least_length);
    unit.array().colwise() /= lengths.array();
    matrix const second_moment = unit.transpose() * unit / count;  // (F, F)
    matrix grad = 4 / count * (unit * second_moment);
    // What is left of a gradient once its part along the row is taken away, by the row's length.
    Eigen::VectorXd const along = grad.cwiseProduct(unit).rowwise().sum();
    grad -= along.asDiagonal() * unit;
    grad.array().colwise() /= lengths.array();
    eigen_map(z_grad) = grad.template cast<T>();
    return second_moment.squaredNorm();
  }
};
static_assert(Head<uniformity>);

/// Uniformity on a lane: pooled tokens.
template <Lane L>
class uniformity_pass {
  using T = scalar_of<L>;

 public:
  static uniformity_pass carve(carver<T>& /*memory*/,
                               uniformity const& head,
                               shard_capacity const& /*room*/,
                               pass_kind /*kind*/) {
    uniformity_pass pass;
    pass.pool_ = head.pool;
    return pass;
  }

  /// z (images, F): the features, of any length.
  template <class Operands>
  void embed(head_input<L> const& in, Operands const& /*none*/, matrix_view<T> z) const {
    pool_tokens_forward(in.lane, in.tokens, in.shard.encoder_offsets, pool_, z);
  }
  template <class Operands, class Gradients>
  void backward(head_input<L> const& in,
                Operands const& /*none*/,
                matrix_view<T> tokens_grad,
                Gradients const& /*none*/) const {
    pool_tokens_backward(in.lane, in.labels, in.shard.encoder_offsets, pool_, tokens_grad);
  }

 private:
  pooling pool_ = pooling::class_token;
};

}  // namespace mae
