#pragma once

#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/io/description.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/layout.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What is taken from a checkpoint.
enum class pretrained_parts { encoder_and_decoder, encoder };

namespace detail {

/// Throws config_error where a checkpoint's model and one of these sizes differ in more than the
/// height and width of their images.
inline void require_same_model(pretrained_model const& found,
                               model_config const& wanted,
                               pretrained_parts parts) {
  settings_list compared;
  for (auto const& entry : describe(wanted)) {
    bool const is_skipped =
        entry.name == "image_height" || entry.name == "image_width" ||
        (parts == pretrained_parts::encoder && entry.name.starts_with("decoder_"));
    if (!is_skipped) compared.push_back(entry);
  }
  require_equal(found.path, found.description, compared);
}

/// The values of `layout`, all of whose tensors the checkpoint has, for a backend.
template <class T>
std::vector<T> values_for(parameter_layout const& layout,
                          pretrained_model& found,
                          std::vector<T> values) {
  for (auto const& tensor : layout.tensors()) {
    if (!found.layout.contains(tensor.name)) continue;
    auto const from = found.tensor(tensor.name);
    if (found.layout.find(tensor.name).shape != tensor.shape)
      throw format_error(found.path,
                         8,
                         "tensor " + tensor.name + " is " +
                             shape_text(found.layout.find(tensor.name).shape) +
                             " in the file, but " + shape_text(tensor.shape) + " in the model");
    for (std::size_t i = 0; i < from.size(); ++i)
      values[static_cast<std::size_t>(tensor.offset) + i] = static_cast<T>(from[i]);
  }
  return values;
}

template <class Target>
void put_values(Target& target, pretrained_model& found) {
  using T = typename Target::scalar;
  auto const lane = target.backend().make_lane();
  auto const place = target.parameters().values();
  std::vector<T> values(place.size());
  lane.download(std::span<T const>(place), std::span(values));
  values = values_for(target.layout(), found, std::move(values));
  auto statistics = found.statistics();
  target.set_norm_epsilon(found.norm_epsilon());
  if (!statistics.mean.empty()) target.set_statistics(std::move(statistics));
  lane.upload(std::span<T const>(values), place);
}

}  // namespace detail

/// Puts a checkpoint of anyone's (read_pretrained) into a model of the same sizes, but for the
/// height and width of its images, for which tables of positions are resampled. The model takes its
/// norms' epsilon and its pixel statistics, where it has some; with `parts` the encoder's alone.
/// The model is as it was when anything is wrong: throws as read_pretrained, config_error for other
/// sizes or another objective, and for a file without a decoder where one is wanted.
template <class Model>
void load_pretrained(std::string const& path,
                     Model& model,
                     pretrained_parts parts = pretrained_parts::encoder_and_decoder) {
  auto found = read_pretrained(path);
  detail::require_same_model(found, model.sizes().config, parts);
  if (parts == pretrained_parts::encoder_and_decoder) {
    if (!found.has_decoder)
      throw config_error(
          found.path +
          ": an encoder without a decoder, which gives features, but paints nothing: "
          "load it into an encoder, or as a model's encoder alone");
    auto const objective = settings_of("objective", model.objective());
    require_equal(found.path, found.description, {objective.front()});
  }
  resize_images(found, model.sizes().config.image);
  if (parts == pretrained_parts::encoder) {
    parameter_layout encoder_layout;
    add_encoder(encoder_layout, found.sizes);
    found.layout = std::move(encoder_layout);
  }
  detail::put_values(model, found);
}

/// The encoder of a checkpoint of anyone's, for images of any height and width that patches fit.
/// Throws as load_pretrained.
template <model_config Config, Backend B = eigen_backend<float>>
encoder<Config, B> load_pretrained_encoder(std::string const& path, B backend = B{}) {
  auto found = read_pretrained(path);
  detail::require_same_model(found, Config, pretrained_parts::encoder);
  resize_images(found, Config.image);
  encoder<Config, B> loaded(0, std::move(backend));
  detail::put_values(loaded, found);
  return loaded;
}

}  // namespace mae
