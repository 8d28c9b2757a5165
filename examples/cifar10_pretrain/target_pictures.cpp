#include "target_pictures.hpp"

#include <mae/core/error.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/fit_principal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <variant>

namespace pretrain {
namespace {

using mae::index_t;
using target_view = mae::matrix_view<float const>;  // (N, width), of one image

std::size_t place(index_t row, index_t column, index_t columns) {
  return static_cast<std::size_t>(row * columns + column);
}

/// One cell of the glyphs, `size` pixels high and wide, in an image `columns` pixels wide.
struct glyph {
  float* pixels;
  index_t columns;
  index_t size;
};

/// A stroke along the edge of each direction, as bright as it is strong. `strengths` (bins).
void draw_strokes(glyph const& cell, std::vector<float> const& strengths, mae::hog_form form) {
  constexpr double half_width = 0.6;  // of a stroke, in pixels
  double const middle = static_cast<double>(cell.size - 1) / 2;
  for (std::size_t bin = 0; bin < strengths.size(); ++bin) {
    double const angle =
        (static_cast<double>(bin) + 0.5) * std::numbers::pi / static_cast<double>(strengths.size());
    auto gradient = std::pair(std::cos(angle), std::sin(angle));  // column, row
    if (form == mae::hog_form::maskfeat) std::swap(gradient.first, gradient.second);
    for (index_t row = 0; row < cell.size; ++row)
      for (index_t column = 0; column < cell.size; ++column) {
        double const x = static_cast<double>(column) - middle;
        double const y = static_cast<double>(row) - middle;
        if (std::abs(x * gradient.first + y * gradient.second) > half_width ||
            x * x + y * y > middle * middle)
          continue;
        float& pixel = cell.pixels[place(row, column, cell.columns)];
        pixel = std::max(pixel, strengths[bin]);
      }
  }
}

/// Twelve pixels a cell or more, so that strokes can be told apart.
float_image draw(mae::hog const& objective,
                 mae::model_config const& config,
                 target_view const& values,
                 target_view const& /*all*/) {
  constexpr index_t least = 12;
  auto const [bins, form] = std::pair(objective.options().bins, objective.options().form);
  index_t const cell = objective.cell_of(config.patch);
  index_t const size = std::max(least, cell);
  index_t const cell_columns = config.patch.width / cell;
  index_t const cells = config.patch.height / cell * cell_columns;
  float_image image{.extent = {.height = config.image.height / cell * size,
                               .width = config.image.width / cell * size,
                               .channels = 1},
                    .values = {}};
  image.values.assign(static_cast<std::size_t>(image.extent.values()), 0.0F);
  std::vector<float> strengths(static_cast<std::size_t>(bins));
  for (index_t patch = 0; patch < values.rows; ++patch)
    for (index_t i = 0; i < cells; ++i) {
      std::ranges::fill(strengths, 0.0F);
      for (index_t c = 0; c < config.image.channels; ++c)
        for (index_t bin = 0; bin < bins; ++bin)
          strengths[static_cast<std::size_t>(bin)] += values(patch, (c * bins + bin) * cells + i) /
                                                      static_cast<float>(config.image.channels);
      index_t const row =
          patch / config.grid_columns() * (config.patch.height / cell) + i / cell_columns;
      index_t const column = patch % config.grid_columns() * cell_columns + i % cell_columns;
      float* const first =
          image.values.data() + place(row * size, column * size, image.extent.width);
      draw_strokes({first, image.extent.width, size}, strengths, form);
    }
  return image;
}

/// Of an image's size; as bright as the strongest magnitude of `all` is 1.
float_image draw(mae::fourier_magnitudes const& /*objective*/,
                 mae::model_config const& config,
                 target_view const& values,
                 target_view const& all) {
  auto const& [height, width] = config.patch;
  index_t const half = width / 2 + 1;
  float const top = std::log1p(*std::max_element(all.data, all.data + all.size()));
  float_image image{.extent = config.image, .values = {}};
  image.values.resize(static_cast<std::size_t>(image.extent.values()));
  index_t const channels = config.image.channels;
  for (index_t patch = 0; patch < values.rows; ++patch)
    for (index_t u = 0; u < height; ++u)
      for (index_t v = 0; v < width; ++v) {
        index_t const row = patch / config.grid_columns() * height + (u + height / 2) % height;
        index_t const column = patch % config.grid_columns() * width + (v + width / 2) % width;
        // Beyond half of them a frequency is another's mirror.
        index_t const from_row = v < half ? u : (height - u) % height;
        index_t const from_column = v < half ? v : width - v;
        for (index_t c = 0; c < channels; ++c) {
          float const magnitude = values(patch, (c * height + from_row) * half + from_column);
          image.values[place(row, column, config.image.width) * static_cast<std::size_t>(channels) +
                       static_cast<std::size_t>(c)] =
              top > 0 ? std::log1p(std::max(0.0F, magnitude)) / top : 0;
        }
      }
  return image;
}

/// Each patch in the colour of its place along the three axes of greatest variance of `all`.
float_image draw(mae::teacher_tokens const& /*objective*/,
                 mae::model_config const& config,
                 target_view const& values,
                 target_view const& all) {
  constexpr float deviations = 2;  // of an axis from one end of a channel to its middle
  auto const axes = mae::fit_principal_components(all, 0);
  float_image image{
      .extent = {.height = config.image.height, .width = config.image.width, .channels = 3},
      .values = {}};
  image.values.resize(static_cast<std::size_t>(image.extent.values()));
  for (index_t row = 0; row < image.extent.height; ++row)
    for (index_t column = 0; column < image.extent.width; ++column) {
      auto const value = values.row(row / config.patch.height * config.grid_columns() +
                                    column / config.patch.width);
      for (index_t c = 0; c < std::min<index_t>(3, all.cols); ++c) {
        float const* const axis = axes.components.data() + c * all.cols;
        float along = 0;
        for (std::size_t k = 0; k < value.size(); ++k) along += (value[k] - axes.mean[k]) * axis[k];
        float const spread =
            deviations * std::sqrt(axes.variances[static_cast<std::size_t>(c)]) + 1e-6F;
        image.values[place(row, column, image.extent.width) * 3 + static_cast<std::size_t>(c)] =
            std::clamp(0.5F + 0.5F * along / spread, 0.0F, 1.0F);
      }
    }
  return image;
}

template <class Objective>
float_image draw(Objective const& /*objective*/,
                 mae::model_config const& /*config*/,
                 target_view const& /*values*/,
                 target_view const& /*all*/) {
  throw mae::config_error("pixels are painted, not drawn");
}

}  // namespace

std::vector<reconstruction> compose_targets(chosen_objective const& objective,
                                            mae::model_config const& config,
                                            std::vector<float> const& stored,
                                            mae::mask_plan const& plan,
                                            target_sample const& sample) {
  index_t const patches = config.num_patches();
  index_t const of_image = patches * sample.width;
  auto predicted = sample.predictions.begin();
  std::vector<reconstruction> rows;
  for (index_t i = 0; i < plan.images(); ++i) {
    auto const first = stored.begin() + i * config.image.values();
    float_image const image{config.image, std::vector<float>(first, first + config.image.values())};
    auto const asked = sample.targets.begin() + i * of_image;
    std::vector<float> const targets(asked, asked + of_image);
    std::vector<float> said = targets;
    std::vector<std::uint8_t> hidden(static_cast<std::size_t>(patches), 0);
    for (auto const patch : plan.target(i)) {
      hidden[static_cast<std::size_t>(patch)] = 1;
      std::copy_n(predicted, sample.width, said.begin() + patch * sample.width);
      predicted += sample.width;
    }
    if (!std::ranges::all_of(said, [](float value) { return std::isfinite(value); }))
      throw mae::config_error("image " + std::to_string(i) +
                              " (from 0): what the decoder predicts is not finite");
    target_view const all(targets.data(), patches, sample.width);
    auto const shown = [&](std::vector<float> const& values) {
      return std::visit(
          [&](auto const& chosen) {
            return draw(chosen, config, {values.data(), patches, sample.width}, all);
          },
          objective.which());
    };
    auto row = compose(image, image, config.patch, hidden);
    row.reconstructed = shown(targets);
    row.pasted = shown(said);
    rows.push_back(std::move(row));
  }
  return rows;
}

char const* shown_of(chosen_objective const& objective) {
  if (std::holds_alternative<mae::hog>(objective.which()))
    return "the targets and, where patches are hidden, what is predicted: strokes along edges";
  if (std::holds_alternative<mae::fourier_magnitudes>(objective.which()))
    return "the targets and, where patches are hidden, what is predicted: each patch's spectrum, "
           "lowest frequencies in its middle";
  if (std::holds_alternative<mae::teacher_tokens>(objective.which()))
    return "the teacher's tokens and, where patches are hidden, what is predicted: the three axes "
           "of "
           "greatest variance of an image as colours";
  if (std::holds_alternative<mae::principal_components>(objective.which()))
    return "reconstructed and pasted, the components that are left out taken from the image";
  return "reconstructed and pasted";
}

}  // namespace pretrain
