#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/op/linear.hpp>

#include <concepts>
#include <span>
#include <string_view>

namespace mae {

/// What a head's pass reads of a shard, in the memory of the lane's backend.
template <Lane L>
struct head_input {
  using T = scalar_of<L>;

  L const& lane;
  shard_view const& shard;
  matrix_view<T const> tokens;  // (R, D), the encoder's after the final norm
  matrix_view<T const> labels;  // (label rows of the shard, label width)
  std::span<T> scratch;         // scratch_size values at least, of no meaning between calls
  T norm_epsilon;
};

namespace archetype {

/// A walk of no use but to be named in the concept below: all that part.hpp says of one.
struct any_walk {
  void begin(std::string_view segment);
  void enter(char const* stack, index_t block);
  void leave();
  void norm(char const* name, index_t width);
  void linear(char const* name, index_t out, index_t in);
  void token(char const* name, index_t width);
  void positions(char const* name, index_t patches, index_t width);
  void patch_projection(char const* name, model_config const& config);
};

}  // namespace archetype

/// What learns from the encoder's tokens: a part of the network, whose tensors are a segment of its
/// own. The object holds sizes and settings; weights are found in the network's flat arrays.
/// Optional: `require_valid()`, which layout_of calls, throws config_error for any that cannot be.
template <class H>
concept Head = std::copyable<H> &&
    requires(H const& head, shard_capacity const& room, archetype::any_walk& at) {
  /// A constant that no other head of the network has: its segment's name, and what errors call it.
  { H::name } -> std::convertible_to<std::string_view>;
  /// Tells of its tensors, as part.hpp says, and of the member of any objects that stands for each.
  { head.walk(at) } -> std::same_as<void>;
  /// What it is to learn: a matrix, of at most so many rows for shards of this capacity.
  { head.label_rows(room) } -> std::same_as<index_t>;
  { head.label_width() } -> std::same_as<index_t>;
  /// Its largest products.
  { head.extents(room) } -> std::same_as<product_extents>;
};

/// A head that can be trained on a lane. H::weights<T, Linear> are its tensors as a walk sees them;
/// H::pass<L> is what it keeps of a forward pass for the backward pass, carved out of the network's
/// memory.
template <class H, class L>
concept HeadOn = Head<H> && Lane<L> && requires(
    H const& head,
    shard_capacity const& room,
    carver<scalar_of<L>>& memory,
    typename H::template pass<L> const& pass,
    head_input<L> const& in,
    typename H::template weights<scalar_of<L> const, linear_operands<L>> const& operands,
    matrix_view<scalar_of<L>> tokens_grad,
    typename H::template weights<scalar_of<L>, linear_weights<scalar_of<L>>> const& weights_grad,
    double* total) {
  /// The scalars of scratch memory that it needs on a lane of so many members.
  { head.template scratch_size<L>(room, 1) } -> std::same_as<index_t>;
  requires std::same_as<decltype(H::template pass<L>::carve(
                            memory, head, room, pass_kind::training)),
                        typename H::template pass<L>>;
  /// Adds to *total, in the backend's memory, the sum of the shard's losses.
  { pass.forward(in, operands, total) } -> std::same_as<void>;
  /// After `forward`: writes the gradient of that sum for the tokens (R, D), and adds those of its
  /// weights.
  { pass.backward(in, operands, tokens_grad, weights_grad) } -> std::same_as<void>;
};

}  // namespace mae
