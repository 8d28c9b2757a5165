#include "loaded_model.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/usual_statistics.hpp>
#include <mae/io/description.hpp>
#include <mae/mask/plan.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

namespace c_api {
namespace {

using mae::config_error;
using mae::index_t;

bool are_close(std::vector<double> const& one, std::vector<double> const& other) {
  constexpr double tolerance = 1e-6;
  return std::ranges::equal(
      one, other, [](double a, double b) { return std::abs(a - b) <= tolerance; });
}

/// Says by name what the files leave open; what nobody says is assumed, and noted.
void say_statistics(mae::pretrained_model& model, char const* name) {
  if (name == nullptr) {
    auto const assumed = mae::assume_statistics(model);
    if (!assumed.empty()) model.notes.push_back("assumed: " + assumed);
    return;
  }
  auto const usual = mae::usual_statistics(name, model.sizes.image.channels);
  if (!usual)
    throw config_error("statistics are 'imagenet', 'half' or 'none', not " + mae::in_quotes(name));
  auto how = model.pictures();
  auto const wanted = mae::detail::from_units_of(how.rescale, *usual);
  bool const is_open = how.statistics.mean.empty() || model.assumed.erase("pixel_mean") > 0;
  if (!is_open && (!are_close(wanted.mean, how.statistics.mean) ||
                   !are_close(wanted.deviation, how.statistics.deviation)))
    throw config_error(model.path + ": the statistics " + mae::in_quotes(name) +
                       " contradict its files, which say mean " +
                       mae::numbers_text(how.statistics.mean) + ", deviation " +
                       mae::numbers_text(how.statistics.deviation) + " of pixels in [0, 1]");
  if (!is_open) return;
  how.statistics = wanted;
  mae::replace_pictures(model, how);
}

/// What the decoder paints. Throws config_error where that is no picture, or contradicts `name`.
painted_pixels objective_of(mae::pretrained_model& model, char const* name) {
  std::string const said = name == nullptr ? "" : name;
  if (!said.empty() && said != "normalised" && said != "pixels")
    throw config_error("the objective is 'normalised' or 'pixels', not " + mae::in_quotes(said));
  if (auto const others = model.other_targets(); !others.empty())
    throw config_error(model.path + ": its decoder predicts " + others +
                       ", which is not painted here");
  auto const known = model.norm_pix();
  if (known && !said.empty() && *known != (said == "normalised"))
    throw config_error(model.path + ": the objective " + mae::in_quotes(said) +
                       " contradicts its files, which say " + *model.entry("objective"));
  if (!known && said.empty())
    model.notes.emplace_back(
        "assumed: the decoder paints normalised pixels; --objective says otherwise");
  return {known.value_or(said != "pixels"), model.target_epsilon()};
}

mae::read_options read_options_of(mae_options const& options) {
  for (int const value : {options.threads,
                          options.heads,
                          options.decoder_heads,
                          options.image_height,
                          options.image_width,
                          options.patch_height,
                          options.patch_width})
    if (value < 0) throw config_error("an option of a model is below 0");
  if (!(options.norm_epsilon >= 0)) throw config_error("an epsilon of norms must be positive");
  return {.heads = options.heads,
          .decoder_heads = options.decoder_heads,
          .image_height = options.image_height,
          .image_width = options.image_width,
          .patch = {options.patch_height, options.patch_width},
          .norm_epsilon = options.norm_epsilon};
}

}  // namespace
}  // namespace c_api

std::unique_ptr<mae_model> mae_model::load(std::string const& path, mae_options const& options) {
  if (options.objective != nullptr && options.for_reconstruction == 0)
    throw mae::config_error("an objective is the decoder's: for_reconstruction loads it");
  auto found = mae::read_pretrained(path, c_api::read_options_of(options));
  if (found.crosses && options.for_reconstruction != 0)
    throw mae::config_error(found.path +
                            ": this interface does not paint with a cross-attention decoder: with "
                            "for_reconstruction 0 its encoder is loaded");
  c_api::say_statistics(found, options.statistics);
  backend const on(std::make_shared<mae::thread_pool>(options.threads));
  std::optional<painter> painting;
  if (options.for_reconstruction != 0)
    painting.emplace(mae::open_pretrained(
        found,
        mae::autoencoder_parts<mae::uniform_mask<>, backend, c_api::painted_pixels>{
            .objective = c_api::objective_of(found, options.objective), .backend = on}));
  std::string notes;
  for (auto const& note : found.notes) notes += mae::printable(note) + '\n';
  return std::make_unique<mae_model>(mae_model{.notes = std::move(notes),
                                               .entries = found.description,
                                               .encoder = mae::open_pretrained_encoder(found, on),
                                               .painting = std::move(painting)});
}

std::vector<float> mae_model::reconstruct(std::span<float const> images,
                                          std::span<unsigned char const> hidden) const {
  if (!painting)
    throw c_api::argument_error(
        "the model was loaded without its decoder: for_reconstruction loads it");
  auto const patches = sizes().num_patches();
  auto const count = std::ssize(hidden) / patches;
  mae::mask_plan plan(count, patches);
  std::vector<float> scores(static_cast<std::size_t>(patches));
  for (mae::index_t i = 0; i < count; ++i) {
    auto const own = hidden.subspan(static_cast<std::size_t>(i * patches), scores.size());
    std::ranges::transform(
        own, scores.begin(), [](auto value) { return value == 0 ? 0.0F : 1.0F; });
    auto const visible = std::ranges::count(own, 0);
    plan.assign(i, {visible, patches - visible}, scores);
  }
  std::vector<float> input(images.begin(), images.end());
  mae::normalise_pixels(input, painting->statistics());
  auto painted = painting->reconstruct(input, plan);
  mae::denormalise_pixels(painted, painting->statistics());
  return painted;
}
