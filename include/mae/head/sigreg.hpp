#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/projected_pass.hpp>
#include <mae/head/projector.hpp>
#include <mae/head/sketched_normality.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/head.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// The head that brings an image's views together and keeps all images apart by letting what is
/// said of them be normally distributed: no negatives, no teacher, no stopped gradient (LeJEPA,
/// Balestriero and LeCun 2025, arXiv 2511.08544). The loss is `share` times SIGReg and 1 - share
/// times the views' spread, on a projector's outputs as they are; its directions are drawn anew
/// for each step. Needs training_options::views of as many.
struct sigreg {
  template <class T, class Linear>
  using weights = projector::weights<T, Linear>;
  template <Lane L>
  using pass = projected_pass<L>;

  static constexpr std::string_view name = "sigreg";
  static constexpr bool couples = true;

  index_t views = 2;
  double share = 0.02;
  index_t directions = 256;
  projector projection = {.outputs = 64};

  /// The head on top of an encoder of these sizes.
  sigreg fitted(model_config const& config) const {
    sigreg head = *this;
    head.projection.encoder_width = config.encoder.width;
    return head;
  }
  /// Throws config_error for fewer than two views, a share outside (0, 1), no directions, and a
  /// projector that cannot be.
  void require_valid() const {
    if (views < 2)
      throw config_error("sigreg compares views of an image: it takes two at least, not " +
                         std::to_string(views));
    if (!(share > 0 && share < 1))
      throw config_error("sigreg's share of normality must lie in (0, 1), it is " +
                         decimal_text(share) + ": with 0 all images become one point");
    if (directions < 1)
      throw config_error("sigreg needs directions, not " + std::to_string(directions));
    projection.require_valid();
  }
  settings_list training_settings() const {
    return {{"pooling", name_of(projection.pool)},
            {"share", decimal_text(share)},
            {"directions", std::to_string(directions)},
            {"views", std::to_string(views)}};
  }

  template <class Walk, class... Of>
  void walk(Walk& at, Of&... of) const {
    projection.walk(name, at, of...);
  }
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return projection.outputs; }
  product_extents extents(shard_capacity const& room) const { return projection.extents(room); }

  /// z (S, E), the views of an image one after the other; `random` is the step's own.
  template <class T>
  double couple(matrix_view<T const> z, matrix_view<T> z_grad, random_stream& random) const {
    auto const drawn = random_directions(directions, z.cols, random);
    std::vector<double> gradient(static_cast<std::size_t>(z.size()), 0.0);
    double const normality = sketched_normality(
        z, views, matrix_view<double const>(drawn.data(), directions, z.cols), share, gradient);
    double const spread = view_spread(z, views, 1 - share, gradient);
    std::ranges::transform(
        gradient, z_grad.data, [](double value) { return static_cast<T>(value); });
    return share * normality + (1 - share) * spread;
  }
};
static_assert(Head<sigreg>);

}  // namespace mae
