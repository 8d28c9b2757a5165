#include "chosen_objective.hpp"

#include "beginning.hpp"
#include "configs.hpp"
#include "output_folder.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/normalise.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/io/principal_file.hpp>
#include <mae/objective/fit_principal.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace pretrain {
namespace {

using mae::index_t;

mae::hog made_hog(options const& settings, mae::model_config const& config) {
  mae::hog const wanted(
      {.cell = settings.hog_cell, .bins = settings.hog_bins, .form = settings.hog_form});
  auto const& patch = config.patch;
  index_t const cell = settings.hog_cell;
  if (cell > 0 && (patch.height % cell != 0 || patch.width % cell != 0))
    throw mae::config_error("--hog-cell " + std::to_string(cell) + " does not divide a patch of " +
                            std::to_string(patch.height) + "x" + std::to_string(patch.width) +
                            " pixels: give a side that divides both of the patch's");
  return mae::hog(
      {.cell = wanted.cell_of(patch), .bins = settings.hog_bins, .form = settings.hog_form});
}

/// The file whose components decide; empty where there is none.
std::string kept_in(options const& settings, beginning const& start) {
  if (start.saved) return (settings.out / output::training).string();
  if (start.initial && start.initial->has_decoder && start.initial->other_targets() == "principal")
    return start.initial->path;
  return {};
}

mae::principal_basis kept_basis(std::string const& path, options const& settings, index_t dropped) {
  auto basis = mae::read_principal_basis(path);
  auto const compare = [&](char const* flag, index_t wanted, index_t found) {
    if (wanted != found)
      throw mae::config_error(path + ": its targets were made with --" + flag + ' ' +
                              std::to_string(found) + ", not with " + std::to_string(wanted) +
                              ": give --" + flag + ' ' + std::to_string(found));
  };
  index_t const values = std::ssize(basis.mean);
  compare("principal-drop", dropped, values - std::ssize(basis.components) / values);
  compare("principal-patches", settings.principal_patches, basis.patches);
  return basis;
}

mae::principal_basis fitted_basis(options const& settings,
                                  image_set const& images,
                                  beginning const& start,
                                  index_t dropped,
                                  mae::thread_pool& threads) {
  auto const config = config_of(settings);
  auto const read = [&](index_t index, std::span<float> pixels) {
    std::vector<float> stored(pixels.size());
    images.read(index, stored);
    mae::random_stream random({.seed = settings.seed,
                               .use = mae::purpose::augment,
                               .index = static_cast<std::uint64_t>(index)});
    mae::augmenter vary(config.image, settings.augment);
    vary(stored, random, pixels);
  };
  return mae::fit_principal_components(
      {.dropped = dropped, .patches = settings.principal_patches, .seed = settings.seed},
      images.size(),
      config,
      input_statistics(settings, images, start, threads),
      read,
      threads);
}

mae::principal_components made_principal(options const& settings,
                                         image_set const& images,
                                         beginning const& start,
                                         mae::thread_pool& threads) {
  auto const config = config_of(settings);
  // About the patch's mean colour, where nobody says.
  index_t const dropped = settings.principal_drop.value_or(config.image.channels);
  if (dropped >= config.patch_values())
    throw mae::config_error("--principal-drop " + std::to_string(dropped) + " leaves none of the " +
                            std::to_string(config.patch_values()) +
                            " components of a patch: give a smaller number");
  auto const path = kept_in(settings, start);
  return mae::principal_components(path.empty()
                                       ? fitted_basis(settings, images, start, dropped, threads)
                                       : kept_basis(path, settings, dropped));
}

/// A teacher of other images or patches is refused by its name.
template <class Make>
mae::teacher_tokens made_teacher(options const& settings,
                                 mae::pixel_statistics const& statistics,
                                 Make const& make) {
  try {
    mae::teacher_tokens objective(make(), statistics);
    objective.target_width(config_of(settings));
    return objective;
  } catch (mae::config_error const& refused) {
    throw mae::config_error("--teacher " + settings.teacher.string() + ": " + refused.what());
  }
}

mae::teacher_tokens made_teacher(options const& settings,
                                 mae::pixel_statistics const& statistics,
                                 teacher_makers const& makers) {
  index_t const blocks = settings.teacher_blocks;
  if (settings.follows_student())
    return made_teacher(settings, statistics, [&] {
      return makers.follow(config_of(settings), blocks, settings.precision);
    });
  auto const found =
      mae::read_pretrained(settings.teacher.string(), {.flags_of = "mae_convert's "});
  return made_teacher(settings, statistics, [&] { return makers.open(found, blocks); });
}

std::string said(mae::teacher_tokens const& objective, mae::model_config const& /*config*/) {
  auto const& of = objective.of();
  return (of.follow ? "teacher, the moving average of the model itself"
                    : "teacher " + of.identity) +
         ", the normalised tokens after its last " +
         (of.blocks == 1 ? "block" : std::to_string(of.blocks) + " blocks, their mean");
}
std::string said(mae::hog const& objective, mae::model_config const& config) {
  index_t const cell = objective.cell_of(config.patch);
  return "hog, cells of " + std::to_string(cell) + "x" + std::to_string(cell) + " pixels, " +
         std::to_string(objective.options().bins) + " directions of each channel";
}
std::string said(mae::fourier_magnitudes const& /*objective*/,
                 mae::model_config const& /*config*/) {
  return "fourier, the magnitudes of each channel's frequencies";
}
std::string said(mae::principal_components const& objective, mae::model_config const& /*config*/) {
  constexpr double percent = 100;
  return "principal, of " + std::to_string(objective.basis().patches) +
         " training patches; the first " + std::to_string(objective.dropped()) +
         " components are left out, " +
         std::to_string(std::lround(percent * objective.dropped_share())) + " % of the variance";
}
std::string said(mae::normalised_pixels const& /*objective*/, mae::model_config const& /*config*/) {
  return "pixels, normalised by each patch's mean and deviation";
}
std::string said(mae::pixels const& /*objective*/, mae::model_config const& /*config*/) {
  return "pixels as they are";
}

}  // namespace

mae::pixel_statistics input_statistics(options const& settings,
                                       image_set const& images,
                                       beginning const& start,
                                       mae::thread_pool& threads) {
  if (start.initial && !start.initial->statistics().mean.empty())
    return start.initial->statistics();
  if (start.saved && !settings.statistics_asked) return start.saved->statistics;
  if (settings.statistics == statistics_choice::imagenet) return mae::imagenet_statistics();
  return mae::channel_statistics(images, threads);
}

chosen_objective make_objective(options const& settings,
                                image_set const& images,
                                beginning const& start,
                                mae::thread_pool& threads,
                                teacher_makers const& makers) {
  switch (settings.objective) {
    case objective_choice::pixels:
      return chosen_objective(mae::pixels{});
    case objective_choice::hog:
      return chosen_objective(made_hog(settings, config_of(settings)));
    case objective_choice::fourier:
      return chosen_objective(mae::fourier_magnitudes{});
    case objective_choice::principal:
      return chosen_objective(made_principal(settings, images, start, threads));
    case objective_choice::teacher:
      return chosen_objective(
          made_teacher(settings, input_statistics(settings, images, start, threads), makers));
    case objective_choice::normalised:
      break;
  }
  return chosen_objective(mae::normalised_pixels{});
}

std::string describe_targets(chosen_objective const& objective, mae::model_config const& config) {
  std::string text = std::to_string(objective.target_width(config));
  text += " values a patch: ";
  return text +
         std::visit([&](auto const& chosen) { return said(chosen, config); }, objective.which());
}

}  // namespace pretrain
