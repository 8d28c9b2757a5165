#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/checkpoint_description.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/foreign_parts.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/resize_positions.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/io/description.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/model/layout.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// A checkpoint in memory, whoever wrote it: values in float under the official names, and what is
/// known of the model, in the words of this library's own metadata.
struct pretrained_model {
  std::string path = {};
  naming names = {};        // those of the file that it was read from
  model_config sizes = {};  // heads are 0 where neither the file nor configs.hpp says how many
  bool has_decoder = false;
  safetensors_metadata description = {};
  parameter_layout layout = {};  // the encoder's, then the decoder's where there is one
  host_buffer<float> values = {};
  std::set<std::string> assumed = {};  // entries of sizes in the description that no file says
  /// Lines for a user: "left out: ..." (tensors that are no part of the model), "stripped: ..." (of
  /// their names), "assumed: ..." (of what the file leaves open).
  std::vector<std::string> notes = {};

  std::span<float const> tensor(std::string const& name) const {
    auto const& found = layout.find(name);
    return values.span().subspan(static_cast<std::size_t>(found.offset),
                                 static_cast<std::size_t>(found.size()));
  }
  std::optional<std::string> entry(std::string const& name) const {
    auto const found = description.find(name);
    if (found == description.end()) return std::nullopt;
    return found->second;
  }
  double norm_epsilon() const { return parse_norm_epsilon(path, description, 1e-6); }
  pixel_statistics statistics() const {
    return parse_statistics(path, description, sizes.image.channels);
  }
  /// What its files say of how pictures become its input, the statistics among it.
  preprocessing pictures() const {
    return parse_preprocessing(path, description, sizes.image.channels);
  }
  /// Whether the targets were normalised per patch; nothing where the file does not say.
  std::optional<bool> norm_pix() const {
    auto const objective = entry("objective");
    if (!objective) return std::nullopt;
    return *objective == "normalised";
  }
};

namespace detail {

/// Pictures for images of another size are resized in the same proportion before their middle is
/// cut out.
inline void resize_pictures(safetensors_metadata& description,
                            image_extent const& from,
                            image_extent const& to) {
  description.erase(kept_preprocessor);
  auto const scaled = [&](index_t side, index_t of, index_t becomes) {
    return std::max(becomes, (2 * side * becomes + of) / (2 * of));
  };
  for (char const* const name : {"picture_shortest_edge", "picture_resized"}) {
    auto const found = description.find(name);
    if (found == description.end()) continue;
    auto const sides = parse_sides(found->second);
    if (!sides) continue;  // refused where pictures are read
    found->second =
        name == std::string_view("picture_resized")
            ? sides_text(scaled(sides->first, from.height, to.height),
                         scaled(sides->second, from.width, to.width))
            : std::to_string(scaled(
                  sides->first, std::min(from.height, from.width), std::min(to.height, to.width)));
  }
}

inline void put(safetensors_metadata& description, settings_list const& entries) {
  for (auto const& [name, value] : entries) description[name] = value;
}

/// The table of a checkpoint's tensors.
inline parameter_layout layout_of(model_config const& sizes, bool has_decoder, index_t width) {
  parameter_layout layout;
  add_encoder(layout, sizes);
  if (has_decoder) add_decoder(layout, sizes, width);
  return layout;
}

/// Reads every tensor of the layout, and notes which others were left out. All are looked for
/// before memory is taken: a file cannot ask for more than it holds.
inline void read_values(tensor_files const& files, pretrained_model& model) {
  std::vector<tensor_spec> parts;
  for (auto const& tensor : model.layout.tensors())
    for (auto& part : parts_in(model.names, tensor)) parts.push_back(std::move(part));
  std::string const positions = names_in(model.names, "pos_embed").front();
  if (auto const* const table = files.find(positions);
      table->shape.size() == 3 && table->shape[1] == model.sizes.num_patches())
    refuse_architecture(files.path_of(positions),
                        "positions of its patches alone, none of the class token");
  std::set<std::string_view> known;
  for (auto const& part : parts) {
    require_fit(files.find(part.name), files.path_of(part.name), part.name, part);
    known.insert(part.name);
  }
  std::vector<std::string> left_out;
  files.for_each([&](tensor_files::found_tensor const& tensor) {
    if (known.contains(tensor.name)) return;
    auto const own = after(tensor.name, model.names.encoder).value_or(tensor.name);
    if (!may_be_left_out(own, model.has_decoder)) refuse_unknown(tensor.path, tensor.entry);
    if (!own.starts_with("optimizer.")) left_out.push_back(tensor.name);
  });
  if (!left_out.empty()) model.notes.push_back(left_out_note(files.path(), left_out));
  model.values = host_buffer<float>(model.layout.size());
  for (auto const& part : parts)
    read_entry(files.path_of(part.name), *files.find(part.name), part, model.values.span());
}

/// The values predicted for a patch; a decoder may have another objective than pixels.
inline index_t target_width_of(tensor_files const& files, pretrained_model const& model) {
  auto const* const head = files.find(names_in(model.names, "decoder_pred.bias").front());
  if (head == nullptr || head->shape.size() != 1) return model.sizes.patch_values();
  return head->shape[0];
}

}  // namespace detail

/// Reads a checkpoint of this library, of the official code or timm in safetensors, or of Hugging
/// Face's ViTMAE (a folder, a file or an index of shards). `options` say what its files do not;
/// what neither says is assumed, and noted. Throws io_error, format_error: a damaged file; a
/// pickle; a missing, extra or wrong tensor, with both shapes; two files that say different things
/// of one model; config_error for options that a file contradicts.
inline pretrained_model read_pretrained(std::string const& path, read_options const& options = {}) {
  auto const files = tensor_files::open(path);
  detail::require_known_architecture(files);
  auto const names = detail::known_naming(files);
  pretrained_model model{.path = files.path(), .names = names, .notes = files.notes()};
  if (names.norm == "fc_norm.")
    model.notes.push_back(
        "assumed: fc_norm normalises every token, as a final norm does; where " + files.path() +
        " was fine-tuned, it normalises the mean of the patches' tokens, of which features differ");
  model.has_decoder = files.contains(names_in(names, "decoder_embed.weight").front());
  detail::checkpoint_description const found(files, names, model.has_decoder, options);
  model.sizes = found.sizes();
  model.description = found.entries();
  model.assumed = found.assumed();
  model.notes.insert(model.notes.end(), found.notes().begin(), found.notes().end());
  model.layout =
      detail::layout_of(model.sizes, model.has_decoder, detail::target_width_of(files, model));
  detail::read_values(files, model);
  detail::put(model.description, describe(model.sizes));
  for (std::string const stack : {"encoder", "decoder"})
    if (model.description[stack + "_heads"] == "0") model.description.erase(stack + "_heads");
  if (!model.has_decoder)
    std::erase_if(model.description,
                  [](auto const& entry) { return entry.first.starts_with("decoder_"); });
  model.description["position_order"] = position_order;
  return model;
}

/// The model for images of another height and width: its tables of positions are resampled in two
/// dimensions, the encoder's and the decoder's. Throws config_error where the patches do not fit,
/// or the channels differ.
inline pretrained_model resize_images(pretrained_model const& model, image_extent const& image) {
  pretrained_model resized{.path = model.path,
                           .names = model.names,
                           .sizes = model.sizes,
                           .has_decoder = model.has_decoder,
                           .description = model.description,
                           .assumed = model.assumed,
                           .notes = model.notes};
  auto& sizes = resized.sizes;
  sizes.image = image;
  if (image.channels != model.sizes.image.channels || image.height < 1 || image.width < 1 ||
      image.height % sizes.patch.height != 0 || image.width % sizes.patch.width != 0 ||
      sizes.num_patches() < 2)
    throw config_error(model.path + ": a model of images of " + to_string(model.sizes.image) +
                       " in patches of " + std::to_string(sizes.patch.height) + "x" +
                       std::to_string(sizes.patch.width) + " cannot take images of " +
                       to_string(image));
  index_t const head = model.has_decoder ? model.layout.find("decoder_pred.bias").size() : 0;
  resized.layout = detail::layout_of(sizes, model.has_decoder, head);
  resized.values = host_buffer<float>(resized.layout.size());
  for (auto const& tensor : resized.layout.tensors()) {
    auto const from = model.tensor(tensor.name);
    float* const to = resized.values.data() + tensor.offset;
    if (tensor.kind == tensor_kind::buffer)
      resize_positions<float>({from.data(), model.sizes.num_patches() + 1, tensor.shape[2]},
                              {model.sizes.grid_rows(), model.sizes.grid_columns()},
                              {to, sizes.num_patches() + 1, tensor.shape[2]},
                              {sizes.grid_rows(), sizes.grid_columns()});
    else
      std::ranges::copy(from, to);
  }
  detail::put(resized.description,
              {{"image_height", std::to_string(image.height)},
               {"image_width", std::to_string(image.width)}});
  detail::resize_pictures(resized.description, model.sizes.image, image);
  resized.assumed.erase("image_height");
  resized.assumed.erase("image_width");
  return resized;
}

}  // namespace mae
