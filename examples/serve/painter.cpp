#include "painter.hpp"

#include "assumed.hpp"
#include "chosen_objective.hpp"
#include "picture.hpp"
#include "png_file.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/data/normalise.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/io/principal_file.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/principal.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ostream>
#include <utility>

namespace serve {
namespace {

using mae::index_t;
using backend = mae::eigen_backend<float>;
using model_type = mae::sized_autoencoder<mae::uniform_mask<>, backend, pretrain::chosen_objective>;

pretrain::chosen_objective objective_of(mae::pretrained_model const& model, std::ostream& notes) {
  if (model.other_targets() == "principal")
    return pretrain::chosen_objective(
        mae::principal_components(mae::read_principal_basis(model.path)));
  auto const normalised = model.norm_pix();
  if (!normalised)
    pretrain::say_assumed(notes, "the decoder paints normalised pixels, as the official models do");
  if (normalised.value_or(true))
    return pretrain::chosen_objective(mae::normalised_pixels{model.target_epsilon()});
  return pretrain::chosen_objective(mae::pixels{});
}

/// The plan that says what is hidden (n, N).
mae::mask_plan plan_of(std::span<std::uint8_t const> hidden, index_t patches) {
  mae::mask_plan plan(std::ssize(hidden) / patches, patches);
  std::vector<float> scores(static_cast<std::size_t>(patches));
  for (index_t i = 0; i < plan.images(); ++i) {
    auto const own = hidden.subspan(static_cast<std::size_t>(i * patches), scores.size());
    std::ranges::copy(own, scores.begin());
    index_t const target = std::ranges::count(own, std::uint8_t{1});
    plan.assign(i, {patches - target, target}, scores);
  }
  return plan;
}

std::vector<float> in_scaled_units(std::span<std::uint8_t const> bytes) {
  constexpr float largest = 255.0F;
  std::vector<float> values(bytes.size());
  std::ranges::transform(bytes, values.begin(), [](std::uint8_t value) {
    return static_cast<float>(value) / largest;
  });
  return values;
}

}  // namespace

struct painter::parts {
  model_type model;
};

painter::painter(mae::pretrained_model const& model,
                 std::shared_ptr<mae::thread_pool> threads,
                 std::ostream& notes)
    : parts_(new parts{mae::open_pretrained(
          model,
          mae::autoencoder_parts<mae::uniform_mask<>, backend, pretrain::chosen_objective>{
              .objective = objective_of(model, notes), .backend = backend(std::move(threads))})}) {}
painter::~painter() = default;

std::vector<float> painter::paint(std::span<std::uint8_t const> images,
                                  std::span<std::uint8_t const> hidden) const {
  auto const& model = parts_->model;
  auto input = in_scaled_units(images);
  bool const normalises = !model.statistics().mean.empty();
  if (normalises) mae::normalise_pixels(input, model.statistics());
  auto painted = model.reconstruct(input, plan_of(hidden, model.sizes().config.num_patches()));
  if (normalises) mae::denormalise_pixels(painted, model.statistics());
  return painted;
}

bool can_paint(mae::pretrained_model const& model) {
  auto const others = model.other_targets();
  return model.has_decoder && !model.crosses && (others.empty() || others == "principal");
}

hidden_patches draw_hidden(mae::model_config const& sizes, double ratio, std::uint64_t seed) {
  index_t const patches = sizes.num_patches();
  std::vector<float> scores(static_cast<std::size_t>(patches));
  std::vector<float> pixels(static_cast<std::size_t>(sizes.image.values()));
  mae::mask_plan plan(1, patches);
  mae::random_stream random({.seed = seed, .use = mae::purpose::mask, .index = 0});
  mae::mask_context const context{.patches = {pixels.data(), patches, sizes.patch_values()},
                                  .channels = sizes.image.channels,
                                  .grid_rows = sizes.grid_rows(),
                                  .grid_columns = sizes.grid_columns(),
                                  .patch_width = sizes.patch.width};
  mae::plan_image(plan, 0, mae::uniform_mask<>(ratio), context, random, scores);
  hidden_patches hidden(static_cast<std::size_t>(patches), 0);
  for (auto const patch : plan.target(0)) hidden[static_cast<std::size_t>(patch)] = 1;
  return hidden;
}

std::string png_of_painting(mae::model_config const& sizes,
                            std::span<std::uint8_t const> image,
                            std::span<float const> painted,
                            hidden_patches const& hidden,
                            painting_view view) {
  if (!std::ranges::all_of(painted, [](float value) { return std::isfinite(value); }))
    throw mae::config_error("what the decoder paints is not finite");
  auto const row = pretrain::compose({sizes.image, in_scaled_units(image)},
                                     {sizes.image, {painted.begin(), painted.end()}},
                                     sizes.patch,
                                     hidden);
  auto const drawn = [&] {
    if (view == painting_view::sheet)
      return pretrain::draw_sheet(std::span(&row, 1), pretrain::layout_for(sizes.image, 1));
    std::vector<pretrain::float_image> const shown{view == painting_view::pasted ? row.pasted
                                                   : view == painting_view::painted
                                                       ? row.reconstructed
                                                       : row.masked};
    return pretrain::draw_grid(
        std::span(&shown, 1),
        {.image_width = sizes.image.width, .image_height = sizes.image.height, .gap = 0});
  }();
  auto const bytes = pretrain::png_of(drawn);
  return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};  // NOLINT(*-reinterpret-cast)
}

}  // namespace serve
