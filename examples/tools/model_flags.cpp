#include "model_flags.hpp"

#include "assumed.hpp"
#include "flag_values.hpp"
#include "picture_settings.hpp"

#include <mae/core/error.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/json_values.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/interop/usual_statistics.hpp>
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
  if (auto const usual = mae::usual_statistics(name, channels)) return {*usual, {}};
  return read_statistics(name, channels);
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
  if (known.rescale) {
    bool const is_assumed = take_back(model, "pixel_rescale", "rescale");
    if (is_known && !is_assumed && !are_close(*known.rescale, how.rescale))
      refuse(model,
             "rescale",
             mae::detail::rescale_text(*known.rescale),
             mae::detail::rescale_text(how.rescale));
    if (is_known && is_assumed)  // the same numbers, in other units
      how.statistics = mae::detail::from_units_of(
          *known.rescale, mae::detail::to_units_of(how.rescale, std::move(how.statistics)));
    how.rescale = *known.rescale;
  }
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
          {"norm-epsilon",
           "NUMBER",
           "what its layer norms add to a variance",
           pretrain::positive(k.norm_epsilon)},
          {"statistics",
           "imagenet|half|none|FILE.json",
           "mean and deviation of its pixels: ImageNet's; 0.5 and 0.5; none, for\n"
           "pixels as they are; of {\"mean\": [...], \"std\": [...]}",
           pretrain::words(k.statistics)},
          {"rescale",
           "FACTOR|none",
           "what bytes are multiplied by before the mean is taken off [1/255]",
           [&k](std::string const& text) { k.rescale = parse_rescale(text); }},
          pretrain::resample_flag(k.resample, "bicubic"),
          pretrain::fit_flag(k.fit, "crop")};
}

mae::read_options sizes_of(known_of_model const& known) {
  return {.heads = known.heads,
          .decoder_heads = known.decoder_heads,
          .image_height = known.image.height,
          .image_width = known.image.width,
          .patch = {known.patch.height, known.patch.width},
          .norm_epsilon = known.norm_epsilon};
}

void say_pictures(known_of_model const& known, mae::pretrained_model& model) {
  auto how = model.pictures();
  say_statistics(known, model, how);
  if (!known.resample.empty()) {
    bool const is_open = take_back(model, "picture_resample", "resample") || how.resample.empty();
    if (!is_open && how.resample != known.resample)
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
  mae::replace_pictures(model, how);
}

void assume_statistics(mae::pretrained_model& model, std::ostream& notes) {
  auto const assumed = mae::assume_statistics(model);
  if (!assumed.empty()) pretrain::say_assumed(notes, assumed);
}

}  // namespace tools
