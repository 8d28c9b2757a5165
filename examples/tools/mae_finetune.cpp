// Trains a checkpoint's encoder further, with labels: classes of images by the official recipe,
// classes of pixels, points.

#include "assumed.hpp"
#include "feature_flags.hpp"
#include "finetune_flags.hpp"
#include "finetune_inputs.hpp"
#include "images.hpp"
#include "interrupt.hpp"
#include "labelled_folder.hpp"
#include "labelled_images.hpp"
#include "output_folder.hpp"
#include "program.hpp"
#include "stratified.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/resize_images.hpp>
#include <mae/io/safetensors.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

/// A checkpoint, or what stands for one where there is none, for images of --resize-images.
mae::pretrained_model find_model(tools::finetune_options const& o) {
  auto const& [height, width] = o.resized;
  if (!o.from_scratch) {
    auto model = tools::read_model(o, std::cerr);
    bool const is_equal = height == model.sizes.image.height && width == model.sizes.image.width;
    if (height == 0 || is_equal) return model;
    return mae::resize_images(model, {height, width, model.sizes.image.channels});
  }
  mae::pretrained_model none;
  none.path = "--config " + o.config;
  none.sizes = tools::sizes_by_name(o.config);
  if (height > 0) {
    none.sizes.image = {height, width, none.sizes.image.channels};
    auto const& patch = none.sizes.patch;
    if (height % patch.height != 0 || width % patch.width != 0 || none.sizes.num_patches() < 2)
      throw mae::config_error("--resize-images " + std::to_string(height) + "x" +
                              std::to_string(width) + ": " + o.config + " needs multiples of its " +
                              std::to_string(patch.height) + "x" + std::to_string(patch.width) +
                              " patches, two of them at least");
  }
  tools::say_pictures(o.known, none);
  return none;
}

/// The images that are taken: a share of each class where classes are learned, else of all.
tools::chosen_images choose(tools::finetune_options const& o, tools::labelled_images const& all) {
  bool const by_class = o.trains(tools::class_head);
  auto numbers = by_class
                     ? tools::choose_stratified(all.images, o.label_fraction, o.settings.seed)
                     : tools::choose_share(all.images.size(), o.label_fraction, o.settings.seed);
  if (numbers.size() < 2)
    throw mae::config_error("there are fewer than two training images with " +
                            std::string(by_class ? "classes" : "labels"));
  index_t const left = all.images.size() - std::ssize(numbers);
  if (left > 0 && o.label_fraction == 1)
    pretrain::say_assumed(std::cerr, std::to_string(left) + " images without a class are left out");
  return {all, std::move(numbers)};
}

/// Throws config_error for a class of pixels that no image to train on shows.
void require_pixels(tools::chosen_images const& train, index_t classes) {
  std::vector<bool> seen(static_cast<std::size_t>(classes));
  mae::annotation said;
  for (index_t i = 0; i < train.size(); ++i) {
    train.annotate(i, said);
    for (auto const value : said.mask)
      if (value < classes) seen[value] = true;
  }
  auto const missing = std::ranges::find(seen, false);
  if (missing != seen.end())
    throw mae::config_error(
        "no mask to train on has the class " + std::to_string(missing - seen.begin()) + " of " +
        std::to_string(classes) +
        ": take more images (--label-fraction), or number classes without gaps");
}

tools::labelled_sets load_sets(tools::finetune_options const& o,
                               mae::pretrained_model const& found,
                               pretrain::data_source const& source,
                               mae::thread_pool& threads) {
  auto const request = tools::request_for(o, found, source, !o.labels_places());
  if (!o.labels_places()) {
    auto sets = pretrain::load_images(source, request, threads, std::cerr);
    pretrain::require_classes(sets);
    return {.train = {std::move(sets.train)},
            .test = {std::move(sets.test)},
            .name = std::move(sets.name),
            .class_names = std::move(sets.class_names)};
  }
  tools::label_request const labels{.masks = o.trains(tools::segmentation_head),
                                    .instances = o.instances,
                                    .points = o.trains(tools::keypoint_head),
                                    .keypoints = o.keypoint_table,
                                    .split = o.split_table,
                                    .images = request};
  if (source.kind == pretrain::data_kind::synthetic)
    return tools::load_labelled_synthetic(labels, threads, std::cerr);
  return tools::load_labelled_folder(source.folder.string(), labels, threads, std::cerr);
}

/// How pictures became images, in the words of files.
mae::settings_list picture_entries(tools::finetune_options const& o,
                                   mae::pretrained_model const& model,
                                   pretrain::data_source const& source) {
  auto how = model.pictures();
  how.keeps_exact = how.keeps_exact && o.known.fit.empty();
  if (source.kind == pretrain::data_kind::pictures) {
    if (how.fit.empty() || how.fit == "none") how.fit = "crop";
    if (how.resample.empty()) how.resample = "bicubic";
  }
  how.statistics = {};  // the model's say more
  return mae::describe(how);
}

/// Where no flag says what the final norm is of: a resumed training's own, or the recipe's.
void decide_norm(tools::finetune_options& o, mae::pretrained_model const& found) {
  if (o.norm) return;
  auto const saved = std::filesystem::path(o.out) / pretrain::output::training;
  if (o.resume && std::filesystem::exists(saved)) {
    auto const file = mae::safetensors_file::load(saved.string());
    auto const place = file.metadata().find("final_norm");
    bool const pools_first = place != file.metadata().end() && place->second == "pooled";
    o.norm = pools_first ? mae::norm_place::pooled : mae::norm_place::tokens;
    return;
  }
  if (!o.from_scratch && found.final_norm() == mae::norm_place::tokens &&
      o.final_norm() == mae::norm_place::pooled)
    pretrain::say_assumed(std::cerr,
                          "--norm pooled, as the official recipe has it: a new norm of the mean in "
                          "place of the checkpoint's final one, which --norm final keeps");
}

void run(tools::finetune_options& o) {
  std::optional<pretrain::output_lock> lock;
  if (!o.dry_run) {
    std::filesystem::create_directories(o.out);
    lock.emplace(o.out, std::cerr);
  }
  if (!o.resume &&
      std::filesystem::exists(std::filesystem::path(o.out) / pretrain::output::training))
    throw mae::config_error(o.out +
                            ": holds a training already: --resume goes on with it, another --out "
                            "begins a new one");
  auto const found = find_model(o);
  tools::require_blocks(o.recipe, found.sizes.encoder.depth);
  decide_norm(o, found);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  auto const source = tools::find_source(o);
  auto const sets = load_sets(o, found, source, *threads);
  auto const train = choose(o, sets.train);
  if (o.trains(tools::segmentation_head)) require_pixels(train, sets.mask_classes);
  if (o.trains(tools::class_head) && train.num_classes() < 2)
    throw mae::config_error(sets.name + " has no classes: put the pictures of each into a folder");
  if (train.size() < o.batch)
    pretrain::say_assumed(std::cerr,
                          "batch " + std::to_string(train.size()) +
                              ", as there are no more training images; --batch says less");
  if (o.trains(tools::keypoint_head) && !sets.partners_known) {
    o.mirrors = false;
    pretrain::say_assumed(std::cerr,
                          "images are not mirrored, as no pairs.csv (left,right) beside the points "
                          "says which of them take each other's place; one without pairs says "
                          "that none do");
  }
  std::cout << "training " << o.heads_text() << " on " << train.size() << " images of "
            << mae::printable(sets.name) << std::endl;
  tools::finetune_inputs const inputs{
      o, found, sets, train, picture_entries(o, found, source), threads};
  pretrain::catch_interrupts();
  bool const is_done = o.recipe.precision == tools::finetune_precision::fp32
                           ? tools::finetune_in_fp32(inputs)
                           : tools::finetune_in_bf16(inputs);
  if (!is_done) std::cout << "stopped; --resume goes on\n";
}

constexpr char const* introduction =
    "Trains a masked autoencoder's encoder further, with labels (fine-tuning).\n"
    "Usage: mae_finetune --model FILE|DIR --data DIR|synthetic --out DIR [--epochs 20]\n"
    "       mae_finetune --head segmentation ...; --head keypoints ... (docs/labels.md)\n"
    "       mae_finetune --from-scratch [--config tiny4] ...\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_finetune", "a smaller --batch needs less", [&](char const* name) {
        tools::finetune_options options;
        pretrain::run_or_explain(
            name,
            argc,
            argv,
            introduction,
            tools::flags_for(options),
            [&](auto const& given) {
              tools::check_combinations(given, options);
              options.flags = pretrain::deciding_flags(given);
              pretrain::say_version(options.repeated, std::cerr);
              run(options);
            },
            &options.repeated);
      });
}
