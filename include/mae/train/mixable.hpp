#pragma once

#include <mae/core/error.hpp>
#include <mae/network/head.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/train/options.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace mae {

namespace detail {

/// Whether a head may learn from mixed images. One that couples images does without labels of its
/// own, and may unless it says that it does not.
template <class H>
inline constexpr bool bears_mixtures = learns_mixtures<H> ||
                                       (couples_samples<H> && !requires { H::learns_mixtures; });

/// Whether a head's labels tell of places in an image.
template <class H>
inline constexpr bool tells_places = requires {
  requires H::reads_annotations;
};

/// Whether a head learns from what noise does to what the encoder sees.
template <class H>
inline constexpr bool learns_noise = requires {
  requires H::learns_noise;
};

}  // namespace detail

/// Throws config_error where images are to be mixed and a head's labels could not say so, or to be
/// turned and sheared and a head's labels would not follow.
template <class... Heads>
void require_mixable(training_options const& options, network_parts<Heads...> const& parts) {
  std::size_t head = 0;
  auto const require = [&](bool mixes, bool moves, std::string_view name) {
    if (!parts.is_on(head++)) return;
    if (options.mix.is_on() && !mixes)
      throw config_error("the head " + std::string(name) +
                         " cannot learn from mixed images: leave mixup and cutmix out");
    if (options.changes.is_on() && !moves)
      throw config_error("the labels of the head " + std::string(name) +
                         " do not follow what RandAugment moves: leave it out");
  };
  (require(detail::bears_mixtures<Heads>, !detail::tells_places<Heads>, Heads::name), ...);
}

/// Throws config_error where a head learns from noise and a training has none.
template <class... Heads>
void require_noise(training_options const& options, network_parts<Heads...> const& parts) {
  std::size_t head = 0;
  auto const require = [&](bool needs_noise, std::string_view name) {
    if (parts.is_on(head++) && needs_noise && !options.noise.is_on())
      throw config_error("the head " + std::string(name) +
                         " learns from noise, and the training has none: set "
                         "training_options::noise");
  };
  (require(detail::learns_noise<Heads>, Heads::name), ...);
}

}  // namespace mae
