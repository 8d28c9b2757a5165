#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/figures.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

// What is seen on the images of synthetic.hpp.

namespace mae::detail {

struct rgb {
  float red = 0;
  float green = 0;
  float blue = 0;

  friend constexpr rgb operator+(rgb const& a, rgb const& b) {
    return {a.red + b.red, a.green + b.green, a.blue + b.blue};
  }
  friend constexpr rgb operator*(float factor, rgb const& a) {
    return {factor * a.red, factor * a.green, factor * a.blue};
  }
};

constexpr rgb mix(rgb const& a, rgb const& b, float share_of_b) {
  return (1.0F - share_of_b) * a + share_of_b * b;
}

/// Everything drawn at random for one image, but for the grain.
struct scene {
  struct wave {
    point frequency;
    float phase = 0;
  };

  figure kind = figure::disc;
  point centre;
  point axis;        // the figure's own first axis
  float radius = 1;  // in units of half the image's shorter side
  float period = 1;  // of a texture, in units of the radius
  rgb colour;
  std::array<rgb, 2> ground;  // the background runs between the two
  std::array<wave, 2> waves;  // along which it does
  float grain = 0;            // the noise's amplitude
};

class scene_painter {
 public:
  scene_painter(scene const& content, float pixel)
      : scene_(content), pixel_(pixel), reach_(1.2F * content.radius + 2.0F * (shadow + pixel)) {}

  /// The colour at a point, without grain.
  rgb operator()(point p) const {
    rgb const ground = background(p);
    point const from_centre = p - scene_.centre;
    if (dot(from_centre, from_centre) > reach_ * reach_) return ground;
    rgb const shaded = (1.0F - 0.25F * light(from_centre)) * scene_.colour;
    rgb const below =
        (1.0F - 0.4F * coverage(from_centre - point{shadow, shadow}, 4.0F * pixel_)) * ground;
    return mix(below, shaded, coverage(from_centre, pixel_));
  }

  /// Whether the figure covers half of a pixel or more.
  bool covers(point p) const { return coverage(p - scene_.centre, pixel_) >= 0.5F; }

 private:
  static constexpr float shadow = 0.12F;  // its distance from the figure, both ways

  /// From -1 to 1 across the figure, brightest at its upper left.
  float light(point from_centre) const {
    return std::clamp((from_centre.x + from_centre.y) / (1.5F * scene_.radius), -1.0F, 1.0F);
  }

  rgb background(point p) const {
    float share = 0.5F;
    for (auto const& [frequency, phase] : scene_.waves)
      share += 0.25F * std::sin(dot(frequency, p) + phase);
    return mix(scene_.ground[0], scene_.ground[1], share);
  }

  /// How much of a pixel the figure covers, with an edge as wide as `softness`.
  float coverage(point from_centre, float softness) const {
    point const own{
        dot(from_centre, scene_.axis) / scene_.radius,
        (from_centre.y * scene_.axis.x - from_centre.x * scene_.axis.y) / scene_.radius};
    float const distance = figure_distance(scene_.kind, own, scene_.period) * scene_.radius;
    return std::clamp(0.5F - distance / softness, 0.0F, 1.0F);
  }

  scene const& scene_;
  float pixel_;  // a pixel's side
  float reach_;  // how far from the centre figure and shadow can be seen
};

/// A uniform number in [low, high).
constexpr float uniform(random_stream& random, float low, float high) {
  return low + (high - low) * random.uniform();
}

inline point direction(float turns) {
  float const angle = 2.0F * std::numbers::pi_v<float> * turns;
  return {std::cos(angle), std::sin(angle)};
}

/// A colour of the given hue, in turns; saturation and value in [0, 1].
inline rgb tint(float hue, float saturation, float value) {
  auto const part = [&](float shift) {
    return value * (1.0F - saturation * (0.5F - 0.5F * direction(hue + shift).x));
  };
  return {part(0), part(1.0F / 3.0F), part(2.0F / 3.0F)};
}

/// Colours of figure and background that differ in hue and lightness, but tell nothing of the
/// class.
inline void draw_colours(scene& result, random_stream& random) {
  float const hue = random.uniform();
  float const value = uniform(random, 0.2F, 0.9F);
  float const across = value + uniform(random, -0.25F, 0.25F);
  result.ground[0] = tint(hue, uniform(random, 0.2F, 0.8F), value);
  result.ground[1] = tint(hue + uniform(random, -0.2F, 0.2F), 0.5F, std::max(across, 0.05F));
  float const contrast = uniform(random, 0.35F, 0.6F);
  result.colour = tint(hue + uniform(random, 0.25F, 0.75F),
                       uniform(random, 0.3F, 0.9F),
                       value < 0.55F ? value + contrast : value - contrast);
  result.colour = mix(result.colour, {0.5F, 0.5F, 0.5F}, 0.05F);
}

/// A scene with a figure that lies, but for a margin, within the image: `half` its half extents.
inline scene draw_scene(figure kind, point half, random_stream& random) {
  scene result;
  result.kind = kind;
  bool const textured = kind >= figure::stripes;
  result.radius = textured ? uniform(random, 0.65F, 0.95F) : uniform(random, 0.45F, 0.85F);
  result.period = uniform(random, 0.4F, 0.6F);
  auto const place = [&](float side) {
    float const room = std::max(side - 0.85F * result.radius, 0.0F);
    return uniform(random, -room, room);
  };
  result.centre.x = place(half.x);
  result.centre.y = place(half.y);
  result.axis = direction(random.uniform());
  for (auto& [frequency, phase] : result.waves) {
    point const along = direction(random.uniform());
    float const number = uniform(random, 0.8F, 5.0F);
    frequency = {number * along.x, number * along.y};
    phase = uniform(random, 0.0F, 2.0F * std::numbers::pi_v<float>);
  }
  draw_colours(result, random);
  result.grain = uniform(random, 0.01F, 0.05F);
  return result;
}

/// Channel `channel` of `channels`: lightness alone (Rec. 601), or red, green and blue spread
/// evenly over the channels, which gives the three themselves for three.
constexpr float channel_value(rgb const& colour, index_t channel, index_t channels) {
  if (channels == 1) return 0.299F * colour.red + 0.587F * colour.green + 0.114F * colour.blue;
  float const at = 2.0F * static_cast<float>(channel) / static_cast<float>(channels - 1);
  return at <= 1.0F ? colour.red + at * (colour.green - colour.red)
                    : colour.green + (at - 1.0F) * (colour.blue - colour.green);
}

}  // namespace mae::detail
