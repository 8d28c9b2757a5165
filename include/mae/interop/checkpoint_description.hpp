#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/huggingface_preprocessor.hpp>
#include <mae/interop/model_entries.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/statements.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/interop/timm_config.hpp>
#include <mae/io/description.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace mae {

/// What the reader of a checkpoint knows of its model, where the files do not say: 0 is nothing. It
/// must agree with what they do say.
struct read_options {
  index_t heads = 0;  // of the encoder
  index_t decoder_heads = 0;
  index_t image_height = 0;
  index_t image_width = 0;
  patch_extent patch = {};
  double norm_epsilon = 0;
  /// Whose flags the lines about what was assumed name: "mae_convert's ".
  std::string flags_of = {};
};

namespace detail {

/// Whose config.json it is, by its members.
enum class config_kind : std::uint8_t { huggingface, timm, unknown };
inline config_kind kind_of_config(std::string const& path, std::string const& text) {
  auto kind = config_kind::unknown;
  json_reader reader(path, text, 0);
  reader.object([&](std::string const& key, std::uint64_t /*at*/) {
    if (key == "model_type" || key == "hidden_size") kind = config_kind::huggingface;
    if (key == "architecture" || key == "model_args" || key == "pretrained_cfg")
      kind = config_kind::timm;
    reader.skip();
  });
  reader.finish_text();
  return kind;
}

/// Finds out what a checkpoint's model is: by its metadata, where it is a file of ours, by the
/// config.json and the preprocessor_config.json beside it, by what the reader knows, and by its
/// tensors' shapes. Whatever two of them say must agree.
class checkpoint_description {
 public:
  checkpoint_description(tensor_files const& files,
                         naming const& names,
                         bool has_decoder,
                         read_options options)
      : files_(files),
        shapes_(files, names),
        is_official_(names.is_official()),
        has_decoder_(has_decoder),
        options_(std::move(options)),
        said_(files.path()) {
    take_metadata();
    take_config();
    said_.add("its tensors", shapes_.patch());
    take_options();
    take_positions();
    said_.add_fallback("its tensors", shapes_.all(has_decoder));
    find_sizes();
    take_pictures();
    check_entries();
  }

  model_config const& sizes() const { return sizes_; }
  safetensors_metadata entries() const { return said_.entries(); }
  /// Entries that nothing says.
  std::set<std::string> const& assumed() const { return assumed_; }
  /// Lines that begin with "assumed: ".
  std::vector<std::string> const& notes() const { return notes_; }

 private:
  void take_metadata() {
    is_ours_ = describes_model(files_.path(), files_.metadata(), has_decoder_);
    if (!is_ours_) return;
    require_equal(files_.path(), files_.metadata(), {{"position_order", position_order}});
    add("its metadata", model_entries(files_.metadata()));
  }

  void take_config() {
    std::string const path = files_.beside("config.json");
    auto const text = text_of(path);
    if (!text) {
      if (is_official_ || is_ours_ || options_.norm_epsilon > 0) return;
      double const epsilon = huggingface_config{}.norm_epsilon;
      said_.add("its names", {{"norm_epsilon", decimal_text(epsilon)}});
      return assume("an epsilon of " + decimal_text(epsilon) +
                    " in norms, as Hugging Face's ViTMAE has; " + options_.flags_of +
                    "--norm-epsilon says otherwise");
    }
    auto const kind = kind_of_config(path, *text);
    if (kind == config_kind::timm) {
      timm_ = parse_timm_config(path, *text);
      add("config.json",
          describe(path,
                   *timm_,
                   {.width = shapes_.width(),
                    .image = {options_.image_height, options_.image_width},
                    .flags_of = options_.flags_of},
                   notes_));
    } else if (kind == config_kind::huggingface || !is_official_) {
      take_huggingface(path, parse_huggingface_config(path, *text));
    } else if (!is_ours_) {
      notes_.push_back("left out: " + path + ", which is neither timm's nor Hugging Face's");
    }
  }

  void take_huggingface(std::string const& path, huggingface_config config) {
    if (!has_decoder_) config.sizes.decoder = no_decoder;
    require_possible(path, config.sizes);
    if (config.sizes.encoder.heads == 0 || (has_decoder_ && config.sizes.decoder.heads == 0))
      throw format_error(path, 0, "a model cannot have layers of 0 heads");
    add("config.json", describe(config.sizes));
    said_.add("config.json", {{"norm_epsilon", decimal_text(config.norm_epsilon)}});
    if (!config.is_autoencoder) return;
    settings_list training{{"mask", "uniform"},
                           {"mask_ratio", decimal_text(config.mask_ratio)},
                           {"objective", config.norm_pix ? "normalised" : "pixels"}};
    if (config.norm_pix) training.push_back({"target_epsilon", decimal_text(1e-6)});
    said_.add_fallback("config.json", training);
  }

  /// A flag that the tensors contradict is refused by its own name.
  void take_options() {
    auto const add_option = [&](char const* flag, std::string const& name, index_t value) {
      if (value > 0) said_.add(flag, name, std::to_string(value));
    };
    add_option("--heads", "encoder_heads", options_.heads);
    if (options_.decoder_heads > 0 && !has_decoder_)
      throw config_error(files_.path() + ": --decoder-heads is given, but it has no decoder");
    add_option("--decoder-heads", "decoder_heads", options_.decoder_heads);
    add_option("--image-size", "image_height", options_.image_height);
    add_option("--image-size", "image_width", options_.image_width);
    add_option("--patch-size", "patch_height", options_.patch.height);
    add_option("--patch-size", "patch_width", options_.patch.width);
    if (options_.norm_epsilon > 0)
      said_.add("--norm-epsilon", "norm_epsilon", decimal_text(options_.norm_epsilon));
  }

  /// The sides of images that nobody says, from a square of patches.
  void take_positions() {
    index_t const patches = shapes_.patches();
    auto const patch = said_.entries();
    auto const side_of = [&](char const* name) -> index_t {
      auto const found = patch.find(name);
      auto const sides = found == patch.end() ? std::nullopt : parse_sides(found->second);
      return sides ? sides->first : 0;
    };
    index_t const patch_height = side_of("patch_height");
    index_t const patch_width = side_of("patch_width");
    if (patch_height == 0 || patch_width == 0) return;  // refused with the other shapes
    if (options_.image_height > 0 &&
        (options_.image_height / patch_height) * (options_.image_width / patch_width) != patches)
      throw config_error(files_.path() + ": --image-size is " +
                         sides_text(options_.image_height, options_.image_width) +
                         ", but the file has positions for " + std::to_string(patches) +
                         " patches of " + sides_text(patch_height, patch_width));
    if (said_.contains("image_height") && said_.contains("image_width")) return;
    index_t side = 1;
    while (side * side < patches && side < (index_t{1} << 16)) ++side;
    if (side * side != patches)
      throw format_error(files_.path(),
                         8,
                         "its " + std::to_string(patches) +
                             " positions form no square: " + options_.flags_of +
                             "--image-size HxW says the height and width of its images");
    said_.add("its tensors", "image_height", std::to_string(side * patch_height));
    said_.add("its tensors", "image_width", std::to_string(side * patch_width));
    assumed_.insert({"image_height", "image_width"});
    assume("images of " + sides_text(side * patch_height, side * patch_width) +
           ", from a square grid of " + std::to_string(patches) + " patches; " + options_.flags_of +
           "--image-size says otherwise");
  }

  void find_sizes() {
    sizes_ = size_reader(files_.path(), said_.entries()).sizes(has_decoder_);
    for (auto const& [of, heads, preset] : fill_heads(sizes_)) {
      assumed_.insert(of.empty() ? "encoder_heads" : "decoder_heads");
      assume(std::string(of) + "heads " + std::to_string(heads) + ", as " + std::string(preset) +
             " has; " + options_.flags_of +
             (of.empty() ? "--heads says otherwise" : "--decoder-heads says otherwise"));
    }
    require_possible(files_.path(), sizes_);
  }

  void take_pictures() {
    if (timm_ && timm_->describes_pictures)
      add_pictures("config.json", pictures_of(files_.beside("config.json"), *timm_, sizes_.image));
    std::string const path = files_.beside("preprocessor_config.json");
    auto const text = text_of(path);
    if (!text) return;
    auto const how = parse_preprocessor(path, *text, sizes_.image, notes_, options_.flags_of);
    if (how.assumes_statistics) assumed_.insert({"pixel_mean", "pixel_deviation"});
    if (how.assumes_fit) assumed_.insert("picture_fit");
    if (how.assumes_all)
      assumed_.insert(
          {"pixel_mean", "pixel_deviation", "pixel_rescale", "picture_fit", "picture_resample"});
    add_pictures("preprocessor_config.json", how);
    said_.erase(kept_preprocessor);
    constexpr std::size_t most_kept = 1 << 16;
    if (text->size() <= most_kept) said_.add("preprocessor_config.json", kept_preprocessor, *text);
  }
  void add_pictures(std::string const& where, preprocessing const& how) {
    for (auto const& [name, value] : describe(how))
      if (name == "pixel_scale")  // a unit: of files that were trained on floats, another one
        said_.add_fallback(where, {{name, value}});
      else
        said_.add(where, name, value);
  }

  /// Those that a conversion would hand on without ever reading them.
  void check_entries() const {
    auto const all = said_.entries();
    static_cast<void>(parse_norm_epsilon(files_.path(), all, 1));
    static_cast<void>(parse_preprocessing(files_.path(), all, sizes_.image.channels));
    auto const mask = all.find("mask");
    auto const hidden = all.find("mask_ratio");
    if (mask == all.end() || mask->second != "uniform" || hidden == all.end()) return;
    auto const share = parse_share(hidden->second);
    if (!share || !(*share >= 0 && *share < 1))
      throw format_error(files_.path(), 8, "mask_ratio cannot be " + in_quotes(hidden->second));
  }

  void add(std::string const& where, settings_list const& entries) {
    for (auto const& [name, value] : entries)
      if (has_decoder_ || !name.starts_with("decoder_")) said_.add(where, name, value);
  }
  void assume(std::string const& what) { notes_.push_back("assumed: " + what); }

  static std::optional<std::string> text_of(std::string const& path) {
    std::error_code ignored;  // what cannot be looked at is not there
    if (!std::filesystem::exists(path, ignored)) return std::nullopt;
    return read_text_file(path, 1'000'000);
  }

  tensor_files const& files_;
  shape_reader shapes_;
  bool is_official_;
  bool is_ours_ = false;
  bool has_decoder_;
  read_options options_;
  model_statements said_;
  model_config sizes_;
  std::optional<timm_config> timm_;
  std::set<std::string> assumed_;
  std::vector<std::string> notes_;
};

}  // namespace detail

}  // namespace mae
