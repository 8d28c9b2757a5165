#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/preprocessing.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/interop/resize_positions.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/network/layout.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace mae {

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

}  // namespace detail

/// The model for images of another height and width: its tables of positions are resampled in two
/// dimensions, the encoder's and the decoder's. Throws config_error where the patches do not fit,
/// or the channels differ.
inline pretrained_model resize_images(pretrained_model const& model, image_extent const& image) {
  pretrained_model resized{.path = model.path,
                           .names = model.names,
                           .sizes = model.sizes,
                           .has_decoder = model.has_decoder,
                           .crosses = model.crosses,
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
  resized.layout = detail::layout_of(model, sizes, head);
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
