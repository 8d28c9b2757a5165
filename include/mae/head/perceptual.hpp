#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/head/perceptual_pass.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/frozen_blocks.hpp>
#include <mae/network/head.hpp>
#include <mae/objective/sample.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/paint_patches.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mae {

namespace detail {

inline void require_units(painted_units const& units, settings_list const& objective) {
  auto const value_of = [&](std::string_view wanted) {
    for (auto const& [key, value] : objective)
      if (key == wanted) return value;
    return std::string();
  };
  auto const name = value_of("objective");
  bool const is_of_patch = name == "normalised";
  if (!is_of_patch && name != "pixels")
    throw config_error(
        "a perceptual distance compares pictures, and what is predicted for the "
        "objective " +
        in_quotes(name) + " is none: take pixels or normalised_pixels");
  if (units.are_of_patch != is_of_patch ||
      (is_of_patch && decimal_text(units.epsilon) != value_of("target_epsilon")))
    throw config_error("the units of perceptual are not those of the objective " + in_quotes(name) +
                       ": for normalised_pixels give are_of_patch and its epsilon, for pixels "
                       "neither");
}

}  // namespace detail

/// The distance of what a painter paints from the true picture as a frozen encoder sees both
/// (Johnson et al. 2016, arXiv 1603.08155; of masked autoencoders Tukra et al. 2022, arXiv
/// 2212.14504): the mean over an image's patches of the mean squared difference of their tokens
/// after some block, each normalised over its values (mean 0, variance 1, epsilon 1e-6). The
/// picture has hidden patches as they are painted, and all others as they are. It has no tensors,
/// and its gradient goes through the frozen encoder to what is painted, and from there the
/// painter's way: the painter is the network's first head and has a part wherever this one has.
template <Backend B>
struct perceptual {
  template <class T, class Linear>
  struct weights {};
  template <Lane L>
  using pass = perceptual_pass<B, L>;

  static constexpr std::string_view name = "perceptual";
  static constexpr bool hears_painter = true;
  static constexpr bool learns_mixtures = true;

  std::shared_ptr<frozen_blocks<B> const> encoder;
  painted_units units = {};    // the painter's
  index_t picture_values = 0;  // of the model's images

  /// The head beside a painter of a model of these sizes. Throws config_error where the encoder
  /// sees other images or patches.
  perceptual fitted(model_config const& config) const {
    if (!encoder) return *this;
    auto const& own = encoder->config();
    if (config.image != own.image || !(config.patch == own.patch))
      throw config_error("the perceptual encoder's images are of " + to_string(own.image) +
                         " in patches of " + sides(own.patch) + ", the model's of " +
                         to_string(config.image) + " in patches of " + sides(config.patch) +
                         ": both must see the same patches");
    auto made = *this;
    made.picture_values = config.image.values();
    return made;
  }
  /// Throws config_error without an encoder, and for units that cannot be.
  void require_valid() const {
    if (!encoder)
      throw config_error(
          "a perceptual distance needs an encoder: give perceptual::encoder one, or "
          "the head the weight 0");
    if (!(units.epsilon >= 0))
      throw config_error("the epsilon of painted units must not be below 0, it is " +
                         decimal_text(units.epsilon));
  }
  /// Throws config_error where a model's input is made by other statistics than the encoder was
  /// told of, which would see other colours; and for an objective whose predictions are no pixels
  /// in these units. One that has no settings is trusted.
  template <class Target>
  void require_input(Target const& objective, pixel_statistics const& of_model) const {
    auto const& seen = encoder->settings().seen;
    if (of_model.mean != seen.mean || of_model.deviation != seen.deviation)
      throw config_error(
          "the model's pixel statistics are not those that its perceptual encoder was told of: "
          "give frozen_blocks_of the ones of model.set_statistics");
    if constexpr (requires { objective.settings(); })
      detail::require_units(units, objective.settings());
  }
  settings_list training_settings() const {
    return {{"encoder", encoder->settings().identity},
            {"block", std::to_string(encoder->settings().blocks)}};
  }

  template <class Walk, class... Of>
  void walk(Walk& /*at*/, Of&... /*of*/) const {}

  /// The whole picture of each image, in the network's input units.
  index_t label_rows(shard_capacity const& room) const { return room.images; }
  index_t label_width() const { return picture_values; }
  template <class T>
  void label(image_sample<T> const& image, matrix_view<T> rows) const {
    index_t const width = image.patches.cols;
    for (index_t patch = 0; patch < image.patches.rows; ++patch)
      std::ranges::copy(image.patches.row(patch), rows.row(0).data() + patch * width);
  }
  template <class T>
  index_t num_counted(matrix_view<T const> labels) const {
    return labels.rows;
  }
  /// Of tokens of zeros: the variance of the true ones.
  template <class T>
  double loss_of_zero(matrix_view<T const> labels) const {
    return static_cast<double>(labels.rows);
  }

  product_extents extents(shard_capacity const& room) const {
    auto const& config = encoder->config();
    auto const& stack = config.encoder;
    return {.width = std::max({3 * stack.width, stack.hidden(), config.patch_values()}),
            .rows = room.images * (config.num_patches() + 1),
            .tokens = config.num_patches() + 1};
  }
  template <Lane L>
  index_t scratch_size(shard_capacity const& room, int members) const {
    auto const& stack = encoder->config().encoder;
    index_t const tokens = encoder->config().num_patches() + 1;
    return attention_scratch_size<L>(
        {room.images * tokens, tokens, stack.heads, stack.width / stack.heads, members});
  }

 private:
  static std::string sides(patch_extent const& patch) {
    return std::to_string(patch.height) + "x" + std::to_string(patch.width);
  }
};

}  // namespace mae
