#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/interop/json_values.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// config.json of timm (1.0.31): model_args, of which the model is built, and pretrained_cfg, how
// pictures become its input.

namespace mae {

/// What a timm config.json says; absent where it is silent.
struct timm_config {
  std::string architecture = {};
  std::optional<std::pair<index_t, index_t>> image = {};  // height and width, of model_args
  std::optional<std::pair<index_t, index_t>> patch = {};
  std::optional<index_t> channels = {};
  std::optional<index_t> width = {};
  std::optional<index_t> depth = {};
  std::optional<index_t> heads = {};

  bool describes_pictures = false;                      // pretrained_cfg is there
  std::optional<std::vector<index_t>> input_size = {};  // channels, height, width
  bool has_fixed_size = false;
  std::vector<double> mean = {};
  std::vector<double> deviation = {};
  std::string interpolation = {};
  std::string crop_mode = {};
  double crop_share = 0.875;  // timm's DEFAULT_CROP_PCT
};

namespace detail {

class timm_config_parser {
 public:
  timm_config_parser(std::string const& path, std::string_view text) : reader_(path, text, 0) {}

  timm_config parse() && {
    reader_.object([this](std::string const& key, std::uint64_t at) {
      if (skip_null(reader_)) return;
      if (key == "architecture") return void(found_.architecture = reader_.string());
      if (key == "model_args")
        return members(
            [this](std::string const& name, std::uint64_t where) { model_argument(name, where); });
      if (key == "pretrained_cfg") {
        found_.describes_pictures = true;
        return members(
            [this](std::string const& name, std::uint64_t where) { picture_setting(name, where); });
      }
      picture_setting(key, at);  // releases before 0.9 had no pretrained_cfg
    });
    reader_.finish_text();
    return std::move(found_);
  }

 private:
  /// Calls read(key, position) for what is not null. (nvcc 13.0 takes a pointer to a member here
  /// for code of the device.)
  template <class Read>
  void members(Read const& read) {
    reader_.object([this, &read](std::string const& key, std::uint64_t at) {
      if (!skip_null(reader_)) read(key, at);
    });
  }

  void model_argument(std::string const& key, std::uint64_t at) {
    if (key == "img_size") return void(found_.image = sides());
    if (key == "patch_size") return void(found_.patch = sides());
    if (key == "in_chans") return void(found_.channels = read_count(reader_));
    if (key == "embed_dim") return void(found_.width = read_count(reader_));
    if (key == "depth") return void(found_.depth = read_count(reader_));
    if (key == "num_heads") return void(found_.heads = read_count(reader_));
    // What changes a model without showing in its tensors.
    if (key == "block_fn" || key == "mlp_layer" || key == "attn_layer" || key == "embed_layer")
      reader_.refuse(at, key + " is given: another model");
    if (key == "act_layer" || key == "norm_layer") {
      std::string const name = reader_.begins_with('"') ? reader_.string() : "no name";
      if (name != (key == "act_layer" ? "gelu" : "layernorm"))
        reader_.refuse(at, key + " is " + in_quotes(name) + ": another model");
      return;
    }
    reader_.skip();
  }

  void picture_setting(std::string const& key, std::uint64_t /*at*/) {
    if (key == "input_size") {
      found_.input_size = read_counts(reader_, 3, "expected channels, height and width");
      found_.describes_pictures = true;
      return;
    }
    if (key == "mean") return void(found_.mean = read_channel_numbers(reader_).values);
    if (key == "std") return void(found_.deviation = read_channel_numbers(reader_).values);
    if (key == "interpolation") return void(found_.interpolation = reader_.string());
    if (key == "crop_mode") return void(found_.crop_mode = reader_.string());
    if (key == "crop_pct") return void(found_.crop_share = reader_.number());
    if (key == "fixed_input_size") return void(found_.has_fixed_size = reader_.boolean());
    reader_.skip();
  }

  std::pair<index_t, index_t> sides() {
    index_t height = 0;
    index_t width = 0;
    read_sides(reader_, height, width);
    return {height, width};
  }

  json_reader reader_;
  timm_config found_;
};

/// The heads that timm's architectures of these names have, where their width is theirs, too.
inline std::optional<index_t> heads_of_architecture(std::string_view architecture, index_t width) {
  struct sized_name {
    std::string_view name;
    index_t width;
    index_t heads;
  };
  constexpr std::array<sized_name, 8> sizes{{{"tiny", 192, 3},
                                             {"small", 384, 6},
                                             {"medium", 512, 8},
                                             {"base", 768, 12},
                                             {"large", 1024, 16},
                                             {"huge", 1280, 16},
                                             {"giant", 1408, 16},
                                             {"gigantic", 1664, 16}}};
  for (std::string_view const family : {"vit_", "deit_"})
    for (auto const& known : sizes)
      if (architecture.starts_with(std::string(family) + std::string(known.name) + "_") &&
          width == known.width)
        return known.heads;
  return std::nullopt;
}

}  // namespace detail

/// Reads a config.json that timm saved, today's or one of before 0.9. Throws format_error for other
/// text, and for activations and norms of another model.
inline timm_config parse_timm_config(std::string const& path, std::string_view text) {
  auto config = detail::timm_config_parser(path, text).parse();
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> others{
      {{"quickgelu", "whose GELU is another (QuickGELU)"},
       {"rope", "which has rotary positions"},
       {"relpos", "which has relative positions"},
       {"_rpn_", "which normalises after attention and MLP (res-post-norm)"}}};
  for (auto const& [part, what] : others)
    if (config.architecture.find(part) != std::string::npos)
      throw format_error(path,
                         0,
                         "architecture is " + in_quotes(config.architecture) + ", " +
                             std::string(what) + ": another model");
  if (config.heads == index_t{0}) throw format_error(path, 0, "num_heads is 0");
  return config;
}

/// What is known of a model besides: its tensors' width, the sides that a flag gives its images (0:
/// none), and whose flags lines name.
struct timm_context {
  index_t width = 0;
  std::pair<index_t, index_t> image = {};
  std::string flags_of = {};
};

/// The sizes that it says, in the words of this library's metadata. A line in `notes` says which of
/// two image sizes is meant, where no flag does.
inline settings_list describe(std::string const& path,
                              timm_config const& config,
                              timm_context const& context,
                              std::vector<std::string>& notes) {
  settings_list list;
  auto const add = [&](char const* name, std::optional<index_t> const& value) {
    if (value) list.push_back({name, std::to_string(*value)});
  };
  auto image = config.image;
  auto channels = config.channels;
  if (config.input_size) {
    auto const& input = *config.input_size;
    std::pair const size(input[1], input[2]);
    if (image && *image != size) {
      std::string const both =
          "img_size of model_args is " + detail::sides_text(image->first, image->second) +
          ", input_size of pretrained_cfg " + detail::sides_text(size.first, size.second);
      if (!config.has_fixed_size) throw format_error(path, 0, both);
      if (context.image == size)
        image = size;
      else if (context.image != *image)
        notes.push_back("assumed: images of " + detail::sides_text(image->first, image->second) +
                        ", as timm takes them where " + both + "; " + context.flags_of +
                        "--image-size says otherwise");
    }
    if (!image) image = size;
    if (!channels) channels = input[0];
  }
  if (image) {
    add("image_height", image->first);
    add("image_width", image->second);
  }
  add("image_channels", channels);
  if (config.patch) {
    add("patch_height", config.patch->first);
    add("patch_width", config.patch->second);
  }
  add("encoder_width", config.width);
  add("encoder_depth", config.depth);
  add("encoder_heads",
      config.heads ? config.heads
                   : detail::heads_of_architecture(config.architecture, context.width));
  return list;
}

/// How pictures become the input of its model of these images, with timm's defaults: crop_pct is
/// for photographs, pictures that have the model's size already lose no border to it. Throws
/// format_error for statistics of other channels, and for shares that cut nothing.
inline preprocessing pictures_of(std::string const& path,
                                 timm_config const& config,
                                 image_extent const& image) {
  preprocessing how;
  how.statistics = {.mean = config.mean, .deviation = config.deviation, .scale = how.rescale};
  auto const imagenet = imagenet_statistics();
  if (config.mean.empty()) how.statistics.mean = imagenet.mean;
  if (config.deviation.empty()) how.statistics.deviation = imagenet.deviation;
  detail::require_usable(path, how.statistics, image.channels);
  how.resample = config.interpolation.empty() ? "bicubic" : config.interpolation;
  if (std::ranges::find(detail::filter_names, how.resample) == detail::filter_names.end())
    throw format_error(path, 0, "interpolation is no filter: " + in_quotes(how.resample));
  if (!(config.crop_share > 0) || !(config.crop_share <= 1))
    throw format_error(
        path, 0, "crop_pct is " + decimal_text(config.crop_share) + ", not in (0, 1]");
  auto const resized = [&](index_t side) {
    return static_cast<index_t>(std::floor(static_cast<double>(side) / config.crop_share));
  };
  how.even_middle = true;
  how.fit = "crop";
  if (config.crop_mode == "border") how.fit = "border";
  if (config.crop_mode == "squash") how.fit = "stretch";
  how.keeps_exact = config.crop_share < 1;
  if (how.fit == "crop" && image.height == image.width) {
    how.shortest_edge = resized(image.height);
  } else if (config.crop_share < 1) {
    how.resized_height = resized(image.height);
    how.resized_width = resized(image.width);
  }
  return how;
}

}  // namespace mae
