#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/resize.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// Images of a batch mixed in pairs, and their labels with them: the parameters of the two Beta(a,
/// a) distributions of shares; 0: not so. He et al. 2021 fine-tune with 0.8 and 1. Where both are
/// on, each batch takes one of them with equal chance.
struct mixing {
  double mixup = 0;   // blends (Zhang et al. 2017, arXiv 1710.09412)
  double cutmix = 0;  // pastes a box (Yun et al. 2019, arXiv 1905.04899)

  bool is_on() const { return mixup > 0 || cutmix > 0; }
  friend constexpr bool operator==(mixing const&, mixing const&) = default;
};

/// Throws config_error for parameters that no distribution has.
inline void require_valid(mixing const& settings) {
  for (double const parameter : {settings.mixup, settings.cutmix})
    if (!(parameter >= 0) || !std::isfinite(parameter))
      throw config_error(
          "the parameters of mixup and cutmix must be finite and not negative; 0 "
          "leaves images as they are");
}

/// How the images of a batch are mixed with their partners.
struct mixture {
  double own = 1;      // an image's share of what becomes of it
  pixel_box box = {};  // from the partner; empty where the two are blended
};

namespace detail {

/// Gamma(shape, 1), shape > 0 (Marsaglia and Tsang 2000).
inline double random_gamma(double shape, random_stream& random) {
  double const smaller = shape < 1 ? std::pow(1.0 - random.uniform_double(), 1.0 / shape) : 1.0;
  double const d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3.0;
  for (;;) {
    double const x = random.normal();
    double const root = 1.0 + x / std::sqrt(9.0 * d);
    double const v = root * root * root;
    double const u = 1.0 - random.uniform_double();
    if (v > 0 && std::log(u) < 0.5 * x * x + d * (1.0 - v + std::log(v))) return d * v * smaller;
  }
}

}  // namespace detail

/// Beta(a, a), a > 0.
inline double random_beta(double a, random_stream& random) {
  double const first = detail::random_gamma(a, random);
  double const sum = first + detail::random_gamma(a, random);
  return sum > 0 ? first / sum : random.below(2);  // of an `a` so small, one is all
}

/// A box whose sides are sqrt(1 - own) of the image's, around a random pixel, cut at the image's
/// edges; as timm's rand_bbox (1.0.31).
inline pixel_box random_cut(image_extent const& image, double own, random_stream& random) {
  double const side = std::sqrt(1.0 - own);
  struct part {
    index_t first, last;
  };
  auto const along = [&](index_t extent) {
    auto const length = static_cast<index_t>(static_cast<double>(extent) * side);
    auto const centre = static_cast<index_t>(random.below(static_cast<std::uint64_t>(extent)));
    return part{std::max<index_t>(centre - length / 2, 0),
                std::min(centre + (length + 1) / 2, extent)};
  };
  auto const [top, bottom] = along(image.height);
  auto const [left, right] = along(image.width);
  return {top, left, bottom - top, right - left};
}

/// Draws how a batch is mixed: of a box the share is that of its real area. As timm's Mixup of
/// whole batches.
inline mixture random_mixture(mixing const& settings,
                              image_extent const& image,
                              random_stream random) {
  if (!settings.is_on()) return {};
  bool const second = random.below(2) == 1;
  bool const cuts = settings.cutmix > 0 && (settings.mixup == 0 || second);
  mixture drawn{.own = random_beta(cuts ? settings.cutmix : settings.mixup, random)};
  if (!cuts) return drawn;
  drawn.box = random_cut(image, drawn.own, random);
  drawn.own = 1.0 - static_cast<double>(drawn.box.height * drawn.box.width) /
                        static_cast<double>(image.pixels());
  return drawn;
}

/// Mixes an image (H, W, C) with its partner, in place.
inline void mix_images(mixture const& how,
                       image_extent const& image,
                       std::span<float const> partner,
                       std::span<float> pixels) {
  assert(partner.size() == pixels.size());
  if (how.box.height == 0 || how.box.width == 0) {
    auto const own = static_cast<float>(how.own);
    if (own < 1.0F)
      for (std::size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = own * pixels[i] + (1.0F - own) * partner[i];
    return;
  }
  auto const count = static_cast<std::size_t>(how.box.width * image.channels);
  for (index_t y = how.box.top; y < how.box.top + how.box.height; ++y) {
    auto const at = static_cast<std::size_t>((y * image.width + how.box.left) * image.channels);
    std::copy_n(partner.data() + at, count, pixels.data() + at);
  }
}

}  // namespace mae
