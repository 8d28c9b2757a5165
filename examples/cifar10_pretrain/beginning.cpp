#include "beginning.hpp"

#include "assumed.hpp"
#include "configs.hpp"
#include "data_source.hpp"
#include "output_folder.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/resize_images.hpp>
#include <mae/io/description.hpp>
#include <mae/io/level_entries.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/model/pooling.hpp>

#include <ostream>
#include <string>
#include <utility>

namespace pretrain {
namespace {

/// What a file says of pictures, for images of another size, too.
mae::preprocessing pictures_for(mae::pretrained_model const& initial,
                                mae::image_extent const& image) {
  auto description = initial.description;
  mae::detail::resize_pictures(description, initial.sizes.image, image);
  return mae::parse_preprocessing(initial.path, description, image.channels);
}

/// A flag decides by itself: lengths are of the other way to fit.
void overrule(mae::preprocessing& how, options const& settings) {
  if (!settings.resample.empty()) how.resample = settings.resample;
  if (settings.fit.empty() || settings.fit == how.fit) return;
  how.fit = settings.fit;
  how.shortest_edge = how.resized_height = how.resized_width = 0;
}

/// A training goes on with the pictures that it saw.
void require_same_pictures(options const& settings,
                           std::string const& path,
                           mae::preprocessing const& how) {
  auto const compare = [&](char const* flag, std::string const& wanted, std::string const& found) {
    if (!wanted.empty() && wanted != found)
      throw mae::config_error(path + ": --" + flag + ' ' + wanted +
                              " contradicts the training, which has " + found);
  };
  compare("fit", settings.fit, how.fit.empty() ? "crop" : how.fit);
  compare("resample", settings.resample, how.resample.empty() ? "bicubic" : how.resample);
}

/// Pictures that are fitted as a checkpoint says, not as this program does by itself.
void say_followed(options const& settings,
                  std::string const& path,
                  mae::preprocessing const& how,
                  std::ostream& notes) {
  std::string said;
  auto const add = [&](std::string const& words) { said += (said.empty() ? "" : ", ") + words; };
  if (settings.fit.empty()) {
    if (how.fit == "stretch") add("stretch");
    if (how.shortest_edge > 0) add("shorter side " + std::to_string(how.shortest_edge));
    if (how.resized_height > 0)
      add("resized to " + mae::detail::sides_text(how.resized_height, how.resized_width));
  }
  if (settings.resample.empty() && how.resample == "bilinear") add("bilinear");
  if (!said.empty())
    say_assumed(notes,
                "pictures become images as " + path + " says (" + said +
                    "); --fit and --resample say otherwise");
}

/// Fits pictures as `how` says, and keeps in it what holds.
picture_settings fit_pictures(options const& settings,
                              mae::pretrained_model const* initial,
                              mae::preprocessing& how,
                              std::ostream& notes) {
  auto const image = config_of(settings).image;
  auto const usual = [](std::string& word, char const* otherwise) {
    if (word.empty()) word = otherwise;
  };
  if (initial != nullptr) say_followed(settings, initial->path, how, notes);
  if (initial == nullptr) {  // crop and bicubic are the flags' own defaults
    usual(how.fit, "crop");
    usual(how.resample, "bicubic");
  }
  auto const found = settings_for_pictures({.path = initial == nullptr ? "" : initial->path,
                                            .image = image,
                                            .is_fit_given = !settings.fit.empty(),
                                            .flags_decide = true},
                                           how,
                                           notes);
  how.keeps_exact = found.fit.keeps_exact;
  if (how.fit != "stretch") how.fit = "crop";
  usual(how.resample, "bicubic");
  return found;
}

saved_training saved_in(std::string const& path,
                        mae::safetensors_metadata const& metadata,
                        mae::index_t channels) {
  constexpr double usual_epsilon = 1e-6;
  mae::progress_reader const read(path, metadata);
  return {.total_steps = read.count("total_steps"),
          .warmup_epochs = read.number("warmup_epochs"),
          .norm_epsilon = mae::parse_norm_epsilon(path, metadata, usual_epsilon),
          .statistics = mae::parse_statistics(path, metadata, channels),
          .levels = mae::parse_levels(path, metadata)};
}

std::shared_ptr<mae::pretrained_model const> read_initial(options const& settings,
                                                          std::ostream& notes) {
  auto initial = std::make_shared<mae::pretrained_model const>(
      mae::read_pretrained(settings.init.string(), {.flags_of = "mae_convert's "}));
  for (auto const& note : initial->notes) notes << mae::printable(note) << '\n';
  for (auto const& [head, weight] : {std::pair{"contrast", settings.contrast},
                                     std::pair{"sigreg", settings.sigreg},
                                     std::pair{"denoiser", settings.denoiser}})
    if (weight > 0)
      notes << "note: the layers of --" << head
            << " begin anew: of a checkpoint encoder and decoder are taken\n";
  if (initial->final_norm() == mae::norm_place::pooled)
    notes << mae::printable("note: the norm of the mean (fc_norm) of " + initial->path +
                            " begins as that of every token, which a decoder reads")
          << '\n';
  return initial;
}

}  // namespace

beginning read_beginning(options const& settings, data_source const& source, std::ostream& notes) {
  bool const are_pictures = source.kind == data_kind::pictures;
  if (!are_pictures && !settings.fit.empty())
    throw mae::config_error("--fit is about pictures, and these are " + source.reason);
  auto const image = config_of(settings).image;
  beginning found;
  mae::preprocessing how;
  if (settings.resume) {
    std::string const path = (settings.out / output::training).string();
    auto const file = mae::safetensors_file::load(path);
    found.saved = saved_in(path, file.metadata(), image.channels);
    if (auto const init = file.metadata().find(beginning::init_entry);
        init != file.metadata().end())
      found.begun_with = init->second;
    how = mae::parse_preprocessing(path, file.metadata(), image.channels);
    require_same_pictures(settings, path, how);
  } else {
    if (!settings.init.empty()) {
      found.initial = read_initial(settings, notes);
      found.begun_with = settings.init.string();
      how = pictures_for(*found.initial, image);
    }
    overrule(how, settings);
  }
  if (are_pictures)
    found.pictures = fit_pictures(settings, found.initial.get(), how, notes);
  else if (how.resample == "bilinear")
    found.pictures.kind = mae::interpolation::bilinear;
  how.statistics = {};  // the model's say more
  found.picture_entries = mae::describe(how);
  return found;
}

void check_statistics(options const& settings,
                      mae::pretrained_model const& initial,
                      image_set const& images,
                      mae::thread_pool& threads,
                      std::ostream& notes) {
  bool const is_imagenet = settings.statistics == statistics_choice::imagenet;
  bool const is_known = !initial.statistics().mean.empty();
  if (!is_known && !settings.statistics_asked)
    say_assumed(notes,
                std::string("pixels are normalised by ") +
                    (is_imagenet ? "ImageNet's" : "the training images' own") +
                    " mean and deviation, of which " + initial.path +
                    " says nothing; --statistics says otherwise");
  if (is_known && settings.statistics_asked)
    mae::require_equal(initial.path,
                       initial.description,
                       mae::describe(is_imagenet ? mae::imagenet_statistics()
                                                 : mae::channel_statistics(images, threads)));
}
mae::patch_levels beginning::levels() const {
  if (saved) return saved->levels;
  return initial ? initial->levels() : mae::patch_levels{};
}

}  // namespace pretrain
