#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/decoder.hpp>
#include <mae/interop/pretrained_model.hpp>
#include <mae/interop/resize_images.hpp>
#include <mae/io/description.hpp>
#include <mae/io/objective_file.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

// A checkpoint that was read, into a model: for a program's part that reads none itself, and is
// compiled in less time without load_pretrained.hpp.

namespace mae {

/// What is taken from a checkpoint.
enum class pretrained_parts { encoder_and_decoder, encoder };

namespace detail {

/// Throws config_error where a checkpoint's model and one of these sizes differ in more than the
/// height and width of their images; heads that were only assumed do not count.
inline void require_same_model(pretrained_model const& found,
                               model_config const& wanted,
                               pretrained_parts parts) {
  settings_list compared;
  for (auto const& entry : describe(wanted)) {
    bool const is_skipped =
        entry.name == "image_height" || entry.name == "image_width" ||
        found.assumed.contains(entry.name) ||
        (parts == pretrained_parts::encoder && entry.name.starts_with("decoder_"));
    if (!is_skipped) compared.push_back(entry);
  }
  require_equal(found.path, found.description, compared);
}

/// Of the kind that a model has.
inline void require_decoder(pretrained_model const& found, bool crosses) {
  if (!found.has_decoder)
    throw config_error(found.path +
                       ": an encoder without a decoder, which gives features, but paints nothing: "
                       "load it into an encoder, or as a model's encoder alone");
  if (found.crosses == crosses) return;
  throw config_error(found.path + ": its decoder is " +
                     (found.crosses ? "one by cross-attention, and the model's is not"
                                    : "none by cross-attention, as the model's is") +
                     ": take its encoder alone (encoder.safetensors, pretrained_parts::encoder), "
                     "or a model with its decoder (" +
                     (found.crosses ? "--decoder cross, mae::cross_autoencoder)"
                                    : "--decoder self, mae::autoencoder)"));
}

/// Throws format_error where a tensor of the checkpoint has another shape than a model's.
inline void require_same_shape(pretrained_model const& found, tensor_spec const& wanted) {
  auto const& tensor = found.layout.find(wanted.name);
  if (tensor.shape == wanted.shape) return;
  throw format_error(found.path,
                     8,
                     "tensor " + tensor.name + " is " + shape_text(file_shape(tensor)) +
                         " in the file, but " + shape_text(file_shape(wanted)) + " in the model");
}

/// Throws config_error where a checkpoint's tokens are told other levels of density than the
/// target's. A target may begin to tell some: they are zeros at first.
inline void require_known_levels(pretrained_model const& found,
                                 patch_levels const& target,
                                 pretrained_parts parts) {
  bool const is_whole = parts == pretrained_parts::encoder_and_decoder;
  auto const levels = is_whole ? found.levels() : found.levels().of_encoder();
  if (levels.is_on())
    require_same_levels(found.path, levels, is_whole ? target : target.of_encoder());
}

/// Whether a tensor is taken from a checkpoint: heads beside a decoder, of which it has nothing,
/// begin anew.
inline bool is_taken(pretrained_model const& found,
                     tensor_spec const& tensor,
                     pretrained_parts parts) {
  if (tensor.segment == encoder_segment) return true;
  if (parts == pretrained_parts::encoder) return false;
  bool const is_painted_with =
      tensor.segment == decoder_segment || tensor.segment == cross_decoder_segment;
  return is_painted_with || found.layout.contains(tensor.name);
}

/// Puts the checkpoint's values, of images of the target's size, into a model or an encoder; with
/// `parts` the encoder's alone.
template <class Target>
void put_values(Target& target, pretrained_model const& found, pretrained_parts parts) {
  using T = typename Target::scalar;
  require_known_levels(found, target.levels(), parts);
  std::span<T const> const present = target.parameters().values();
  std::vector<T> values(present.size());
  target.backend().make_lane().download(present, std::span(values));
  for (auto tensor : target.layout().tensors()) {
    bool const is_norm =
        found.final_norm() == norm_place::pooled && tensor.name.starts_with("fc_norm.");
    if (is_norm) tensor.name.erase(0, 3);  // among official names
    if (!is_taken(found, tensor, parts) && !is_norm) continue;
    if (tensor.is_optional && !found.layout.contains(tensor.name)) continue;
    require_same_shape(found, tensor);
    std::ranges::transform(found.tensor(tensor.name),
                           values.begin() + tensor.offset,
                           [](float value) { return static_cast<T>(value); });
  }
  auto statistics = found.statistics();
  double const epsilon = found.norm_epsilon();
  if (!statistics.mean.empty()) target.set_statistics(std::move(statistics));
  target.set_norm_epsilon(epsilon);
  if constexpr (requires { target.set_final_norm(norm_place::pooled); })
    target.set_final_norm(found.final_norm());
  target.set_parameters(values);
}

/// The same of a checkpoint for images of any size.
template <class Target>
void put_resized(Target& target,
                 pretrained_model const& found,
                 image_extent const& image,
                 pretrained_parts parts) {
  auto sizes = found.sizes;
  sizes.image = image;
  // A grid that was only assumed to be square is the target's, where it has as many patches.
  bool const is_open =
      found.assumed.contains("image_height") && sizes.num_patches() == found.sizes.num_patches();
  if (found.sizes.image == image || is_open) return put_values(target, found, parts);
  put_values(target, resize_images(found, image), parts);
}

/// Throws config_error where a decoder predicts other targets than the model's: another objective,
/// others of its settings, or other values that they depend on.
template <class Model>
void require_same_targets(pretrained_model const& found, Model const& model) {
  auto objective = settings_of("objective", model.objective());
  // Others' files do not say what their norm adds to a variance.
  std::erase_if(objective, [](setting const& one) { return one.name == "target_epsilon"; });
  require_equal(found.path, found.description, objective);
  auto const tensors = objective_tensors(model);
  if (tensors.empty()) return;
  require_same_objective(safetensors_file::load(found.path), found.path, tensors);
}

}  // namespace detail

/// Puts a checkpoint of anyone's, as read_pretrained returns it, into a model of the same sizes,
/// but for the height and width of its images, for which tables of positions are resampled. The
/// model takes its norms' epsilon and its pixel statistics, where it has some; with `parts` the
/// encoder's alone. A head beside the decoder, of which the checkpoint has nothing, stays as it is.
/// The model is as it was when anything is wrong: throws as read_pretrained,
/// config_error for other sizes or another objective, and for a file without a decoder where one is
/// wanted.
template <class Model>
void load_pretrained(pretrained_model const& found,
                     Model& model,
                     pretrained_parts parts = pretrained_parts::encoder_and_decoder) {
  detail::require_same_model(found, model.sizes().config, parts);
  if (parts == pretrained_parts::encoder_and_decoder) {
    detail::require_decoder(found, model.layout().contains(first_cross_query));
    detail::require_same_targets(found, model);
  }
  detail::put_resized(model, found, model.sizes().config.image, parts);
}

}  // namespace mae
