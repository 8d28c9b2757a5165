#include "visible_patches.hpp"

#include "assumed.hpp"
#include "model_mask.hpp"

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace tools {

using mae::index_t;

patch_chooser::patch_chooser(pretrain::chosen_mask mask,
                             mae::model_config const& config,
                             pretrain::options const& settings,
                             std::optional<index_t> exactly)
    : mask_(std::move(mask)),
      config_(config),
      seed_(settings.seed),
      progress_(settings.mask_at),
      exactly_(exactly) {}

void patch_chooser::plan(seen_set set,
                         index_t image,
                         mae::matrix_view<float const> patches,
                         mae::mask_plan& plan,
                         index_t at) const {
  auto const number = static_cast<std::uint64_t>(image);
  index_t const all = config_.num_patches();
  std::vector<float> scores(static_cast<std::size_t>(all));
  if (exactly_ == all) {
    plan.assign(at, {all, 0}, scores);
  } else {
    mae::random_stream random({.seed = seed_,
                               .use = mae::purpose::mask,
                               .epoch = static_cast<std::uint32_t>(set),
                               .index = number});
    mae::mask_context const context{.patches = patches,
                                    .channels = config_.image.channels,
                                    .grid_rows = config_.grid_rows(),
                                    .grid_columns = config_.grid_columns(),
                                    .patch_width = config_.patch.width,
                                    .progress = progress_,
                                    .dataset_index = number};
    auto counts = mask_.counts(context, random);
    if (exactly_) counts = {*exactly_, all - *exactly_};
    mask_.score(context, random, scores);
    plan.assign(at, counts, scores);
  }
  of(set).images += 1;
  of(set).visible += plan.counts(at).visible;
}

mae::see_patches patch_chooser::of_set(seen_set set) const {
  return [this, set](
             index_t image, mae::matrix_view<float const> patches, mae::mask_plan& to, index_t at) {
    plan(set, image, patches, to, at);
  };
}

double patch_chooser::mean_visible(seen_set set) const {
  return static_cast<double>(of(set).visible) /
         static_cast<double>(std::max<index_t>(of(set).images, 1));
}

namespace {

/// The settings by which a mask shows so many of `all` patches.
common_options showing(common_options o, index_t number, index_t all) {
  auto& settings = o.settings;
  auto const share = [all](double patches) { return patches / static_cast<double>(all); };
  if (settings.mask != pretrain::mask_choice::density) {
    // The masks count int(N (1 - ratio)): the half keeps rounding away. A saliency mask's ratio,
    // which says nothing of which patches, must leave room for its swing.
    if (settings.mask != pretrain::mask_choice::saliency)
      settings.mask_ratio = 1 - share(static_cast<double>(number) + 0.5);
    return o;
  }
  settings.mask_ratio = 1 - share(static_cast<double>(number));
  double const most = share(static_cast<double>(std::min(number, all - number) - 1));
  if (std::abs(settings.mask_swing) <= most) return o;
  settings.mask_swing = std::copysign(most, settings.mask_swing);
  pretrain::say_assumed(std::cerr,
                        "--mask-swing " + mae::decimal_text(settings.mask_swing) +
                            ", which is all that " + std::to_string(number) +
                            " visible patches of " + std::to_string(all) + " leave");
  return o;
}

}  // namespace

void require_patches(std::vector<index_t> const& numbers, mae::pretrained_model const& model) {
  index_t const all = model.sizes.num_patches();
  for (index_t const number : numbers)
    if (number > all)
      throw pretrain::usage_error("--visible " + std::to_string(number) + ": the encoder has " +
                                  std::to_string(all) + " patches");
}

patch_chooser choose_patches(common_options const& o,
                             mae::pretrained_model const& model,
                             pretrain::image_set const& training,
                             std::optional<index_t> number,
                             mae::thread_pool& threads) {
  index_t const all = model.sizes.num_patches();
  auto const make = [&](common_options const& with, std::optional<index_t> exactly) {
    char const* const own = number ? "mask_ratio" : "";
    return patch_chooser(
        mask_of(with, model, training, threads, own), model.sizes, o.settings, exactly);
  };
  if (!number) return make(o, std::nullopt);
  if (*number == all) {
    common_options none = o;
    none.settings.mask = pretrain::mask_choice::uniform;
    return make(none, all);
  }
  bool const varies = o.settings.mask == pretrain::mask_choice::density;
  return make(showing(o, *number, all), varies ? std::nullopt : number);
}

}  // namespace tools
