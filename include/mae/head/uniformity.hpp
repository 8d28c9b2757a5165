#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/unit_rows.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/pooling.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

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
  /// Throws config_error where no encoder was named.
  void require_valid() const {
    if (encoder_width < 1) throw config_error("uniformity needs the width of its encoder");
  }
  settings_list training_settings() const { return {{"pooling", name_of(pool)}}; }

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
    auto const count = static_cast<double>(z.rows);
    detail::unit_rows const unit(z);
    auto const moment = unit.second_moment();  // f^T f, (F, F)
    double loss = 0;
    for (double const value : moment) loss += value * value / (count * count);
    std::vector<double> gradient(static_cast<std::size_t>(z.cols));
    for (index_t r = 0; r < z.rows; ++r) {
      auto const f = unit.row(r);
      std::ranges::fill(gradient, 0.0);
      for (std::size_t i = 0; i < f.size(); ++i)
        for (std::size_t k = 0; k < f.size(); ++k) gradient[k] += f[i] * moment[i * f.size() + k];
      unit.write_gradient(r, gradient, 4 / (count * count), z_grad.row(r));
    }
    return loss;
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
