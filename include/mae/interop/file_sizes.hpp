#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/model/configs.hpp>

#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// What sizes a checkpoint's model has: by its metadata, or by its tensors' shapes.

namespace mae::detail {

/// Stands for the decoder of a checkpoint that has none.
inline constexpr stack_config no_decoder{.depth = 1, .width = 4, .heads = 1};

/// Reads whole numbers of a metadata that describes a model in this library's words.
class size_reader {
 public:
  size_reader(std::string const& path, safetensors_metadata const& description)
      : path_(path), description_(description) {}

  model_config sizes(bool has_decoder) const {
    return {.image = {count("image_height"), count("image_width"), count("image_channels")},
            .patch = {count("patch_height"), count("patch_width")},
            .encoder = stack("encoder"),
            .decoder = has_decoder ? stack("decoder") : no_decoder};
  }

 private:
  stack_config stack(std::string const& which) const {
    std::string const& text = entry(which + "_mlp_ratio");
    auto const slash = text.find('/');
    if (slash == std::string::npos) refuse(which + "_mlp_ratio", text);
    std::string_view const whole = text;
    return {.depth = count(which + "_depth"),
            .width = count(which + "_width"),
            .heads = heads(which + "_heads"),
            .mlp_ratio = {number(which + "_mlp_ratio", whole.substr(0, slash)),
                          number(which + "_mlp_ratio", whole.substr(slash + 1))}};
  }
  /// 0 where nothing says it.
  index_t heads(std::string const& name) const {
    if (!description_.contains(name)) return 0;
    index_t const said = count(name);
    if (said == 0) refuse(name, entry(name));
    return said;
  }
  index_t count(std::string const& name) const { return number(name, entry(name)); }

  int number(std::string const& name, std::string_view text) const {
    int value = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size())
      refuse(name, std::string(text));
    return value;
  }
  std::string const& entry(std::string const& name) const {
    auto const found = description_.find(name);
    if (found == description_.end())
      throw format_error(path_, 8, "metadata: " + name + " is missing");
    return found->second;
  }
  [[noreturn]] void refuse(std::string const& name, std::string const& text) const {
    throw format_error(path_, 8, "metadata: " + name + " is no size: " + in_quotes(text));
  }

  std::string const& path_;
  safetensors_metadata const& description_;
};

/// Names of the sizes that a file of this library says of itself; its heads may be unknown.
inline std::vector<std::string> size_entries(bool has_decoder) {
  std::vector<std::string> names{
      "image_height", "image_width", "image_channels", "patch_height", "patch_width"};
  for (std::string const stack : {"encoder", "decoder"})
    if (stack == "encoder" || has_decoder)
      for (char const* const size : {"_depth", "_width", "_mlp_ratio"})
        names.push_back(stack + size);
  return names;
}

/// Whether metadata describes a model in this library's words. Throws format_error, which names all
/// that is missing, where it does so in part.
inline bool describes_model(std::string const& path,
                            safetensors_metadata const& metadata,
                            bool has_decoder) {
  std::string missing;
  bool is_ours = false;
  for (auto const& name : size_entries(has_decoder)) {
    if (metadata.contains(name))
      is_ours = true;
    else
      missing += (missing.empty() ? "" : ", ") + name;
  }
  if (is_ours && !missing.empty())
    throw format_error(
        path, 8, "metadata: of what a model says of itself this is missing: " + missing);
  return is_ours;
}

/// Reads the sizes off the shapes of a checkpoint's tensors, but for its heads, which do not show.
class shape_reader {
 public:
  shape_reader(tensor_files const& files, naming const& names) : files_(files), names_(names) {}

  /// Of the first layer, whose kernel is a patch; nothing where that tensor is another model's.
  settings_list patch() const {
    auto const* const kernel = files_.find(names_in(names_, projection).front());
    if (kernel == nullptr || kernel->shape.size() != 4) return {};
    return {{"image_channels", std::to_string(kernel->shape[1])},  // [D, C, p, p]
            {"patch_height", std::to_string(kernel->shape[2])},
            {"patch_width", std::to_string(kernel->shape[3])}};
  }
  /// The patches of an image: positions without the class token's.
  index_t patches() const { return shape("pos_embed", 3)[1] - 1; }
  index_t width() const { return shape("pos_embed", 3)[2]; }  // [1, N + 1, D]

  settings_list all(bool has_decoder) const {
    static_cast<void>(shape(projection, 4));
    auto list = patch();
    add_stack(list, "encoder", "blocks.", width());
    if (has_decoder)
      add_stack(list, "decoder", "decoder_blocks.", shape("decoder_pos_embed", 3)[2]);
    return list;
  }

 private:
  static constexpr char const* projection = "patch_embed.proj.weight";

  std::vector<index_t> shape(std::string const& official, std::size_t rank) const {
    std::string const name = names_in(names_, official).front();
    auto const* const entry = files_.find(name);
    auto const refuse = [&](char const* why) {
      throw format_error(files_.path(), 8, "tensor " + name + why);
    };
    if (entry == nullptr) refuse(" is missing");
    if (entry->shape.size() != rank) refuse(" has another number of dimensions than a model's");
    constexpr index_t most = index_t{1} << 24;
    for (index_t const extent : entry->shape)
      if (extent > most) refuse(" is larger than any model's");
    return entry->shape;
  }
  void add_stack(settings_list& list,
                 std::string const& stack,
                 std::string const& prefix,
                 index_t width) const {
    index_t depth = 0;
    auto const has_block = [&](index_t i) {
      return files_.contains(
          names_in(names_, prefix + std::to_string(i) + ".norm1.weight").front());
    };
    while (has_block(depth)) ++depth;
    index_t const hidden = depth == 0 ? 0 : shape(prefix + "0.mlp.fc1.weight", 2)[0];
    auto const share = mlp_ratio_of(hidden, width);
    list.push_back({stack + "_depth", std::to_string(depth)});
    list.push_back({stack + "_width", std::to_string(width)});
    list.push_back({stack + "_mlp_ratio",
                    std::to_string(share.numerator) + "/" + std::to_string(share.denominator)});
  }

  tensor_files const& files_;
  naming const& names_;
};

/// Heads that were not known, and the model of configs.hpp that has so many.
struct assumed_heads {
  std::string_view of;  // "", or "decoder "
  index_t heads;
  std::string_view preset;
};

/// Fills in heads that are not known (0) from the library's models of otherwise equal stacks.
inline std::vector<assumed_heads> fill_heads(model_config& sizes) {
  std::vector<assumed_heads> filled;
  auto const fill = [&](stack_config& mine, stack_config const& known, auto of, auto preset) {
    if (mine.heads != 0) return;
    auto same = mine;
    same.heads = known.heads;
    if (!(same == known)) return;
    mine = same;
    filled.push_back({of, mine.heads, preset});
  };
  for (auto const& [name, known] : configs::all) {
    fill(sizes.encoder, known.encoder, "", name);
    fill(sizes.decoder, known.decoder, "decoder ", name);
  }
  return filled;
}

/// Throws format_error unless a model can have these sizes; heads may be unknown (0).
inline void require_possible(std::string const& path, model_config const& sizes) {
  auto const require = [&](bool holds, std::string const& what) {
    if (!holds) throw format_error(path, 0, "a model cannot have " + what);
  };
  auto const within = [](index_t value, index_t most) { return 1 <= value && value <= most; };
  constexpr index_t most_pixels = index_t{1} << 15;
  constexpr index_t most_width = index_t{1} << 18;
  constexpr index_t most_blocks = 1024;
  constexpr index_t most_patch_values = index_t{1} << 24;
  auto const& [image, patch, encoder, decoder] = sizes;
  require(within(image.height, most_pixels) && within(image.width, most_pixels) &&
              within(image.channels, most_pixels),
          "images of " + to_string(image));
  require(within(patch.height, image.height) && within(patch.width, image.width) &&
              image.height % patch.height == 0 && image.width % patch.width == 0 &&
              sizes.num_patches() > 1 && sizes.patch_values() <= most_patch_values,
          "images of " + to_string(image) + " in patches of " + std::to_string(patch.height) + "x" +
              std::to_string(patch.width));
  for (auto const* const stack : {&encoder, &decoder}) {
    std::string const which = stack == &encoder ? "an encoder" : "a decoder";
    require(within(stack->depth, most_blocks), which + " of depth " + std::to_string(stack->depth));
    require(within(stack->width, most_width) && stack->width % 4 == 0 && stack->heads >= 0 &&
                (stack->heads == 0 || stack->width % stack->heads == 0),
            which + " of width " + std::to_string(stack->width) + " and " +
                std::to_string(stack->heads) + " heads");
    require(stack->mlp_ratio.numerator > 0 && stack->mlp_ratio.denominator > 0 &&
                within(stack->hidden(), 64 * most_width),
            which + " with a hidden layer of ratio " + std::to_string(stack->mlp_ratio.numerator) +
                "/" + std::to_string(stack->mlp_ratio.denominator));
  }
}

}  // namespace mae::detail
