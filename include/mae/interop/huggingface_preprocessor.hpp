#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/json_values.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/json_writer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// preprocessor_config.json: how transformers (5.24) makes a model's input of a picture.

namespace mae::detail {

/// What `size` and `crop_size` may say; 0 where they do not.
struct processor_size {
  index_t edge = 0;  // one number, of which a processor makes a square or the shortest edge
  index_t height = 0;
  index_t width = 0;
  index_t shortest_edge = 0;
};

/// Reads a preprocessor_config.json, member by member; those that change no pixels are passed over.
class preprocessor_parser {
 public:
  preprocessor_parser(std::string const& path, std::string_view text, std::string flags_of)
      : path_(path), flags_of_(std::move(flags_of)), reader_(path, text, 0) {}

  /// `notes` gets what is assumed where the file is silent.
  preprocessing parse(image_extent const& image, std::vector<std::string>& notes) && {
    reader_.object([this](std::string const& key, std::uint64_t at) { member(key, at); });
    reader_.finish_text();
    preprocessing how{.assumes_all = take_processor(notes)};
    how.rescale = rescales_.value_or(true) ? factor_.value_or(preprocessing::usual_rescale) : 1;
    if (!(how.rescale > 0) || !std::isfinite(how.rescale))
      refuse("rescale_factor is " + decimal_text(how.rescale) + ", but must be positive");
    how.statistics = statistics_of(image.channels, how.rescale);
    how.assumes_statistics = has_null_statistics_ && normalises_.value_or(true);
    if (how.assumes_statistics)
      notes.push_back("assumed: a mean and a deviation of 0.5 where " + path_ +
                      " has null, as transformers before 5 takes them (5.24 refuses them)" +
                      otherwise("statistics"));
    how.resample = filter_names[static_cast<std::size_t>(resample_.value_or(bilinear))];
    resize_as_said(image, how, notes);
    return how;
  }

 private:
  static constexpr index_t bilinear = 2;
  void member(std::string const& key, std::uint64_t at) {
    std::array<std::pair<std::string_view, std::optional<bool>*>, 4> const truths{
        {{"do_rescale", &rescales_},
         {"do_resize", &resizes_},
         {"do_center_crop", &crops_},
         {"do_normalize", &normalises_}}};
    for (auto const& [name, value] : truths)
      if (key == name) return void(*value = !skip_null(reader_) && reader_.boolean());
    if (skip_null(reader_)) {
      if (key == "image_mean" || key == "image_std") has_null_statistics_ = true;
      return;  // as if it were absent
    }
    if (key == "image_mean") return void(mean_ = read_channel_numbers(reader_));
    if (key == "image_std") return void(deviation_ = read_channel_numbers(reader_));
    if (key == "rescale_factor") return void(factor_ = reader_.number());
    if (key == "size") return void(size_ = size(at));
    if (key == "crop_size") return void(crop_size_ = size(at));
    if (key == "image_processor_type") return void(type_ = reader_.string());
    if (key == "resample") {
      resample_ = read_count(reader_);
      if (*resample_ >= std::ssize(filter_names))
        reader_.refuse(at, "resample is no filter of PIL");
      return;
    }
    constexpr std::array<std::string_view, 6> others{
        "do_pad", "offset", "do_offset", "rescale_offset", "do_flip_channel_order", "do_thumbnail"};
    if (std::ranges::find(others, key) != others.end()) {
      if (reader_.boolean()) reader_.refuse(at, key + " is true, which is not done here");
      return;
    }
    if (key == "crop_pct") reader_.refuse(at, "crop_pct, by which pictures are cut, is not read");
    reader_.skip();
  }

  processor_size size(std::uint64_t at) {
    if (reader_.begins_with('[')) {
      auto const sides = read_counts(reader_, 2, "expected height and width");
      return {.height = sides[0], .width = sides[1]};
    }
    if (!reader_.begins_with('{')) return {.edge = read_count(reader_)};
    processor_size found;
    reader_.object([&](std::string const& key, std::uint64_t key_at) {
      if (skip_null(reader_)) return;
      if (key == "height") return void(found.height = read_count(reader_));
      if (key == "width") return void(found.width = read_count(reader_));
      if (key == "shortest_edge") return void(found.shortest_edge = read_count(reader_));
      reader_.refuse(key_at, "a size by " + in_quotes(key) + " is not read here");
    });
    bool const has_sides = found.height > 0 && found.width > 0;
    bool const has_one = (found.height > 0) != (found.width > 0);
    if (has_one || has_sides == (found.shortest_edge > 0))
      reader_.refuse(at, "a size must be height and width, or shortest_edge");
    return found;
  }

  /// What others than ViT's do where the file is silent is not known; true where they may do more.
  bool take_processor(std::vector<std::string>& notes) {
    auto const is_of = [&](std::string_view model) {
      return std::string_view(type_).starts_with(model) &&
             (type_.substr(model.size()).starts_with("ImageProcessor") ||
              type_.substr(model.size()).starts_with("FeatureExtractor"));
    };
    bool const is_vit = type_.empty() || is_of("ViT");
    bool const is_shortest = is_of("CLIP") || is_of("Bit");
    bool const is_unknown = !is_vit && !is_shortest && !is_of("DeiT");
    if (is_unknown)
      notes.push_back("assumed: " + in_quotes(type_) + " of " + path_ +
                      " resizes, cuts, rescales and normalises as its values say, and does "
                      "nothing else; " +
                      flags_of_ + "--fit, --resample, --rescale and --statistics say otherwise");
    if (size_ && size_->edge > 0) {
      if (is_shortest)
        size_->shortest_edge = size_->edge;
      else
        size_->height = size_->width = size_->edge;
    }
    if (crop_size_ && crop_size_->edge > 0)
      crop_size_->height = crop_size_->width = crop_size_->edge;
    if (is_vit) return false;
    std::string missing;
    auto const need = [&](bool is_there, char const* name) {
      if (!is_there) missing += (missing.empty() ? "" : ", ") + std::string(name);
    };
    need(size_.has_value(), "size");
    need(resample_.has_value(), "resample");
    need(resizes_.has_value(), "do_resize");
    need(crops_.has_value(), "do_center_crop");
    need(mean_.has_value(), "image_mean");
    need(deviation_.has_value(), "image_std");
    if (!missing.empty())
      refuse("what " + in_quotes(type_) +
             " does by itself is not known here: write its values into the file (" + missing + ")");
    return is_unknown;
  }

  pixel_statistics statistics_of(index_t channels, double rescale) const {
    auto const count = static_cast<std::size_t>(channels);
    auto const of_all = [&](std::optional<channel_numbers> const& numbers, double otherwise) {
      if (!numbers) return std::vector<double>(count, otherwise);
      if (numbers->is_one_for_all) return std::vector<double>(count, numbers->values.front());
      return numbers->values;
    };
    constexpr double vit_default = 0.5;  // of ViTImageProcessor, mean and deviation
    pixel_statistics found{.mean = of_all(mean_, vit_default),
                           .deviation = of_all(deviation_, vit_default)};
    if (!normalises_.value_or(true)) {
      found.mean.assign(count, 0.0);
      found.deviation.assign(count, 1.0);
    }
    found = from_units_of(rescale, std::move(found));
    require_usable(path_, found, channels);
    return found;
  }

  void resize_as_said(image_extent const& image,
                      preprocessing& how,
                      std::vector<std::string>& notes) const {
    auto const is_images = [&](processor_size const& size) {
      return size.height == image.height && size.width == image.width;
    };
    bool const crops = crops_.value_or(false);
    if (crops && !crop_size_) refuse("do_center_crop is true, but there is no crop_size");
    if (crops && !is_images(*crop_size_)) refuse_sides("crop_size", *crop_size_, image);
    if (!resizes_.value_or(true)) return void(how.fit = crops ? "cut" : "none");
    if (!size_) {
      how.fit = "stretch";
      constexpr index_t usual_side = 224;  // of ViTImageProcessor
      how.assumes_fit = image.height != usual_side || image.width != usual_side;
      if (how.assumes_fit)
        notes.push_back("assumed: pictures are stretched to the model's " +
                        sides_text(image.height, image.width) + ", as " + path_ + " has no size" +
                        otherwise("fit"));
      return;
    }
    if (size_->shortest_edge > 0) {
      how.fit = "crop";
      how.shortest_edge = size_->shortest_edge;
      how.assumes_fit = !crops;
      if (!crops)
        notes.push_back("assumed: of pictures that are not square the middle is taken, as " +
                        path_ + " has no do_center_crop" + otherwise("fit"));
      return;
    }
    how.fit = "stretch";
    if (!crops && !is_images(*size_)) refuse_sides("size", *size_, image);
    if (is_images(*size_)) return;
    how.resized_height = size_->height;
    how.resized_width = size_->width;
  }

  std::string otherwise(char const* flag) const {
    return "; " + flags_of_ + "--" + flag + " says otherwise";
  }
  [[noreturn]] void refuse(std::string const& what) const { throw format_error(path_, 0, what); }
  [[noreturn]] void refuse_sides(std::string const& name,
                                 processor_size const& size,
                                 image_extent const& image) const {
    refuse(name + " is " + sides_text(size.height, size.width) + ", but the model's images are " +
           sides_text(image.height, image.width));
  }

  std::string path_;
  std::string flags_of_;
  json_reader reader_;
  std::string type_;
  bool has_null_statistics_ = false;
  std::optional<bool> rescales_;
  std::optional<bool> resizes_;
  std::optional<bool> crops_;
  std::optional<bool> normalises_;
  std::optional<double> factor_;
  std::optional<index_t> resample_;
  std::optional<channel_numbers> mean_;
  std::optional<channel_numbers> deviation_;
  std::optional<processor_size> size_;
  std::optional<processor_size> crop_size_;
};

}  // namespace mae::detail

namespace mae {

/// Reads a preprocessor_config.json of a model of these images, with ViTImageProcessor's defaults;
/// `notes` gets a line for each thing that is assumed, which names the flag (`flags_of` a tool)
/// that says it. Throws format_error for other text, for values that cannot be, and for other sizes
/// than the model's.
inline preprocessing parse_preprocessor(std::string const& path,
                                        std::string_view text,
                                        image_extent const& image,
                                        std::vector<std::string>& notes,
                                        std::string const& flags_of = "") {
  return detail::preprocessor_parser(path, text, flags_of).parse(image, notes);
}

/// The preprocessor_config.json of a model of these images. Where nothing says how pictures are
/// fitted, their middle is cut out, as this library's tools do; for images that are not square they
/// are stretched. Throws config_error for what no processor of transformers does.
inline std::string preprocessor_text(std::string const& path,
                                     preprocessing const& how,
                                     image_extent const& image) {
  if (how.fit == "border" || (how.fit == "crop" && how.resized_height > 0))
    throw config_error(path + ": transformers has no such way to fit pictures (" + how.fit + ")");
  auto const sides = [](index_t height, index_t width) {
    return json_object().add("height", height).add("width", width);
  };
  bool const is_square = image.height == image.width;
  bool const by_edge = how.fit == "crop" || (how.fit.empty() && is_square);
  bool const crops = by_edge || how.fit == "cut" || how.resized_height > 0;
  if (by_edge && how.shortest_edge == 0 && !is_square)
    throw config_error(path +
                       ": transformers cannot cut the middle out for images that are not square");
  auto const statistics = detail::to_units_of(how.rescale, how.statistics);
  json_object text;
  if (crops) text.add("crop_size", sides(image.height, image.width)).add("do_center_crop", true);
  text.add("do_normalize", true)
      .add("do_rescale", how.rescale != 1)
      .add("do_resize", how.fit != "none" && how.fit != "cut")
      .add("image_mean", statistics.mean)
      // Releases before 5 of ViTImageProcessor know neither crops nor shortest edges.
      .add("image_processor_type", crops ? "BitImageProcessor" : "ViTImageProcessor")
      .add("image_std", statistics.deviation);
  index_t const filter =
      std::ranges::find(detail::filter_names, how.resample) - detail::filter_names.begin();
  constexpr index_t bicubic = 3;
  text.add("resample", filter == std::ssize(detail::filter_names) ? bicubic : filter)
      .add("rescale_factor", how.rescale == 1 ? preprocessing::usual_rescale : how.rescale);
  if (by_edge)
    text.add("size",
             json_object().add("shortest_edge",
                               how.shortest_edge > 0 ? how.shortest_edge : image.height));
  else if (how.resized_height > 0)
    text.add("size", sides(how.resized_height, how.resized_width));
  else
    text.add("size", sides(image.height, image.width));
  return text.lines();
}

}  // namespace mae
