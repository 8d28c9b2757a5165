#include "model_flags.hpp"

#include "assumed.hpp"
#include "flag_values.hpp"

#include <mae/core/error.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/json_values.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/io/json_reader.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace tools {
namespace {

using pretrain::flag;
using pretrain::usage_error;

constexpr std::uint64_t most_heads = 1 << 16;

void read_one_of(std::vector<std::string> const& words,
                 std::string const& text,
                 std::string& into) {
  if (std::ranges::find(words, text) == words.end())
    throw usage_error("must be " + words.front() + " or " + words.back() + ", not " + text);
  into = text;
}

double parse_rescale(std::string const& text) {
  if (text == "none") return 1;
  auto const factor = mae::detail::parse_share(text);
  if (!factor || !(*factor > 0) || !std::isfinite(*factor))
    throw usage_error("must be none, or a factor above 0 (0.00392157, 1/255), not " + text);
  return *factor;
}

/// A mean and a deviation for each channel, of bytes that are rescaled so.
struct named_statistics {
  mae::pixel_statistics statistics;
  std::optional<double> rescale;
};

/// Of a file {"mean": [...], "std": [...]}, or a preprocessor_config.json.
named_statistics read_statistics(std::string const& path, mae::index_t channels) {
  std::string const text = mae::detail::read_text_file(path, 1'000'000);
  mae::detail::channel_numbers mean;
  mae::detail::channel_numbers deviation;
  bool rescales = true;
  named_statistics found;
  mae::json_reader reader(path, text, 0);
  reader.object([&](std::string const& key, std::uint64_t /*at*/) {
    if (mae::detail::skip_null(reader)) return;
    if (key == "mean" || key == "image_mean")
      mean = mae::detail::read_channel_numbers(reader);
    else if (key == "std" || key == "image_std")
      deviation = mae::detail::read_channel_numbers(reader);
    else if (key == "rescale_factor")
      found.rescale = reader.number();
    else if (key == "do_rescale")
      rescales = reader.boolean();
    else
      reader.skip();
  });
  reader.finish_text();
  if (mean.values.empty() || deviation.values.empty())
    throw mae::format_error(path,
                            0,
                            "statistics need a mean and a std, lists of a number for each channel: "
                            "{\"mean\": [0.5, 0.5, 0.5], \"std\": [0.5, 0.5, 0.5]}");
  if (!rescales) found.rescale = 1;
  if (found.rescale && !(*found.rescale > 0))
    throw mae::format_error(path, 0, "rescale_factor must be positive");
  auto const count = static_cast<std::size_t>(channels);
  for (auto* const numbers : {&mean, &deviation})
    if (numbers->is_one_for_all) numbers->values.assign(count, numbers->values.front());
  found.statistics.mean = mean.values;
  found.statistics.deviation = deviation.values;
  return found;
}

named_statistics statistics_named(std::string const& name, mae::index_t channels) {
  auto const count = static_cast<std::size_t>(channels);
  auto const of_all = [count](double mean, double deviation) -> named_statistics {
    return {{.mean = std::vector(count, mean), .deviation = std::vector(count, deviation)}, {}};
  };
  if (name == "half") return of_all(0.5, 0.5);
  if (name == "none") return of_all(0, 1);
  if (name != "imagenet") return read_statistics(name, channels);
  if (channels != 3)
    throw mae::config_error("--statistics imagenet are of 3 channels, the model's images have " +
                            std::to_string(channels));
  return {mae::imagenet_statistics(), {}};
}

bool are_close(double one, double other) {
  constexpr double tolerance = 1e-6;
  return std::abs(one - other) <= tolerance * std::max(std::abs(one), std::abs(other));
}
bool are_close(std::vector<double> const& one, std::vector<double> const& other) {
  return std::ranges::equal(
      one, other, [](double a, double b) { return are_close(a, b) || std::abs(a - b) < 1e-9; });
}

[[noreturn]] void refuse(mae::pretrained_model const& model,
                         std::string const& flag,
                         std::string const& wanted,
                         std::string const& found) {
  throw mae::config_error(model.path + ": --" + flag + " " + wanted +
                          " contradicts its files, which say " + mae::printable(found));
}

/// Takes back what was assumed of an entry, and the line that says so, for the flag that says it;
/// whether there was such a thing.
bool take_back(mae::pretrained_model& model, std::string const& entry, std::string const& flag) {
  if (model.assumed.erase(entry) == 0) return false;
  std::erase_if(model.notes, [&](std::string const& note) {
    return note.ends_with("; --" + flag + " says otherwise");
  });
  return true;
}

void say_statistics(known_of_model const& known,
                    mae::pretrained_model& model,
                    mae::preprocessing& how) {
  bool const is_known = !how.statistics.mean.empty();
  if (known.rescale && is_known && !are_close(*known.rescale, how.rescale))
    refuse(model,
           "rescale",
           mae::detail::rescale_text(*known.rescale),
           mae::detail::rescale_text(how.rescale));
  if (known.rescale) how.rescale = *known.rescale;
  if (known.statistics.empty()) return;
  bool const is_open = !is_known || take_back(model, "pixel_mean", "statistics");
  auto [statistics, rescale] = statistics_named(known.statistics, model.sizes.image.channels);
  if (rescale && known.rescale && !are_close(*rescale, *known.rescale))
    throw mae::config_error(known.statistics + " says another rescaling (" +
                            mae::detail::rescale_text(*rescale) + ") than --rescale");
  double const factor = rescale.value_or(how.rescale);
  statistics = mae::detail::from_units_of(factor, std::move(statistics));
  mae::detail::require_usable(known.statistics, statistics, model.sizes.image.channels);
  if (!is_open && (!are_close(statistics.mean, how.statistics.mean) ||
                   !are_close(statistics.deviation, how.statistics.deviation)))
    refuse(model,
           "statistics",
           known.statistics,
           "mean " + mae::numbers_text(how.statistics.mean) + ", deviation " +
               mae::numbers_text(how.statistics.deviation) + " of pixels in [0, 1]");
  if (!is_open) return;
  how.rescale = factor;
  how.statistics = std::move(statistics);
}

void replace_description(mae::pretrained_model& model, mae::preprocessing const& how) {
  // What `how` no longer says has no entry.
  std::erase_if(model.description,
                [](auto const& entry) { return entry.first.starts_with("picture_"); });
  for (auto const& [name, value] : mae::describe(how)) model.description[name] = value;
}

}  // namespace

flag sides_flag(char const* name, char const* description, image_sides& sides) {
  return {name, "HxW|N", description, [&sides](std::string const& text) {
            constexpr mae::index_t most_pixels = 1 << 15;
            auto const found = mae::detail::parse_sides(text);
            if (!found || found->first > most_pixels || found->second > most_pixels)
              throw usage_error("must be height and width (224x160), or one number, not " + text);
            sides = {found->first, found->second};
          }};
}

std::vector<flag> known_flags(known_of_model& k) {
  return {{"heads",
           "N",
           "attention heads of the encoder's layers",
           pretrain::whole(k.heads, 1, most_heads)},
          {"decoder-heads",
           "N",
           "attention heads of the decoder's layers",
           pretrain::whole(k.decoder_heads, 1, most_heads)},
          sides_flag("image-size", "height and width of its images", k.image),
          sides_flag("patch-size", "height and width of their patches", k.patch),
          {"statistics",
           "imagenet|half|none|FILE.json",
           "mean and deviation of its pixels: ImageNet's; 0.5 and 0.5; none, for\n"
           "pixels as they are; of {\"mean\": [...], \"std\": [...]}",
           pretrain::words(k.statistics)},
          {"rescale",
           "FACTOR|none",
           "what bytes are multiplied by before the mean is taken off [1/255]",
           [&k](std::string const& text) { k.rescale = parse_rescale(text); }},
          {"resample",
           "bicubic|bilinear",
           "how pictures are resampled [bicubic]",
           [&k](std::string const& text) {
             read_one_of({"bicubic", "bilinear"}, text, k.resample);
           }},
          {"fit",
           "crop|stretch",
           "how pictures of other proportions become its images: their middle, or\n"
           "all of them [crop]",
           [&k](std::string const& text) {
             read_one_of({"crop", "stretch"}, text, k.fit);
           }}};
}

mae::read_options sizes_of(known_of_model const& known) {
  return {.heads = known.heads,
          .decoder_heads = known.decoder_heads,
          .image_height = known.image.height,
          .image_width = known.image.width,
          .patch = {known.patch.height, known.patch.width}};
}

void say_pictures(known_of_model const& known, mae::pretrained_model& model) {
  auto how = model.pictures();
  say_statistics(known, model, how);
  if (!known.resample.empty()) {
    if (!how.resample.empty() && how.resample != known.resample)
      refuse(model, "resample", known.resample, how.resample);
    how.resample = known.resample;
  }
  if (!known.fit.empty()) {
    bool const is_assumed = take_back(model, "picture_fit", "fit");
    bool const is_open = how.fit.empty() || how.fit == "none" || is_assumed;
    if (!is_open && how.fit != known.fit) refuse(model, "fit", known.fit, how.fit);
    how.fit = known.fit;
    if (is_assumed && known.fit == "stretch") how.shortest_edge = 0;
  }
  replace_description(model, how);
}

void assume_statistics(mae::pretrained_model& model, std::ostream& notes) {
  auto how = model.pictures();
  if (!how.statistics.mean.empty()) return;
  bool const has_colours = model.sizes.image.channels == 3;
  pretrain::say_assumed(notes,
                        has_colours
                            ? "ImageNet's mean and deviation of pixels, as the official models "
                              "have; --statistics says otherwise"
                            : "pixels as they are, not normalised; --statistics says otherwise");
  auto const named =
      statistics_named(has_colours ? "imagenet" : "none", model.sizes.image.channels);
  how.statistics = mae::detail::from_units_of(how.rescale, named.statistics);
  replace_description(model, how);
}

picture_settings settings_for_pictures(known_of_model const& known,
                                       mae::pretrained_model const& model,
                                       std::ostream& notes) {
  auto const how = model.pictures();
  if (how.fit == "border" || how.fit == "cut")
    throw mae::config_error(
        model.path +
        (how.fit == "border"
             ? ": its pictures are put within a border (crop_mode border), which is not done here"
             : ": its pictures are cut without resizing (do_resize false), which is not done "
               "here"));
  if (how.fit.empty())
    pretrain::say_assumed(notes, "of pictures the middle is taken; --fit says otherwise");
  if (how.fit == "none")
    pretrain::say_assumed(notes,
                          "of pictures of other sizes the middle is taken, resized, as its "
                          "files resize none; --fit says otherwise");
  bool const is_fit_given = !known.fit.empty();
  auto const& image = model.sizes.image;
  if (how.keeps_exact && !is_fit_given)
    pretrain::say_assumed(notes,
                          "pictures of " + mae::detail::sides_text(image.height, image.width) +
                              " are taken as they are; of others a border is cut off, as crop_pct "
                              "says; --fit " +
                              how.fit + " cuts it off these, too");
  picture_settings settings;
  settings.fit = {.kind = how.fit == "stretch" ? mae::image_fit::stretch : mae::image_fit::crop,
                  .shortest_edge = how.shortest_edge,
                  .resized_height = how.resized_height,
                  .resized_width = how.resized_width,
                  .keeps_proportions = how.fit == "crop" && how.resized_height > 0,
                  .keeps_exact = how.keeps_exact && !is_fit_given,
                  .middle = how.even_middle ? mae::middle_start::even : mae::middle_start::lower};
  if (how.resample.empty())
    pretrain::say_assumed(notes,
                          "pictures are resampled by a bicubic filter; --resample says otherwise");
  else if (how.resample == "bilinear")
    settings.kind = mae::interpolation::bilinear;
  else if (how.resample != "bicubic")
    throw mae::config_error(model.path + ": its pictures are resampled by the filter " +
                            how.resample + "; here are bicubic and bilinear alone");
  return settings;
}

}  // namespace tools
