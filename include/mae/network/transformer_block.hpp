#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/views.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/drop_path.hpp>
#include <mae/op/gelu.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>

#include <cstddef>
#include <span>

namespace mae {

/// What a block keeps of its forward pass for its backward pass: operands of products in the type
/// that they are multiplied in. R rows, D width, H heads.
template <Lane L>
struct block_activations {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  matrix_view<T> input;             // (R, D)
  matrix_view<T> norm1_statistics;  // (R, 2)
  matrix_view<O> norm1;             // (R, D)
  matrix_view<O> qkv;               // (R, 3 D), or queries alone (R, D)
  matrix_view<T> log_sums;          // (R, H)
  matrix_view<O> attended;          // (R, D)
  matrix_view<T> middle;            // (R, D), after the first residual
  matrix_view<T> norm2_statistics;  // (R, 2)
  matrix_view<O> norm2;             // (R, D)
  matrix_view<O> activated;         // (R, hidden), after GELU
  matrix_view<O> slope;             // (R, hidden), the derivative of GELU; see carve_slope

  static block_activations carve(carver<T>& memory,
                                 stack_config const& stack,
                                 index_t rows,
                                 pass_kind kind = pass_kind::training) {
    return carve(memory, stack, rows, 3 * stack.width, kind);
  }
  static block_activations carve(carver<T>& memory,
                                 stack_config const& stack,
                                 index_t rows,
                                 index_t qkv_width,
                                 pass_kind kind = pass_kind::training) {
    index_t const width = stack.width;
    return {.input = memory.matrix(rows, width),
            .norm1_statistics = memory.matrix(rows, 2),
            .norm1 = memory.template matrix_of<O>(rows, width),
            .qkv = memory.template matrix_of<O>(rows, qkv_width),
            .log_sums = memory.matrix(rows, stack.heads),
            .attended = memory.template matrix_of<O>(rows, width),
            .middle = memory.matrix(rows, width),
            .norm2_statistics = memory.matrix(rows, 2),
            .norm2 = memory.template matrix_of<O>(rows, width),
            .activated = memory.template matrix_of<O>(rows, stack.hidden()),
            .slope = carve_slope(memory, rows, stack.hidden(), kind)};
  }

  /// The first `rows` rows of everything: a shard smaller than the capacity.
  block_activations first_rows(index_t rows) const {
    auto const cut = [rows](auto const& full) { return full.middle_rows(0, rows); };
    return {.input = cut(input),
            .norm1_statistics = cut(norm1_statistics),
            .norm1 = cut(norm1),
            .qkv = cut(qkv),
            .log_sums = cut(log_sums),
            .attended = cut(attended),
            .middle = cut(middle),
            .norm2_statistics = cut(norm2_statistics),
            .norm2 = cut(norm2),
            .activated = cut(activated),
            .slope = cut(slope)};
  }

 private:
  /// For inference, after which nobody reads slopes, all rows are one, which stays in a core's
  /// first cache; not on lanes that write several at once.
  static matrix_view<O> carve_slope(carver<T>& memory,
                                    index_t rows,
                                    index_t hidden,
                                    pass_kind kind) {
    if (kind == pass_kind::training || L::is_parallel)
      return memory.template matrix_of<O>(rows, hidden);
    return {memory.template matrix_of<O>(1, hidden).data, rows, hidden, 0};
  }
};

/// Gradients that live only while one block goes backward; its MLP's and its attention's share
/// room.
template <Lane L>
struct block_gradients {
  using T = scalar_of<L>;
  using O = operand_of<L>;

  matrix_view<O> output;    // (R, D), the block's own gradient as operands
  matrix_view<O> hidden;    // (R, hidden)
  matrix_view<O> qkv;       // (R, 3 D)
  matrix_view<O> attended;  // (R, D)
  matrix_view<T> norm;      // (R, D)

  static block_gradients carve(carver<T>& memory,
                               stack_config const& stack,
                               index_t rows,
                               index_t qkv_width = 0) {  // 0: 3 D
    if (qkv_width == 0) qkv_width = 3 * stack.width;
    block_gradients grads;
    grads.output = memory.template matrix_of<O>(rows, stack.width);
    grads.norm = memory.matrix(rows, stack.width);
    auto again = memory;
    grads.hidden = memory.template matrix_of<O>(rows, stack.hidden());
    grads.qkv = again.template matrix_of<O>(rows, qkv_width);
    grads.attended = again.template matrix_of<O>(rows, stack.width);
    if (memory.used() < again.used()) memory = again;
    return grads;
  }

  block_gradients first_rows(index_t rows) const {
    auto const cut = [rows](auto const& full) { return full.middle_rows(0, rows); };
    return {.output = cut(output),
            .hidden = cut(hidden),
            .qkv = cut(qkv),
            .attended = cut(attended),
            .norm = cut(norm)};
  }
};

/// The two residual branches of a block.
enum class block_half : index_t { attention, mlp };

/// How the tokens of a shard's images are told apart, and the settings of every block of a stack.
template <class T>
struct block_context {
  row_offsets offsets;
  index_t heads = 1;
  T norm_epsilon{};
  std::span<T> scratch;  // attention_scratch_size(longest sequence)
  /// What each image's branches are multiplied by, those of a block side by side (images, 2 depth);
  /// none: 1.
  matrix_view<float const> branch_scales = {};
  index_t block = 0;

  block_context of_block(std::size_t number) const {
    auto of = *this;
    of.block = static_cast<index_t>(number);
    return of;
  }
  bool drops_paths() const { return branch_scales.data != nullptr; }
  /// Of one branch (images, 1).
  matrix_view<float const> scales_of(block_half half) const {
    return branch_scales.middle_cols(2 * block + static_cast<index_t>(half), 1);
  }
};

/// y (R, D) = x (R, D) + the branch that ends in this layer, of input a.
template <Lane L>
void branch_forward(L const& lane,
                    block_context<scalar_of<L>> const& context,
                    block_half half,
                    matrix_view<operand_of<L> const> a,
                    linear_operands<L> const& layer,
                    matrix_view<scalar_of<L> const> x,
                    matrix_view<scalar_of<L>> y) {
  if (!context.drops_paths()) return linear_residual_forward(lane, a, layer, x, y);
  linear_forward(lane, a, layer, y);
  drop_path_forward(lane, x, context.offsets, context.scales_of(half), y);
}

/// The gradient of the branch's last layer, given that of the sum, as operands: in `room`, or the
/// sum's own.
template <Lane L>
matrix_view<operand_of<L> const> branch_grad(L const& lane,
                                             block_context<scalar_of<L>> const& context,
                                             block_half half,
                                             matrix_view<scalar_of<L> const> y_grad,
                                             matrix_view<operand_of<L>> room) {
  if (!context.drops_paths()) return as_operands(lane, y_grad, room);
  drop_path_backward(lane, y_grad, context.offsets, context.scales_of(half), room);
  return room;
}

/// The first half of a pre-norm transformer block (Dosovitskiy et al. 2020, arXiv 2010.11929, Eq.
/// 2): keep.middle = x + attention(norm1(x)), x = keep.input.
template <Lane L>
void attention_half_forward(L const& lane,
                            block_context<scalar_of<L>> const& context,
                            block_operands<L> const& weights,
                            block_activations<L> const& keep) {
  layer_norm_forward(
      lane, keep.input, weights.norm1, context.norm_epsilon, keep.norm1, keep.norm1_statistics);
  linear_forward(lane, keep.norm1, weights.qkv, keep.qkv);
  attention_forward(lane,
                    keep.qkv,
                    context.offsets,
                    context.heads,
                    keep.attended,
                    keep.log_sums,
                    context.scratch);
  branch_forward<L>(
      lane, context, block_half::attention, keep.attended, weights.proj, keep.input, keep.middle);
}

/// The second half (Eq. 3), each row for itself: y = x + mlp(norm2(x)), x = keep.middle.
template <Lane L>
void mlp_half_forward(L const& lane,
                      block_context<scalar_of<L>> const& context,
                      block_operands<L> const& weights,
                      block_activations<L> const& keep,
                      matrix_view<scalar_of<L>> y) {
  layer_norm_forward(
      lane, keep.middle, weights.norm2, context.norm_epsilon, keep.norm2, keep.norm2_statistics);
  linear_gelu_forward(lane, keep.norm2, weights.fc1, keep.activated, keep.slope);
  branch_forward<L>(lane, context, block_half::mlp, keep.activated, weights.fc2, keep.middle, y);
}

/// Both halves: reads keep.input, writes y (R, D), which may be keep.input when no backward pass
/// follows.
template <Lane L>
void block_forward(L const& lane,
                   block_context<scalar_of<L>> const& context,
                   block_operands<L> const& weights,
                   block_activations<L> const& keep,
                   matrix_view<scalar_of<L>> y) {
  attention_half_forward(lane, context, weights, keep);
  mlp_half_forward(lane, context, weights, keep, y);
}

/// Turns `grad` (R, D), the gradient of the second half's output, into that of its input, and adds
/// to the weights' gradients.
template <Lane L>
void mlp_half_backward(L const& lane,
                       block_context<scalar_of<L>> const& context,
                       block_operands<L> const& weights,
                       block_activations<L> const& kept,
                       block_gradients<L> const& scratch,
                       matrix_view<scalar_of<L>> grad,
                       block_weights<scalar_of<L>> const& weights_grad) {
  auto const mlp_grad = branch_grad<L>(lane, context, block_half::mlp, grad, scratch.output);
  linear_backward_weights(lane, kept.activated, mlp_grad, weights_grad.fc2);
  gelu_linear_backward(lane, weights.fc2, mlp_grad, kept.slope, scratch.hidden);
  linear_backward(lane, kept.norm2, weights.fc1, scratch.hidden, scratch.norm, weights_grad.fc1);
  layer_norm_backward(lane,
                      kept.middle,
                      weights.norm2,
                      kept.norm2_statistics,
                      scratch.norm,
                      grad,
                      weights_grad.norm2);
}

/// Likewise for the first half.
template <Lane L>
void attention_half_backward(L const& lane,
                             block_context<scalar_of<L>> const& context,
                             block_operands<L> const& weights,
                             block_activations<L> const& kept,
                             block_gradients<L> const& scratch,
                             matrix_view<scalar_of<L>> grad,
                             block_weights<scalar_of<L>> const& weights_grad) {
  auto const attention_grad =
      branch_grad<L>(lane, context, block_half::attention, grad, scratch.output);
  linear_backward(
      lane, kept.attended, weights.proj, attention_grad, scratch.attended, weights_grad.proj);
  attention_backward(lane,
                     kept.qkv,
                     context.offsets,
                     context.heads,
                     kept.log_sums,
                     scratch.attended,
                     scratch.qkv,
                     context.scratch);
  linear_backward(lane, kept.norm1, weights.qkv, scratch.qkv, scratch.norm, weights_grad.qkv);
  layer_norm_backward(lane,
                      kept.input,
                      weights.norm1,
                      kept.norm1_statistics,
                      scratch.norm,
                      grad,
                      weights_grad.norm1);
}

/// Likewise for the block.
template <Lane L>
void block_backward(L const& lane,
                    block_context<scalar_of<L>> const& context,
                    block_operands<L> const& weights,
                    block_activations<L> const& kept,
                    block_gradients<L> const& scratch,
                    matrix_view<scalar_of<L>> grad,
                    block_weights<scalar_of<L>> const& weights_grad) {
  mlp_half_backward(lane, context, weights, kept, scratch, grad, weights_grad);
  attention_half_backward(lane, context, weights, kept, scratch, grad, weights_grad);
}

}  // namespace mae
