#pragma once

#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mae {

/// The classes of the synthetic dataset: six outlines and four textures.
enum class figure : std::uint8_t {
  disc,
  ring,
  square,
  triangle,
  cross,
  star,
  stripes,
  checkers,
  dots,
  target,
};
inline constexpr index_t figure_count = 10;

namespace detail {

/// A point, in units of half the image's shorter side or of a figure's radius.
struct point {
  float x = 0;
  float y = 0;

  friend constexpr point operator-(point const& a, point const& b) {
    return {a.x - b.x, a.y - b.y};
  }
};

constexpr float dot(point const& a, point const& b) {
  return a.x * b.x + a.y * b.y;
}
inline float length(point const& p) {
  return std::sqrt(dot(p, p));
}

// The functions below give the signed distance from a point to an edge, negative inside, for
// figures that fill the unit disc.

/// Lines of equal width, across one coordinate.
inline float stripe_distance(float x, float period) {
  float const phase = x / period;
  return (std::abs(phase - std::floor(phase) - 0.5F) - 0.25F) * period;
}

inline float box_distance(point p, float half_width, float half_height) {
  return std::max(std::abs(p.x) - half_width, std::abs(p.y) - half_height);
}

inline float triangle_distance(point p) {
  constexpr float sin_60 = 0.8660254F;
  return std::max(-p.y, 0.5F * p.y + sin_60 * std::abs(p.x)) - 0.5F;
}

/// A star of five points, folded twice onto half a point (after Quilez, "2D distance functions").
inline float star_distance(point p) {
  constexpr point fold{0.80901699F, -0.58778525F};  // cos 36, -sin 36 degrees
  constexpr float inner = 0.5F;
  p.x = std::abs(p.x);
  float const right = 2.0F * std::max(dot(fold, p), 0.0F);
  p = {p.x - right * fold.x, p.y - right * fold.y};
  float const left = 2.0F * std::max(-fold.x * p.x + fold.y * p.y, 0.0F);
  p = {std::abs(p.x + left * fold.x), p.y - left * fold.y - 1.0F};
  constexpr point edge{-inner * fold.y, inner * fold.x - 1.0F};
  float const along = std::clamp(dot(p, edge) / dot(edge, edge), 0.0F, 1.0F);
  float const away = length(p - point{along * edge.x, along * edge.y});
  return p.y * edge.x > p.x * edge.y ? away : -away;
}

inline float checker_distance(point p, float period) {
  float const x = stripe_distance(p.x, period);
  float const y = stripe_distance(p.y, period);
  float const edge = std::min(std::abs(x), std::abs(y));
  return (x < 0) == (y < 0) ? -edge : edge;
}

inline float dots_distance(point p, float period) {
  point const cell{p.x / period, p.y / period};
  point const centred{cell.x - std::floor(cell.x) - 0.5F, cell.y - std::floor(cell.y) - 0.5F};
  return (length(centred) - 0.32F) * period;
}

inline float figure_distance(figure kind, point p, float period) {
  float const disc = length(p) - 1.0F;
  switch (kind) {
    case figure::disc:
      return disc;
    case figure::ring:
      return std::abs(length(p) - 0.75F) - 0.25F;
    case figure::square:
      return box_distance(p, 0.8F, 0.8F);
    case figure::triangle:
      return triangle_distance(p);
    case figure::cross:
      return std::min(box_distance(p, 1.0F, 0.3F), box_distance(p, 0.3F, 1.0F));
    case figure::star:
      return star_distance(p);
    case figure::stripes:
      return std::max(disc, stripe_distance(p.x, period));
    case figure::checkers:
      return std::max(disc, checker_distance(p, period));
    case figure::dots:
      return std::max(disc, dots_distance(p, period));
    case figure::target:
      return std::max(disc, stripe_distance(length(p), period));
  }
  return disc;
}

}  // namespace detail

}  // namespace mae
