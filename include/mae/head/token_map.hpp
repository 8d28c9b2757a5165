#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/head.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/rectify.hpp>
#include <mae/op/token_maps.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace mae {

template <Lane L>
class token_map_pass;

/// What makes maps of an image's tokens: a linear layer, whose values are interpolated; or ReLU,
/// interpolation and a 3x3 convolution (ViTPose's simple decoder, Xu et al. 2022, arXiv
/// 2204.12484).
enum class map_decoder : std::uint8_t { linear, convolution };

/// Its name, in files.
constexpr char const* name_of(map_decoder kind) {
  constexpr std::array<char const*, 2> names{"linear", "convolution"};
  return names[static_cast<std::size_t>(kind)];
}

/// What heads that say something of an image's places consist of: K maps, so many cells a side as
/// the grid of tokens has, times `upsampling`. As interpolation and convolution are both linear,
/// the layer is applied to the tokens first, nine times as wide for a convolution, and its values
/// are interpolated and summed (so a tap has a bias of its own where it lies within the map).
struct token_map {
  template <class T, class Linear>
  using weights = Linear;  // (taps K, D): tap by tap, row by row, K values each

  template <Lane L>
  using pass = token_map_pass<L>;

  char const* name = "map";   // of its tensors
  index_t encoder_width = 0;  // D
  index_t outputs = 0;        // K
  map_shape grid = {};
  index_t upsampling = 1;
  map_decoder decoder = map_decoder::convolution;

  map_shape map() const { return {grid.rows * upsampling, grid.columns * upsampling}; }
  map_resize resize() const {
    return {grid, map(), decoder == map_decoder::convolution ? index_t{1} : index_t{0}};
  }
  index_t layer_width() const { return resize().window() * outputs; }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    at.linear(name, layer_width(), encoder_width, of...);
  }
  product_extents extents(shard_capacity const& room) const {
    return {.width = std::max(layer_width(), encoder_width), .rows = room.encoder_rows};
  }
};

/// Of a token map for patches so large: what is asked for, or at most 4, as ViTPose has it. Throws
/// config_error for more cells than pixels.
inline index_t checked_upsampling(index_t asked, model_config const& config) {
  index_t const most = std::min(config.patch.height, config.patch.width);
  index_t const taken = asked > 0 ? asked : std::min<index_t>(4, most);
  if (taken > most)
    throw config_error("a map " + std::to_string(taken) +
                       " times as fine as the tokens has more cells than the image has pixels: "
                       "patches are " +
                       std::to_string(config.patch.height) + "x" +
                       std::to_string(config.patch.width));
  return taken;
}

/// The same on a lane. B images of N tokens in R rows, C = taps K.
template <Lane L>
class token_map_pass {
  using T = scalar_of<L>;
  using O = operand_of<L>;

 public:
  static token_map_pass carve(carver<T>& memory,
                              token_map const& part,
                              shard_capacity const& room,
                              pass_kind kind) {
    index_t const width = part.layer_width();
    token_map_pass pass;
    pass.part_ = part;
    pass.features_ = memory.template matrix_of<O>(room.encoder_rows, part.encoder_width);
    pass.values_ = memory.matrix(room.encoder_rows, width);
    pass.cells_ = memory.matrix(room.images * part.grid.size(), width);
    pass.maps_ = memory.matrix(room.images * part.map().size(), part.outputs);
    if (kind == pass_kind::inference) return pass;
    pass.values_grad_ = memory.template matrix_of<O>(room.encoder_rows, width);
    return pass;
  }

  /// The maps (B * cells, K); may be overwritten by their gradient.
  matrix_view<T> forward(head_input<L> const& in, linear_operands<L> const& weights) const {
    auto const values = values_.middle_rows(0, in.tokens.rows);
    auto const cells = cells_.middle_rows(0, in.shard.images * part_.grid.size());
    linear_forward(in.lane, features(in), weights, values);
    spread_tokens_forward(
        in.lane, values, in.shard.encoder_offsets, in.shard.encoder_tokens.position, cells);
    resample_maps_forward(in.lane, part_.resize(), cells, maps(in.shard));
    return maps(in.shard);
  }
  /// What `forward` returned.
  matrix_view<T> maps(shard_view const& shard) const {
    return maps_.middle_rows(0, shard.images * part_.map().size());
  }

  /// Given the gradient of the maps, writes that of the tokens (R, D), unless there is no matrix
  /// for it, and adds those of the weights.
  void backward(head_input<L> const& in,
                linear_operands<L> const& weights,
                matrix_view<T const> maps_grad,
                matrix_view<T> tokens_grad,
                linear_weights<T> const& weights_grad) const {
    auto const cells = cells_.middle_rows(0, in.shard.images * part_.grid.size());
    auto const values_grad = values_grad_.middle_rows(0, in.tokens.rows);
    resample_maps_backward(in.lane, part_.resize(), maps_grad, cells);
    spread_tokens_backward(
        in.lane, cells, in.shard.encoder_offsets, in.shard.encoder_tokens.position, values_grad);
    auto const x = kept_features(in);
    if (tokens_grad.data == nullptr)
      return linear_backward_weights(in.lane, x, values_grad, weights_grad);
    linear_backward(in.lane, x, weights, values_grad, tokens_grad, weights_grad);
    if (rectifies()) rectify_backward(in.lane, in.tokens, tokens_grad);
  }

 private:
  bool rectifies() const { return part_.decoder == map_decoder::convolution; }
  matrix_view<O const> features(head_input<L> const& in) const {
    if (!rectifies()) return as_operands(in.lane, in.tokens, features_);
    auto const y = features_.middle_rows(0, in.tokens.rows);
    rectify_forward(in.lane, in.tokens, y);
    return y;
  }
  /// The same, of the forward pass just done.
  matrix_view<O const> kept_features(head_input<L> const& in) const {
    if constexpr (std::is_same_v<O, T>)
      if (!rectifies()) return in.tokens;
    return features_.middle_rows(0, in.tokens.rows);
  }

  token_map part_;
  matrix_view<O> features_;     // (R, D), as operands
  matrix_view<T> values_;       // (R, C)
  matrix_view<T> cells_;        // (B * N, C), then their gradient
  matrix_view<T> maps_;         // (B * cells, K)
  matrix_view<O> values_grad_;  // (R, C), as operands
};

}  // namespace mae
