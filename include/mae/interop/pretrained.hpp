#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/file_sizes.hpp>
#include <mae/interop/huggingface_config.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/resize_positions.hpp>
#include <mae/interop/tensor_files.hpp>
#include <mae/io/description.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/model/layout.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
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
  /// Whether the targets were normalised per patch; nothing where the file does not say.
  std::optional<bool> norm_pix() const {
    auto const objective = entry("objective");
    if (!objective) return std::nullopt;
    return *objective == "normalised";
  }
};

namespace detail {

/// Those entries of a file of ours that are about the model, not about a training.
inline safetensors_metadata model_entries(safetensors_metadata const& all) {
  constexpr std::array about{"image_",
                             "patch_",
                             "encoder_",
                             "decoder_",
                             "norm_",
                             "mask",
                             "saliency_",
                             "objective",
                             "target_",
                             "pixel_",
                             "position_"};
  safetensors_metadata kept;
  for (auto const& entry : all)
    if (std::ranges::any_of(about,
                            [&](char const* start) { return entry.first.starts_with(start); }))
      kept.insert(entry);
  return kept;
}

inline void put(safetensors_metadata& description, settings_list const& entries) {
  for (auto const& [name, value] : entries) description[name] = value;
}

/// What Hugging Face's files beside the tensors say, in this library's words.
inline void describe_by_config(tensor_files const& files, pretrained_model& model) {
  std::string const path = files.beside("config.json");
  auto const config = parse_huggingface_config(path, read_text_file(path, 1'000'000));
  model.sizes = config.sizes;
  require_possible(path, model.sizes);
  put(model.description,
      {{"norm_epsilon", decimal_text(config.norm_epsilon)},
       {"mask", "uniform"},
       {"mask_ratio", decimal_text(config.mask_ratio)},
       {"objective", config.norm_pix ? "normalised" : "pixels"}});
  if (config.norm_pix) model.description["target_epsilon"] = decimal_text(1e-6);
  std::string const preprocessor = files.beside("preprocessor_config.json");
  std::error_code ignored;
  if (!std::filesystem::exists(preprocessor, ignored)) return;
  auto const statistics = parse_preprocessor(
      preprocessor, read_text_file(preprocessor, 1'000'000), config.sizes.image.channels);
  put(model.description, describe(statistics));
}

/// Finds out what a checkpoint's model is: by the metadata of a file of ours, by a config.json, or
/// by the tensors' shapes.
inline void describe_model_of(tensor_files const& files, pretrained_model& model) {
  std::error_code ignored;
  if (files.metadata().contains("image_height")) {
    model.description = model_entries(files.metadata());
    model.sizes = size_reader(files.path(), files.metadata()).sizes();
  } else if (!model.names.is_official() &&
             std::filesystem::exists(files.beside("config.json"), ignored)) {
    describe_by_config(files, model);
  } else {
    model.sizes = shape_reader(files, model.names).sizes(model.has_decoder);
    if (!model.names.is_official())
      model.description["norm_epsilon"] = decimal_text(huggingface_config{}.norm_epsilon);
  }
  fill_heads(model.sizes);
  require_possible(files.path(), model.sizes);
}

/// The table of a checkpoint's tensors.
inline parameter_layout layout_of(model_config const& sizes, bool has_decoder, index_t width) {
  parameter_layout layout;
  add_encoder(layout, sizes);
  if (has_decoder) add_decoder(layout, sizes, width);
  return layout;
}

/// Reads every tensor of the layout. All are looked for before memory is taken: a file cannot ask
/// for more than it holds.
inline void read_values(tensor_files const& files, pretrained_model& model) {
  std::vector<tensor_spec> parts;
  for (auto const& tensor : model.layout.tensors())
    for (auto& part : parts_in(model.names, tensor)) parts.push_back(std::move(part));
  std::set<std::string_view> known;
  for (auto const& part : parts) {
    auto const [file, path] = files.file_of(part.name);
    find_tensor(file, path, part);
    known.insert(part.name);
  }
  files.for_each([&](std::string const& path, tensor_entry const& entry) {
    if (!known.contains(entry.name) && !entry.name.starts_with("optimizer."))
      refuse_unknown(path, entry);
  });
  model.values = host_buffer<float>(model.layout.size());
  for (auto const& part : parts) {
    auto const [file, path] = files.file_of(part.name);
    read_tensor(file, path, part, model.values.span());
  }
}

/// The values predicted for a patch; a decoder may have another objective than pixels.
inline index_t target_width_of(tensor_files const& files, pretrained_model const& model) {
  auto const* const head = files.find(names_in(model.names, "decoder_pred.bias").front());
  if (head == nullptr || head->shape.size() != 1) return model.sizes.patch_values();
  return head->shape[0];
}

}  // namespace detail

/// Reads a checkpoint of this library, of the official code or timm in safetensors, or of Hugging
/// Face's ViTMAE (a folder, a file or an index of shards). Throws io_error, format_error: a damaged
/// file; a pickle; a missing, extra or wrong tensor, with both shapes.
inline pretrained_model read_pretrained(std::string const& path) {
  auto const files = tensor_files::open(path);
  auto const names = naming_of([&](std::string const& name) { return files.contains(name); });
  if (!names)
    throw format_error(files.path(),
                       8,
                       "its tensors have neither the official code's names (cls_token, ...) nor "
                       "Hugging Face's (vit.embeddings.cls_token, ...): no masked autoencoder");
  pretrained_model model{.path = files.path(), .names = *names};
  model.has_decoder = files.contains(names_in(*names, "decoder_embed.weight").front());
  detail::describe_model_of(files, model);
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
                           .description = model.description};
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
  return resized;
}

}  // namespace mae
