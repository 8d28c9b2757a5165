// Shows what a masked autoencoder makes of pictures: original | masked | reconstruction | pasted.

#include "assumed.hpp"
#include "checkpoint_flags.hpp"
#include "chosen_mask.hpp"
#include "chosen_objective.hpp"
#include "data_source.hpp"
#include "decoded_pictures.hpp"
#include "images.hpp"
#include "mask_flags.hpp"
#include "model_mask.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "program.hpp"
#include "reconstructions.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/normalise.hpp>
#include <mae/images/picture_list.hpp>
#include <mae/interop.hpp>
#include <mae/interop/open_cross.hpp>
#include <mae/io/file.hpp>
#include <mae/io/principal_file.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/principal.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using pretrain::usage_error;

struct reconstruct_options : tools::common_options {
  reconstruct_options() {
    settings.augment.crop_min = 1;  // what saliency is measured on
    settings.more_masks = true;
  }

  std::string out = "reconstructions.png";
  index_t images = 8;
  bool has_objective = false;  // was given
};

std::vector<pretrain::flag_group> flags_for(reconstruct_options& o) {
  constexpr std::uint64_t most_images = 1000;
  std::vector<pretrain::flag> flags{
      tools::model_flag(o),
      {"data",
       "FILE|DIR",
       "a picture (PNG, JPEG), a folder of them, or a folder of CIFAR-10's\n"
       "binary version; 'synthetic' for made-up images",
       pretrain::words(o.settings.data)},
      tools::unreadable_flag(o),
      pretrain::max_pixels_flag(o.settings),
      {"out",
       "FILE",
       pretrain::with_default("the picture to write (PNG)", o.out),
       pretrain::words(o.out)},
      {"images",
       "N",
       pretrain::with_default("how many images, from the first on", static_cast<double>(o.images)),
       pretrain::whole(o.images, 1, most_images)},
      pretrain::choice("objective",
                       pretrain::shown_objective_words,
                       o.settings.objective,
                       "what the decoder paints, where the file does not say: pixels, or\n"
                       "pixels normalised by each patch's own mean and variance\n"),
      tools::seed_flag(o),
      tools::threads_flag(o)};
  return {{"Flags", std::move(flags)},
          tools::known_group(o),
          {"Mask", pretrain::mask_flags(o.settings, pretrain::mask_use::showing)}};
}

/// The first pictures of a set; of one with parts, those of the part for tests, else of another.
mae::picture_list choose_pictures(reconstruct_options const& o, mae::picture_list list) {
  using mae::picture_part;
  if (list.part_folders.size() > 1) {
    auto const part = list.part_folders.contains(picture_part::test) ? picture_part::test
                                                                     : picture_part::validation;
    pretrain::say_assumed(std::cerr,
                          "the pictures shown are those of " + list.part_folders.at(part) +
                              "; --data with the folder of another part says otherwise");
    std::erase_if(list.files, [&](auto const& file) { return file.part != part; });
  }
  auto const count = static_cast<std::size_t>(o.images);
  if (count < list.files.size()) list.files.resize(count);
  return list;
}

/// The images that --data names; of a data set with parts, its test images.
pretrain::image_set load(reconstruct_options const& o,
                         mae::pretrained_model const& model,
                         mae::thread_pool& threads) {
  std::string const& data = o.settings.data;
  if (data.empty()) throw usage_error("--data names the picture or the folder; see --help");
  auto const source = pretrain::find_data(data, nullptr);
  pretrain::say_source(source, &std::cout, std::cerr);
  pretrain::image_request request{
      .extent = model.sizes.image,
      .skip_unreadable = o.settings.unreadable == pretrain::unreadable_choice::skip,
      .limits = {.pixels = o.settings.max_pixels}};
  tools::request_pictures(o, model, source, request, std::cerr);
  if (source.kind != pretrain::data_kind::pictures)
    return pretrain::load_images(source, request, threads, std::cerr).test;
  auto decoded =
      pretrain::decode_pictures(choose_pictures(o, source.pictures), request, threads, std::cerr);
  return pretrain::image_set(std::move(decoded.images));
}

/// A mask for each image, as a training of this seed makes it of the whole image at this progress.
mae::mask_plan plan_for(pretrain::chosen_mask const& mask,
                        mae::model_config const& config,
                        std::span<float const> images,
                        index_t count,
                        std::uint64_t seed,
                        double progress) {
  auto const values = static_cast<std::size_t>(config.image.values());
  mae::mask_plan plan(count, config.num_patches());
  std::vector<float> cut(values);
  std::vector<float> scores(static_cast<std::size_t>(config.num_patches()));
  mae::matrix_view<float> const patches(cut.data(), config.num_patches(), config.patch_values());
  for (index_t i = 0; i < count; ++i) {
    auto const number = static_cast<std::uint64_t>(i);
    mae::patchify(images.subspan(static_cast<std::size_t>(i) * values, values),
                  config.image,
                  config.patch,
                  patches);
    mae::random_stream random({.seed = seed, .use = mae::purpose::mask, .index = number});
    mae::mask_context const context{.patches = patches,
                                    .channels = config.image.channels,
                                    .grid_rows = config.grid_rows(),
                                    .grid_columns = config.grid_columns(),
                                    .patch_width = config.patch.width,
                                    .progress = progress,
                                    .dataset_index = number};
    mae::plan_image(plan, i, mask, context, random, scores);
  }
  return plan;
}

/// The objective that the decoder was trained for. Throws config_error for another one that was
/// asked for, and for one that is no picture.
pretrain::chosen_objective objective_of(mae::pretrained_model const& model,
                                        reconstruct_options& o) {
  auto const others = model.other_targets();
  if (!others.empty() && o.has_objective)
    throw mae::config_error(model.path + ": --objective " +
                            std::string(pretrain::name(o.settings.objective)) +
                            " contradicts its files, which say " + others);
  if (others == "principal")
    return pretrain::chosen_objective(
        mae::principal_components(mae::read_principal_basis(model.path)));
  if (!others.empty())
    throw mae::config_error(model.path + ": its decoder predicts " + others +
                            ", which is no picture: the training's report.html shows what it says");
  auto const normalised = model.norm_pix();
  auto& objective = o.settings.objective;
  if (!normalised && !o.has_objective)
    pretrain::say_assumed(std::cerr,
                          "the decoder paints " + std::string(pretrain::name(objective)) +
                              " pixels; --objective says otherwise");
  if (normalised) {
    auto const known =
        *normalised ? pretrain::objective_choice::normalised : pretrain::objective_choice::pixels;
    if (o.has_objective && objective != known)
      throw mae::config_error(
          model.path + ": --objective " + std::string(pretrain::name(objective)) +
          " contradicts its files, which say " + std::string(pretrain::name(known)));
    objective = known;
  }
  if (objective == pretrain::objective_choice::pixels)
    return pretrain::chosen_objective(mae::pixels{});
  return pretrain::chosen_objective(mae::normalised_pixels{model.target_epsilon()});
}

/// Images as they are stored, as the model paints them.
template <class Model>
std::vector<float> paint(Model const& model,
                         std::vector<float> images,
                         mae::mask_plan const& plan) {
  bool const normalises = !model.statistics().mean.empty();
  if (normalises) mae::normalise_pixels(images, model.statistics());
  auto painted = model.reconstruct(images, plan);
  if (normalises) mae::denormalise_pixels(painted, model.statistics());
  return painted;
}

void run(reconstruct_options& o) {
  mae::atomic_file file(o.out);
  auto const found = tools::read_model(o, std::cerr);
  auto const threads = std::make_shared<mae::thread_pool>(o.settings.threads);
  auto const images = load(o, found, *threads);
  index_t const count = std::min(o.images, images.size());
  auto const mask = tools::mask_of(o, found, images, *threads);
  using backend = mae::eigen_backend<float>;
  mae::autoencoder_parts<pretrain::chosen_mask, backend, pretrain::chosen_objective> const parts{
      .mask = mask, .objective = objective_of(found, o), .backend = backend(threads)};
  auto const stored = pretrain::read_images(images, count);
  auto const plan = plan_for(mask, found.sizes, stored, count, o.settings.seed, o.settings.mask_at);
  auto const painted = found.crosses ? paint(mae::open_pretrained_cross(found, parts), stored, plan)
                                     : paint(mae::open_pretrained(found, parts), stored, plan);
  auto const rows = pretrain::compose_rows(found.sizes, stored, painted, plan);
  file.write(pretrain::png_of(
      pretrain::draw_sheet(rows, pretrain::layout_for(found.sizes.image, rows.size()))));
  file.commit();
  std::cout << "wrote " << o.out << ": original | masked | reconstruction | pasted, of " << count
            << " images\n";
}

constexpr char const* introduction =
    "Hides patches of pictures and lets a checkpoint's decoder paint them.\n"
    "Usage: mae_reconstruct --model FILE|DIR --data FILE|DIR [--out FILE] [--mask-ratio 0.75]\n";

}  // namespace

int main(int argc, char** argv) {
  return pretrain::run_program(
      "mae_reconstruct", "fewer --images need less", [&](char const* name) {
        reconstruct_options options;
        pretrain::run_or_explain(name,
                                 argc,
                                 argv,
                                 introduction,
                                 flags_for(options),
                                 [&](pretrain::given_flags const& given) {
                                   pretrain::check_mask(given, options.settings);
                                   options.has_objective = given.contains("objective");
                                   run(options);
                                 });
      });
}
