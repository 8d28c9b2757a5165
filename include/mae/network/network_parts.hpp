#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/linear.hpp>

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace mae {

/// What a network consists of, an encoder and any number of heads, as run-time values: no network
/// is compiled anew for another configuration, mask or objective.
template <class... Heads>
struct network_parts {
  static constexpr std::size_t num_heads = sizeof...(Heads);
  /// A number for each head.
  using of_each_head = std::array<double, num_heads>;

  /// Every head as important as any other.
  static constexpr of_each_head equal_weights() {
    of_each_head ones{};
    ones.fill(1.0);
    return ones;
  }

  model_config config;
  double norm_epsilon = 1e-6;  // of every layer norm
  std::tuple<Heads...> heads = {};
  /// By how much the mean of a head's losses counts. A head of weight 0 is off: it has no tensors,
  /// takes no room and is not in files.
  of_each_head weights = equal_weights();
  position_table positions = position_table::sincos;
  /// Of what is pooled: the encoder has no final norm, and its one head normalises what it pools.
  norm_place final_norm = norm_place::tokens;
  /// What tokens are told of their patches' density; a painter is to know of it too.
  patch_levels levels = {};

  constexpr bool is_on(std::size_t head) const { return weights[head] != 0; }
  static constexpr std::array<std::string_view, num_heads> names() { return {Heads::name...}; }

  /// Walks the encoder's tensors, then those of each head that is on (see part.hpp).
  template <class Walk, class... Networks>
  void walk(Walk& at, Networks&... of) const {
    at.begin(encoder_segment);
    if (final_norm == norm_place::tokens)
      walk_encoder(at, config, of.encoder...);
    else
      walk_blocks_of_encoder(at, config, of.encoder...);
    if (levels.of_visible() > 0)
      at.table(
          visible_levels_name, levels.of_visible(), config.encoder.width, of.encoder.levels...);
    walk_heads(std::index_sequence_for<Heads...>{}, at, of...);
  }

 private:
  template <std::size_t... I, class Walk, class... Networks>
  void walk_heads(std::index_sequence<I...> /*each*/, Walk& at, Networks&... of) const {
    (walk_head<I>(at, of...), ...);
  }
  template <std::size_t I, class Walk, class... Networks>
  void walk_head(Walk& at, Networks&... of) const {
    if (!is_on(I)) return;
    auto const& head = std::get<I>(heads);
    at.begin(head.name);
    head.walk(at, std::get<I>(of.heads)...);
  }
};

/// Views of all of a network's tensors in a flat array; `Linear` is what linear layers are seen as.
template <class T, class Linear, class... Heads>
struct network_views {
  encoder_weights<T, Linear> encoder;
  std::tuple<typename Heads::template weights<T, Linear>...> heads;
};

/// Views of values (T const) or of gradients (T).
template <class T, class... Heads>
using network_weights = network_views<T, linear_weights<T>, Heads...>;
/// What a network's passes read.
template <Lane L, class... Heads>
using network_operands = network_views<scalar_of<L> const, linear_operands<L>, Heads...>;

namespace detail {

/// Names stand in files, before a dot and between spaces.
inline void require_plain(std::string_view name) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  bool const plain = !name.empty() && name.find_first_not_of(letters) == std::string_view::npos;
  if (!plain || name == "optimizer" || name == "mae")
    throw config_error("a head is named \"" + std::string(name) +
                       "\": give it a name of small letters, digits and underscores, but neither "
                       "optimizer nor mae");
}

template <class... Heads>
void require_own_names() {
  (require_plain(Heads::name), ...);
  std::array<std::string_view, sizeof...(Heads) + 1> const names{encoder_segment, Heads::name...};
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (names[i] == names[k])
        throw config_error("two parts of the network are named " + std::string(names[i]) +
                           ": give each head a name of its own");
}

/// Views find tensors by name: of two that share one, the second would never learn.
inline void require_own_tensors(parameter_layout const& layout) {
  auto const& tensors = layout.tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (tensors[i].name == tensors[k].name)
        throw config_error("the network has two tensors named " + tensors[i].name + ", of " +
                           std::string(tensors[k].segment) + " and of " +
                           std::string(tensors[i].segment) +
                           ": give each tensor a name of its own");
}

template <class Head>
void require_valid_head(Head const& head) {
  if constexpr (requires { head.require_valid(); }) head.require_valid();
}

/// Names in one line: "decoder, uniformity".
template <std::size_t N>
std::string listed(std::array<std::string_view, N> const& names) {
  std::string list;
  for (auto const name : names) (list += list.empty() ? "" : ", ") += name;
  return list;
}

template <class... Heads>
void require_valid_weights(network_parts<Heads...> const& parts) {
  if constexpr (sizeof...(Heads) > 0) {  // an encoder alone has none
    for (std::size_t head = 0; head < parts.num_heads; ++head)
      if (double const weight = parts.weights[head]; !(weight >= 0) || !std::isfinite(weight))
        throw config_error("the weight of the head " + std::string(parts.names()[head]) +
                           " must be finite and not negative, it is " + decimal_text(weight));
    if (std::ranges::all_of(parts.weights, [](double weight) { return weight == 0; }))
      throw config_error("all heads of the network have weight 0 (" + listed(parts.names()) +
                         "): there is nothing to learn");
  }
}

/// Some head's weights begin otherwise than the network's.
template <class... Heads>
void start_heads(network_parts<Heads...> const& parts, parameter_layout& layout) {
  std::size_t number = 0;
  auto const start = [&](auto const& head) {
    bool const is_on = parts.is_on(number++);
    if constexpr (requires { head.start_deviation; }) {
      // Named: of a braced argument here nvcc 13 makes code that does not compile.
      initialiser const normal{initialiser::kind::normal, head.start_deviation};
      if (is_on && head.start_deviation > 0) layout.start_weights(head.name, normal);
    }
  };
  std::apply([&](auto const&... head) { (start(head), ...); }, parts.heads);
}

/// Without the final norm, tokens are not what heads learn from.
template <class... Heads>
void require_normalised(network_parts<Heads...> const& parts, parameter_layout const& layout) {
  if (parts.final_norm == norm_place::tokens) return;
  bool const is_alone = std::ranges::count(parts.weights, 0.0) + 1 == std::ssize(parts.weights);
  bool const normalises =
      layout.contains(pooled_norm) && layout.find(pooled_norm).size() == parts.config.encoder.width;
  if (!is_alone || !normalises)
    throw config_error("the final norm is to be of what is pooled (" + listed(parts.names()) +
                       "): that takes one head alone, which pools tokens to one and normalises it");
}

template <class Head>
Head fitted_head(Head const& head, model_config const& config) {
  if constexpr (requires { head.fitted(config); })
    return head.fitted(config);
  else
    return head;
}

}  // namespace detail

/// The heads whose weight is not 0.
template <std::size_t NumHeads>
std::bitset<NumHeads> with_weight(std::array<double, NumHeads> const& weights) {
  std::bitset<NumHeads> on;
  std::size_t head = 0;
  for (double const weight : weights) on.set(head++, weight != 0);
  return on;
}

/// The heads that are on.
template <class... Heads>
std::bitset<sizeof...(Heads)> heads_on(network_parts<Heads...> const& parts) {
  return with_weight(parts.weights);
}

/// The largest products of the encoder and of the heads that are on.
template <class... Heads>
product_extents largest_products(network_parts<Heads...> const& parts, shard_capacity const& room) {
  auto const& stack = parts.config.encoder;
  product_extents most{
      .width = std::max({3 * stack.width, stack.hidden(), parts.config.patch_values()}),
      .rows = room.encoder_rows,
      .tokens = room.longest_encoder_sequence};
  std::size_t number = 0;
  auto const include = [&](auto const& head) {
    if (parts.is_on(number++)) most = most.larger(head.extents(room));
  };
  std::apply([&](auto const&... head) { (include(head), ...); }, parts.heads);
  return most;
}

/// Which heads take part in a pass, and by which factors, in the memory of the backend, their
/// gradients reach the encoder; the first's is 1.
template <class T, std::size_t NumHeads>
struct active_heads {
  std::bitset<NumHeads> set;
  T const* factors = nullptr;  // (NumHeads); read where two or more are active
  bool is_part = false;        // of a step's: the first has a factor too
  bool is_encoded = false;     // what couples images has been said, and is kept: see kept_shard
  bool tells_slopes = false;   // those of a factor on each visible patch are asked for

  bool is_first(std::size_t head) const { return (set << (NumHeads - head)).none(); }
};

/// These parts, with each head fitted to the encoder.
template <class... Heads>
network_parts<Heads...> fitted(network_parts<Heads...> parts) {
  std::apply([&](auto&... head) { ((head = detail::fitted_head(head, parts.config)), ...); },
             parts.heads);
  return parts;
}

/// The table of a network's tensors. Throws config_error for heads or tensors of one name, for
/// weights that cannot be or are all 0, and where a head that is on cannot be.
template <class... Heads>
parameter_layout layout_of(network_parts<Heads...> const& parts,
                           linear_start linears = linear_start::xavier) {
  detail::require_own_names<Heads...>();
  detail::require_valid_weights(parts);
  std::size_t number = 0;
  auto const check = [&](auto const& head) {
    if (parts.is_on(number++)) detail::require_valid_head(head);
  };
  std::apply([&](auto const&... head) { (check(head), ...); }, parts.heads);
  parameter_layout layout(linears, parts.positions);
  detail::table_walk at(layout);
  parts.walk(at);
  detail::require_own_tensors(layout);
  detail::require_normalised(parts, layout);
  detail::start_heads(parts, layout);
  return layout;
}

/// Views of a network's tensors in `base`, a flat array of this layout.
template <class T, class... Heads>
network_weights<T, Heads...> bind_network(parameter_layout const& layout,
                                          network_parts<Heads...> const& parts,
                                          T* base) {
  tensor_binder<T> at(layout, base);
  network_weights<T, Heads...> bound;
  parts.walk(at, bound);
  return bound;
}

/// Returns a layer norm's epsilon. Throws config_error unless it is positive and finite.
inline double checked_norm_epsilon(double epsilon) {
  if (!(epsilon > 0) || !std::isfinite(epsilon))
    throw config_error("the layer norms' epsilon must be positive and finite, it is " +
                       decimal_text(epsilon));
  return epsilon;
}

}  // namespace mae
