#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/linear.hpp>

#include <array>
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
  model_config config;
  double norm_epsilon = 1e-6;  // of every layer norm
  std::tuple<Heads...> heads = {};

  /// Walks the encoder's tensors, then each head's (see part.hpp).
  template <class Walk, class... Networks>
  void walk(Walk& at, Networks&... of) const {
    at.begin(encoder_segment);
    walk_encoder(at, config, of.encoder...);
    walk_heads(std::index_sequence_for<Heads...>{}, at, of...);
  }

 private:
  template <std::size_t... I, class Walk, class... Networks>
  void walk_heads(std::index_sequence<I...> /*each*/, Walk& at, Networks&... of) const {
    (walk_head<I>(at, of...), ...);
  }
  template <std::size_t I, class Walk, class... Networks>
  void walk_head(Walk& at, Networks&... of) const {
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

template <class... Heads>
void require_own_names() {
  std::array<std::string_view, sizeof...(Heads) + 1> const names{encoder_segment, Heads::name...};
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (names[i] == names[k])
        throw config_error("two parts of the network are named " + std::string(names[i]) +
                           ": give each head a name of its own");
}

template <class Head>
void require_valid_head(Head const& head) {
  if constexpr (requires { head.require_valid(); }) head.require_valid();
}

}  // namespace detail

/// The table of a network's tensors. Throws config_error for heads of one name, and where a head
/// cannot be.
template <class... Heads>
parameter_layout layout_of(network_parts<Heads...> const& parts,
                           linear_start linears = linear_start::xavier) {
  detail::require_own_names<Heads...>();
  std::apply([](auto const&... head) { (detail::require_valid_head(head), ...); }, parts.heads);
  parameter_layout layout(linears);
  detail::table_walk at(layout);
  parts.walk(at);
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
