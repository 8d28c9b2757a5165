#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace mae {

/// What a jitter of colours does, by a factor; the hue's is a turn, in shares of the colour circle.
enum class colour_change : std::uint8_t { brightness, contrast, saturation, hue };
inline constexpr std::size_t colour_change_count = 4;

/// The four changes of a jitter, in an order that each image draws. By x a factor is uniform in
/// [max(0, 1 - x), 1 + x], a turn of hues in [-x, x]; 0 leaves images as they are.
struct colour_jitter {
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;     // of three channels
  double hue = 0;            // at most 1/2, which is any hue; of three channels
  double probability = 0.8;  // of an image to be changed by all four

  constexpr bool is_on() const {
    return probability > 0 && (brightness > 0 || contrast > 0 || saturation > 0 || hue > 0);
  }
  friend constexpr bool operator==(colour_jitter const&, colour_jitter const&) = default;
};

/// A Gaussian blur, with a deviation that each image draws.
struct random_blur {
  double probability = 0;
  double sigma_min = 0.1;  // pixels
  double sigma_max = 2;
  index_t kernel = 0;  // pixels of its side, an odd number; 0: usual_blur_kernel

  friend constexpr bool operator==(random_blur const&, random_blur const&) = default;
};

/// Inverts the values from a threshold of [0, 1] on.
struct random_solarise {
  double probability = 0;
  double threshold = 0.5;

  friend constexpr bool operator==(random_solarise const&, random_solarise const&) = default;
};

/// How the colours of training images vary, in this order: SimCLR's and BYOL's changes (Chen et al.
/// 2020, arXiv 2002.05709; Grill et al. 2020, arXiv 2006.07733), as torchvision 0.29 makes them of
/// floats.
struct colour_changes {
  colour_jitter jitter = {};
  double grey = 0;  // the probability of three equal channels
  random_blur blur = {};
  random_solarise solarise = {};

  constexpr bool is_on() const {
    return jitter.is_on() || grey > 0 || blur.probability > 0 || solarise.probability > 0;
  }
  friend constexpr bool operator==(colour_changes const&, colour_changes const&) = default;
};

/// Throws config_error for the first setting that no image could be changed by.
inline void require_valid(colour_changes const& settings) {
  auto const require = [](bool holds, char const* sentence) {
    if (!holds) throw config_error(sentence);
  };
  auto const is_amount = [](double value) {
    return value >= 0 && value < static_cast<double>(std::numeric_limits<float>::max());
  };
  auto const is_share = [](double value) { return value >= 0 && value <= 1; };
  auto const& [jitter, grey, blur, solarise] = settings;
  require(
      is_amount(jitter.brightness) && is_amount(jitter.contrast) && is_amount(jitter.saturation),
      "the jitter of brightness, contrast and saturation must be finite and not negative");
  require(jitter.hue >= 0 && jitter.hue <= 0.5, "the jitter of hues must lie in [0, 0.5]");
  require(is_share(jitter.probability), "the probability of jitter must lie in [0, 1]");
  require(is_share(grey), "the probability of grey must lie in [0, 1]");
  require(is_share(blur.probability), "the probability of blur must lie in [0, 1]");
  require(blur.sigma_min > 0 && blur.sigma_min <= blur.sigma_max && std::isfinite(blur.sigma_max),
          "the deviations of blur must be positive and finite, the least first");
  require(blur.kernel == 0 || (blur.kernel > 0 && blur.kernel % 2 == 1),
          "the kernel of blur must be an odd number of pixels, or 0 for a tenth of an image");
  require(is_share(solarise.probability), "the probability of solarising must lie in [0, 1]");
  require(is_share(solarise.threshold), "the threshold of solarising must lie in [0, 1]");
}

/// The side of a blur's kernel where nothing is said, as SimCLR has it: about a tenth of the
/// image's shorter side, an odd number of pixels, at least 3.
constexpr index_t usual_blur_kernel(image_extent const& image) {
  constexpr index_t share = 10;
  constexpr index_t least = 3;
  index_t const side = std::min(image.height, image.width) / share;
  return std::max(least, side / 2 * 2 + 1);
}

/// And that of these settings.
constexpr index_t blur_kernel(random_blur const& settings, image_extent const& image) {
  return settings.kernel > 0 ? settings.kernel : usual_blur_kernel(image);
}

/// Throws config_error for settings that images of this extent cannot be changed by: saturation,
/// hues and grey are of three channels, and a blur mirrors at borders less than a whole image.
inline void require_valid(colour_changes const& settings, image_extent const& image) {
  require_valid(settings);
  auto const require_three = [&](bool asked, std::string const& what) {
    if (asked && image.channels != 3)
      throw config_error(what + " is of images with three channels, and these have " +
                         std::to_string(image.channels) + ": leave it at 0");
  };
  auto const& jitter = settings.jitter;
  require_three(jitter.probability > 0 && jitter.saturation > 0, "jitter of saturation");
  require_three(jitter.probability > 0 && jitter.hue > 0, "jitter of hues");
  require_three(settings.grey > 0, "random grey");
  index_t const kernel = blur_kernel(settings.blur, image);
  index_t const most = 2 * std::min(image.height, image.width) - 1;
  if (settings.blur.probability > 0 && kernel > most)
    throw config_error("a blur by " + std::to_string(kernel) +
                       " pixels is too wide for images of " + std::to_string(image.height) + "x" +
                       std::to_string(image.width) + ": set its kernel to " + std::to_string(most) +
                       " at most, or leave it out");
}

/// The factor, or the turn, that leaves an image as it is.
constexpr double nothing_by(colour_change change) {
  return change == colour_change::hue ? 0 : 1;
}

/// The changes of a jitter in the order in which they are made, and their factors by colour_change:
/// those of an image that stays as it is.
struct drawn_jitter {
  std::array<colour_change, colour_change_count> order{colour_change::brightness,
                                                       colour_change::contrast,
                                                       colour_change::saturation,
                                                       colour_change::hue};
  std::array<double, colour_change_count> by{1, 1, 1, 0};
};

/// What is done to an image, in this order.
struct drawn_colours {
  drawn_jitter jitter = {};
  bool grey = false;
  double blur = 0;  // its deviation, in pixels; 0: none
  bool solarise = false;
};

/// What an image's stream says. Settings that are off draw nothing.
inline drawn_colours draw_colours(colour_changes const& settings, random_stream& random) {
  auto const happens = [&](double probability) {
    return probability > 0 && random.uniform_double() < probability;
  };
  auto const uniform = [&](double low, double high) {
    return low + (high - low) * random.uniform_double();
  };
  auto const factor = [&](double by) { return uniform(std::max(0.0, 1 - by), 1 + by); };
  drawn_colours drawn;
  if (settings.jitter.is_on() && happens(settings.jitter.probability)) {
    auto& [order, by] = drawn.jitter;
    for (std::size_t left = order.size(); left > 1; --left)
      std::swap(order[left - 1], order[random.below(left)]);
    by[0] = factor(settings.jitter.brightness);
    by[1] = factor(settings.jitter.contrast);
    by[2] = factor(settings.jitter.saturation);
    by[3] = uniform(-settings.jitter.hue, settings.jitter.hue);
  }
  drawn.grey = happens(settings.grey);
  if (happens(settings.blur.probability))
    drawn.blur = uniform(settings.blur.sigma_min, settings.blur.sigma_max);
  drawn.solarise = happens(settings.solarise.probability);
  return drawn;
}

}  // namespace mae
