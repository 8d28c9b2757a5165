#pragma once

#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/layout.hpp>
#include <mae/patch/positions.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// Fills one tensor with its initial values. Its stream of random numbers is its number in the
/// table, so that an encoder begins with the same values with and without a decoder; optional
/// tensors are not numbered.
template <class T>
void initialise_tensor(tensor_spec const& tensor,
                       model_config const& config,
                       random_stream random,
                       std::span<T> values) {
  double const scale = tensor.start.scale;
  switch (tensor.start.distribution) {
    case initialiser::kind::constant:
      for (T& value : values) value = static_cast<T>(scale);
      break;
    case initialiser::kind::uniform:
      for (T& value : values) value = static_cast<T>(scale * (2.0 * random.uniform_double() - 1.0));
      break;
    case initialiser::kind::normal:
      for (T& value : values) value = static_cast<T>(scale * random.normal());
      break;
    case initialiser::kind::sincos_positions: {
      index_t const rows = config.num_patches() + 1;
      sincos_positions(
          config.grid_rows(),
          config.grid_columns(),
          matrix_view<T>(values.data(), rows, static_cast<index_t>(values.size()) / rows));
      break;
    }
  }
}

/// Fills a flat array of the layout with the initial values of He et al. 2021 (official code):
/// Xavier uniform linears, zero biases, N(0, 0.02) tokens, norms 1 and 0, sin-cos positions.
/// Linears begin as the layout's linear_start says.
template <class T>
void initialise_parameters(parameter_layout const& layout,
                           model_config const& config,
                           std::uint64_t seed,
                           std::span<T> values) {
  std::uint64_t index = 0;
  for (auto const& tensor : layout.tensors()) {
    random_stream const random({.seed = seed, .use = purpose::initialise, .index = index});
    if (!tensor.is_optional) ++index;
    initialise_tensor(tensor,
                      config,
                      random,
                      values.subspan(static_cast<std::size_t>(tensor.offset),
                                     static_cast<std::size_t>(tensor.size())));
  }
}

}  // namespace mae
