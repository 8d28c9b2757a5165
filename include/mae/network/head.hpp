#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/coupled_step.hpp>
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
  T const* row_weights = nullptr;  // of the labels' rows, of one that weighs_rows; null: all are 1
  matrix_view<T const> painted = {};  // what the first head predicts, of one that hears_painter
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
  void table(char const* name, index_t rows, index_t width);
  void patch_projection(char const* name, model_config const& config);
};

}  // namespace archetype

/// Whether what a head says of an image depends on the others of the step: see CouplingHeadOn.
template <class H>
inline constexpr bool couples_samples = requires {
  requires H::couples;
};

/// Whether a head learns from mixed images: its labels tell of an image_sample's partner too. One
/// that does not say so is not trained on them; one that couples images is unless it says false.
template <class H>
inline constexpr bool learns_mixtures = requires {
  requires H::learns_mixtures;
};

/// Whether a head's backward pass multiplies each row's gradient by head_input's row_weights; its
/// losses stay as they are, and are weighed where they are summed.
template <class H>
inline constexpr bool weighs_rows = requires {
  requires H::weighs_rows;
};

namespace detail {

/// Optional members that are not const would be passed over.
template <class H>
concept HasConstOptions = requires(H const& head, model_config const& config) {
  requires !requires(H & changed) {
    changed.fitted(config);
  }
  || requires {
    { head.fitted(config) } -> std::same_as<H>;
  };
  requires !requires(H & changed) {
    changed.require_valid();
  }
  || requires {
    head.require_valid();
  };
  requires !requires(H & changed) {
    changed.settings();
  }
  || requires {
    head.settings();
  };
  requires !requires(H & changed) {
    changed.require_images(index_t{});
  }
  || requires {
    head.require_images(index_t{});
  };
};

}  // namespace detail

/// What learns from the encoder's tokens: a part of the network, whose tensors are a segment of its
/// own. The object holds sizes and settings; weights are found in the network's flat arrays.
/// Optional, all const: `fitted(config)`, the head for an encoder of these sizes;
/// `require_valid()`, which layout_of calls, throws config_error for any that cannot be;
/// `require_images(number)`, which a trainer calls, for a dataset of so many that does not fit, and
/// `require_input(objective, statistics)`, for what its painter is asked for and shown;
/// `settings()`, a settings_list of what gives its tensors their meaning, and
/// `training_settings()`, of what else decides a training: files keep them, and loading compares
/// them; `start_deviation`, of its weights' first values where they are normal; `label(image,
/// rows)`, which makes its labels (LabelMaker); `hears_painter` (heard_painter.hpp) and
/// `learns_noise`, static constants that are true of one that learns from what is painted, and of
/// one that does from noise on what is seen, of which there must be some; `scratch_size<L>(room,
/// members)`, the scalars of scratch memory that its pass needs on a lane of so many members.
template <class H>
concept Head = std::copyable<H> && detail::HasConstOptions<H> &&
    requires(H const& head,
             shard_capacity const& room,
             archetype::any_walk& at,
             matrix_view<float const> labels) {
  /// A constant that no other head of the network has: its segment's name, and what errors call it.
  { H::name } -> std::convertible_to<std::string_view>;
  /// Tells of its tensors, as part.hpp says, and of the member of any objects that stands for each.
  { head.walk(at) } -> std::same_as<void>;
  /// What it is to learn: a matrix, of so many rows for a shard of these counts, the sum of those
  /// of its images; a loss a row. One row an image of a head that couples them.
  { head.label_rows(room) } -> std::same_as<index_t>;
  { head.label_width() } -> std::same_as<index_t>;
  /// Its largest products.
  { head.extents(room) } -> std::same_as<product_extents>;
  /// Of these labels, in the host's memory: the rows over which its loss is the mean, others having
  /// neither loss nor gradient; and the sum of the losses of a prediction of zeros.
  requires couples_samples<H> || requires {
    { head.num_counted(labels) } -> std::same_as<index_t>;
    { head.loss_of_zero(labels) } -> std::same_as<double>;
  };
};

namespace detail {

/// What both kinds of heads have on a lane.
template <class H, class L>
concept AnyHeadOn = Head<H> && Lane<L> && requires(
    H const& head,
    shard_capacity const& room,
    carver<scalar_of<L>>& memory,
    typename H::template pass<L> const& pass,
    head_input<L> const& in,
    typename H::template weights<scalar_of<L> const, linear_operands<L>> const& operands,
    matrix_view<scalar_of<L>> tokens_grad,
    typename H::template weights<scalar_of<L>, linear_weights<scalar_of<L>>> const& weights_grad) {
  requires std::same_as<decltype(H::template pass<L>::carve(
                            memory, head, room, pass_kind::training)),
                        typename H::template pass<L>>;
  /// After the forward pass: writes the gradient of the losses' sum for the tokens (R, D), and adds
  /// those of its weights.
  { pass.backward(in, operands, tokens_grad, weights_grad) } -> std::same_as<void>;
};

}  // namespace detail

namespace detail {

template <class H, class T>
double couple(H const& head,
              matrix_view<T const> all,
              matrix_view<T> z,
              coupled_step<T> const& step) requires requires {
  head.couple(all, z, step);
}
{ return head.couple(all, z, step); }
template <class H, class T>
double couple(H const& head,
              matrix_view<T const> all,
              matrix_view<T> z,
              coupled_step<T> const& step) requires requires {
  head.couple(all, z, step.random);
}
{ return head.couple(all, z, step.random); }
template <class H, class T>
double couple(H const& head,
              matrix_view<T const> all,
              matrix_view<T> z,
              coupled_step<T> const& /*step*/) requires requires {
  { head.couple(all, z) } -> std::same_as<double>;
}
{ return head.couple(all, z); }

}  // namespace detail

/// Whether such a head is also to hear what the moving average of the network says of a step's
/// samples; the update rule must keep one (with_average).
template <class H>
bool asks_average(H const& head) {
  if constexpr (requires { head.asks_average(); })
    return head.asks_average();
  else
    return false;
}

/// How many keys of earlier steps, of key_width() values, such a head compares with: its
/// `remember(step, queue)` adds those of a step that is done.
template <class H>
index_t queue_size(H const& head) {
  if constexpr (requires { head.queue; })
    return head.queue;
  else
    return 0;
}

/// A head that can be trained on a lane. H::weights<T, Linear> are its tensors as a walk sees them;
/// H::pass<L> is what it keeps of a forward pass for the backward pass, carved out of the network's
/// memory.
template <class H, class L>
concept LabelledHeadOn =
    detail::AnyHeadOn<H, L> && !couples_samples<H> &&
    requires(typename H::template pass<L> const& pass,
             head_input<L> const& in,
             typename H::template weights<scalar_of<L> const, linear_operands<L>> const& operands,
             std::span<scalar_of<L>> losses) {
  /// losses[r] = the loss of row r of in.labels.
  { pass.forward(in, operands, losses) } -> std::same_as<void>;
};

/// A head whose loss couples the images of a step, as a contrastive one does: its pass says of each
/// image a row z of label_width() values, and all rows together have one loss. So its backward pass
/// gets as labels the gradients of that loss for the shard's rows. H::couples is true.
template <class H, class L>
concept CouplingHeadOn = detail::AnyHeadOn<H, L> && couples_samples<H> &&
    requires(H const& head,
             typename H::template pass<L> const& pass,
             head_input<L> const& in,
             typename H::template weights<scalar_of<L> const, linear_operands<L>> const& operands,
             matrix_view<scalar_of<L> const> all,
             matrix_view<scalar_of<L>> z,
             coupled_step<scalar_of<L>> const& step) {
  /// Writes z (images of the shard, label_width()).
  { pass.embed(in, operands, z) } -> std::same_as<void>;
  /// On the host, once a step, with the rows of all its images (S, label_width()) in their order:
  /// returns the loss and writes its gradient (S, label_width()). Where it draws, couple(all, z,
  /// random) from the step's own stream; where it reads more, couple(all, z, coupled_step).
  { detail::couple(head, all, z, step) } -> std::same_as<double>;
};

template <class H, class L>
concept HeadOn = LabelledHeadOn<H, L> || CouplingHeadOn<H, L>;

namespace detail {

template <class L, LabelledHeadOn<L> H>
using labelled_pass = typename H::template pass<L>;
template <class L, CouplingHeadOn<L> H>
using coupling_pass = typename H::template pass<L>;

/// By the concept of its own kind, so that compilers say what it lacks of that. No `if constexpr`:
/// nvcc hands its untaken branch on.
template <class L, class H, bool couples = couples_samples<H>>
struct kind_of_pass {
  using type = labelled_pass<L, H>;
};
template <class L, class H>
struct kind_of_pass<L, H, true> {
  using type = coupling_pass<L, H>;
};

}  // namespace detail

/// A head's pass on a lane.
template <class L, class H>
using pass_of_head = typename detail::kind_of_pass<L, H>::type;

}  // namespace mae
