#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/pooled_linear.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>

#include <string_view>

namespace mae_test {

template <mae::Lane L>
class scatter_pass;

/// All that the library asks of a head that couples images, and no more: what compiles with this
/// one compiles with any. Its loss is the variance of two numbers over a step's images.
///
/// - A value type of sizes and settings; `weights` and `walk` tell its tensors, here a linear
///   layer's; a head without tensors has an empty struct and walks nothing.
/// - `couples` is true: its pass has `embed` in place of `forward`, and is called twice a step for
///   each shard, once before `couple` and once before `backward`, with the same bits.
/// - `couple(z, gradient)`: on the host, once a step, by one thread, with the rows of all images of
///   all accumulated batches and processes in the order of the step. Returns the loss, which is not
///   divided by anything any more, and writes the gradient of every row.
/// - `backward` finds its shard's rows of that gradient in `in.labels`.
///
/// The library never asks it for labels, num_counted or loss_of_zero.
struct scatter {
  template <class T, class Linear>
  using weights = mae::pooled_linear::weights<T, Linear>;
  template <mae::Lane L>
  using pass = scatter_pass<L>;

  static constexpr std::string_view name = "scatter";
  static constexpr bool couples = true;

  mae::pooled_linear part;

  scatter fitted(mae::model_config const& config) const {
    return {{"scatter", config.encoder.width, 2}};
  }
  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    part.walk(at, of...);
  }
  mae::index_t label_rows(mae::shard_capacity const& room) const { return room.images; }
  mae::index_t label_width() const { return part.outputs; }
  mae::product_extents extents(mae::shard_capacity const& room) const { return part.extents(room); }

  template <class T>
  double couple(mae::matrix_view<T const> z, mae::matrix_view<T> gradient) const {
    double variance = 0;
    auto const count = static_cast<double>(z.rows);
    for (mae::index_t c = 0; c < z.cols; ++c) {
      double mean = 0;
      for (mae::index_t r = 0; r < z.rows; ++r) mean += static_cast<double>(z(r, c)) / count;
      for (mae::index_t r = 0; r < z.rows; ++r) {
        double const from_mean = static_cast<double>(z(r, c)) - mean;
        variance += from_mean * from_mean / count;
        gradient(r, c) = static_cast<T>(2 * from_mean / count);
      }
    }
    return variance;
  }
};
static_assert(mae::Head<scatter>);

template <mae::Lane L>
class scatter_pass {
  using T = mae::scalar_of<L>;

 public:
  static scatter_pass carve(mae::carver<T>& memory,
                            scatter const& head,
                            mae::shard_capacity const& room,
                            mae::pass_kind kind) {
    scatter_pass pass;
    pass.part_ = mae::pooled_linear_pass<L>::carve(memory, head.part, room, kind);
    return pass;
  }
  template <class Operands>
  void embed(mae::head_input<L> const& in, Operands const& weights, mae::matrix_view<T> z) const {
    auto const values = part_.forward(in, weights);
    in.lane.for_each(z.size(), copy_element{values.data, z.data});
  }
  template <class Operands, class Gradients>
  void backward(mae::head_input<L> const& in,
                Operands const& weights,
                mae::matrix_view<T> tokens_grad,
                Gradients const& weights_grad) const {
    part_.backward(in, weights, in.labels, tokens_grad, weights_grad);
  }

 private:
  struct copy_element {
    T const* from;
    T* to;
    MAE_HOST_DEVICE void operator()(mae::index_t i) const { to[i] = from[i]; }
  };

  mae::pooled_linear_pass<L> part_;
};

}  // namespace mae_test
