#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/head.hpp>
#include <mae/network/heard_painter.hpp>
#include <mae/network/kept_shard.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/shard_input.hpp>
#include <mae/network/workspace.hpp>
#include <mae/op/add.hpp>
#include <mae/op/patch_loss.hpp>
#include <mae/op/set_zero.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace mae {

/// Runs an encoder and heads on one shard after the other, and owns the memory for it: activations,
/// and, for training, the gradients that live within a pass.
template <Backend B, class... Heads>
class network_pass {
  using T = typename B::scalar;
  using lane_type = typename B::lane;
  using each_head = std::index_sequence_for<Heads...>;

 public:
  static constexpr std::size_t num_heads = sizeof...(Heads);
  /// Which heads couple images, and which learn from what the first paints.
  static constexpr std::array<bool, num_heads> coupling{couples_samples<Heads>...};
  static constexpr std::array<bool, num_heads> hearing = detail::hearing_of<lane_type, Heads...>();

  using backend_type = B;
  using parts_type = network_parts<Heads...>;
  using values_type = network_weights<T const, Heads...>;
  using gradients_type = network_weights<T, Heads...>;
  using operands_type = network_operands<lane_type, Heads...>;
  using prepared_type = prepared_weights<B, Heads...>;
  using input_type = shard_input<T, num_heads>;
  using active_type = active_heads<T, num_heads>;
  using kept_type = kept_activations<lane_type, Heads...>;
  using kept_shard_type = kept_shard<B, Heads...>;

  network_pass(lane_type lane, parts_type parts, pass_kind kind)
      : parts_(std::move(parts)), kind_(kind), lane_(std::move(lane)) {}

  lane_type const& lane() const { return lane_; }
  parts_type const& parts() const { return parts_; }
  /// The head number I, with what it kept of the last forward pass.
  template <std::size_t I>
  auto const& head() const {
    return std::get<I>(own_.heads);
  }

  /// Makes room, so that later passes of no larger shards allocate nothing.
  void fit(shard_capacity const& needed) {
    workspace_.fit(needed, [this](carver<T>& memory, shard_capacity const& room) {
      carve(memory, room);
      detail::reserve_products(lane_, parts_, room, kind_);
    });
  }

  /// patches (images * N, P), normalised; returns the tokens after the final norm (R, D), valid
  /// until the next call. Allocates when the shard is larger than all before.
  matrix_view<T> encode(encoder_operands<lane_type> const& weights,
                        shard_view const& shard,
                        matrix_view<T const> patches) {
    fit(shard_capacity::of(shard));
    return encoder_forward(lane_, context(shard), weights, shard, patches, kept().encoder);
  }

  /// Likewise for inference: the tokens after some blocks are visited.
  template <class Visit>
  void encode_blocks(encoder_operands<lane_type> const& weights,
                     shard_view const& shard,
                     matrix_view<T const> patches,
                     block_visits<Visit> const& each) {
    fit(shard_capacity::of(shard));
    encoder_forward_by_block(lane_, context(shard), weights, shard, patches, kept().encoder, each);
  }

  /// What a head's pass reads of the shard that was encoded last.
  head_input<lane_type> input_of(shard_view const& shard,
                                 matrix_view<T const> labels = {},
                                 T const* row_weights = nullptr) const {
    auto const tokens = kept().encoder.tokens.middle_rows(0, shard.encoder_rows());
    return {
        lane_, shard, tokens, labels, scratch_, static_cast<T>(parts_.norm_epsilon), row_weights};
  }

  /// Where encoder and coupling heads keep what they make; null: in the pass's own memory.
  void keep_in(kept_type const* elsewhere) { elsewhere_ = elsewhere; }

  /// The forward pass of the active heads: adds the sum of each one's losses to its place of
  /// `totals` (num_heads), in the backend's memory. Those that couple images have no loss yet.
  void forward(operands_type const& weights,
               input_type const& in,
               active_type const& active,
               double* totals) {
    if (active.is_encoded)
      fit(shard_capacity::of(in.shard));
    else
      encode(weights.encoder, in.shard, in.patches);
    forward_heads(each_head{}, weights, in, active, totals);
  }
  /// Of the forward pass just done: a head's first `rows` losses.
  std::span<T const> losses(std::size_t head, index_t rows) const {
    return losses_[head].first(static_cast<std::size_t>(rows));
  }
  /// Of the backward pass just done, which told them: the slope of the heads' summed loss by a
  /// factor on each of the shard's embedded patches, at 1 (V).
  std::span<T const> slopes(shard_view const& shard) const { return slopes_.first(seen(shard)); }
  /// What a coupling head says of the images of the forward pass just done: (images, label width).
  matrix_view<T const> embedded(std::size_t head, shard_view const& shard) const {
    return embedded_[head].middle_rows(0, shard.images);
  }

  /// The backward pass of the forward pass just done: adds the gradient of the sum of the active
  /// heads' losses, each times its factor where the encoder is concerned.
  void backward(operands_type const& weights,
                input_type const& in,
                active_type const& active,
                gradients_type const& weights_grad) {
    assert(kind_ == pass_kind::training);
    index_t const rows = in.shard.encoder_rows();
    auto const tokens_grad = tokens_grad_.middle_rows(0, rows);
    if (active.is_part) set_zero(lane_, tokens_grad);
    backward_heads(each_head{}, weights, in, active, tokens_grad, weights_grad);
    encoder_backward(lane_,
                     context(in.shard),
                     weights.encoder,
                     in.shard,
                     kept().encoder,
                     encoder_grads_,
                     tokens_grad,
                     weights_grad.encoder,
                     active.tells_slopes ? slopes_.first(seen(in.shard)) : std::span<T>());
  }

 private:
  static std::size_t seen(shard_view const& shard) {
    return static_cast<std::size_t>(shard.num_visible());
  }
  kept_type const& kept() const { return elsewhere_ != nullptr ? *elsewhere_ : own_; }
  block_context<T> context(shard_view const& shard) const {
    return {shard.encoder_offsets,
            parts_.config.encoder.heads,
            static_cast<T>(parts_.norm_epsilon),
            scratch_,
            shard.branch_scales};
  }

  template <std::size_t... I>
  void forward_heads(std::index_sequence<I...> /*each*/,
                     operands_type const& weights,
                     input_type const& in,
                     active_type const& active,
                     double* totals) {
    ((active.set[I] ? forward_head<I>(weights, in, active, totals + I) : void()), ...);
  }
  template <std::size_t I>
  void forward_head(operands_type const& weights,
                    input_type const& in,
                    active_type const& active,
                    double* total) {
    auto input = input_of(in.shard, in.labels[I], in.template row_weights<I>());
    if constexpr (coupling[I]) {
      if (active.is_encoded) return;
      std::get<I>(kept().heads)
          .embed(input, std::get<I>(weights.heads), embedded_[I].middle_rows(0, in.shard.images));
    } else {
      auto const losses =
          detail::label_losses(std::get<I>(parts_.heads), in.shard, in.labels[I].rows, losses_[I]);
      if (losses.empty()) return;  // none of the shard's images tells the head anything
      if constexpr (hearing[I]) {
        detail::require_painted(active.set[0], parts_type::names()[I]);
        input.painted = std::get<0>(own_.heads).prediction(in.shard);
      }
      std::get<I>(own_.heads).forward(input, std::get<I>(weights.heads), losses);
      add_losses(lane_, std::span<T const>(losses), total, input.row_weights);
    }
  }

  template <std::size_t... I>
  void backward_heads(std::index_sequence<I...> /*each*/,
                      operands_type const& weights,
                      input_type const& in,
                      active_type const& active,
                      matrix_view<T> tokens_grad,
                      gradients_type const& weights_grad) {
    ((active.set[I] ? backward_head<I>(weights, in, active, tokens_grad, weights_grad) : void()),
     ...);
  }
  /// The first active head of all of a step's writes the tokens' gradient, the others add to it.
  template <std::size_t I>
  void backward_head(operands_type const& weights,
                     input_type const& in,
                     active_type const& active,
                     matrix_view<T> tokens_grad,
                     gradients_type const& weights_grad) {
    bool const is_first = active.is_first(I) && !active.is_part;
    auto const written =
        is_first ? tokens_grad : head_tokens_grad_.middle_rows(0, tokens_grad.rows);
    if constexpr (hearing[I]) return detail::require_painted(active.set[0], parts_type::names()[I]);
    bool const learns = coupling[I] || in.labels[I].rows > 0;
    auto const learn = [&](auto const&... heard) {
      if (!learns) return is_first ? set_zero(lane_, tokens_grad) : void();
      std::get<I>(coupling[I] ? kept().heads : own_.heads)
          .backward(input_of(in.shard, in.labels[I], in.template row_weights<I>()),
                    std::get<I>(weights.heads),
                    written,
                    std::get<I>(weights_grad.heads),
                    heard...);
    };
    auto const input_for = [&](std::size_t head) { return input_of(in.shard, in.labels[head]); };
    if constexpr (I == 0 && (hears_painter<Heads> || ...))
      learn(detail::heard_by(own_.heads, active, input_for));
    else
      learn();
    if constexpr (num_heads > 1)
      if (!is_first && learns) add_times(lane_, active.factors + I, written, tokens_grad);
  }

  void carve(carver<T>& memory, shard_capacity const& room) {
    auto const& config = parts_.config;
    auto const& stack = config.encoder;
    own_.encoder = encoder_activations<lane_type>::carve(memory, config, room, kind_);
    index_t scratch = attention_scratch_size<lane_type>({room.encoder_rows,
                                                         room.longest_encoder_sequence,
                                                         stack.heads,
                                                         stack.width / stack.heads,
                                                         members()});
    carve_heads(each_head{}, memory, room, scratch);
    scratch_ = memory.vector(scratch);
    if (kind_ == pass_kind::inference) return;
    encoder_grads_ = encoder_gradients<lane_type>::carve(memory, config, room);
    tokens_grad_ = memory.matrix(room.encoder_rows, stack.width);
    if (heads_on(parts_).count() > 1)
      head_tokens_grad_ = memory.matrix(room.encoder_rows, stack.width);
    slopes_ = memory.vector(room.visible);
  }

  template <std::size_t... I>
  void carve_heads(std::index_sequence<I...> /*each*/,
                   carver<T>& memory,
                   shard_capacity const& room,
                   index_t& scratch) {
    ((parts_.is_on(I) ? carve_head<I>(memory, room, scratch) : void()), ...);
  }
  template <std::size_t I>
  void carve_head(carver<T>& memory, shard_capacity const& room, index_t& scratch) {
    auto const& head = std::get<I>(parts_.heads);
    using pass = std::tuple_element_t<I, decltype(own_.heads)>;
    std::get<I>(own_.heads) = pass::carve(memory, head, room, kind_);
    if constexpr (coupling[I])
      embedded_[I] = memory.matrix(room.images, head.label_width());
    else
      losses_[I] = memory.vector(head.label_rows(room));
    if constexpr (requires { head.template scratch_size<lane_type>(room, 1); })
      scratch = std::max(scratch, head.template scratch_size<lane_type>(room, members()));
  }

  int members() const {
    if constexpr (lane_type::is_parallel)
      return 1;
    else
      return lane_.num_members();
  }

  parts_type parts_;
  pass_kind kind_;
  lane_type lane_;
  pass_workspace<B> workspace_;
  kept_type own_;
  kept_type const* elsewhere_ = nullptr;
  std::array<std::span<T>, num_heads> losses_;      // of label rows
  std::array<matrix_view<T>, num_heads> embedded_;  // (images, label width)
  std::span<T> scratch_;
  encoder_gradients<lane_type> encoder_grads_;
  matrix_view<T> tokens_grad_;
  matrix_view<T> head_tokens_grad_;  // of a head after the first
  std::span<T> slopes_;              // of visible patches
};

}  // namespace mae
