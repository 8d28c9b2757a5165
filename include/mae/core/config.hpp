#pragma once

#include <mae/core/types.hpp>

namespace mae {

/// A fraction that can be a template value on every supported compiler (floating-point template
/// values need clang 18): `uniform_mask<ratio{3, 4}>`.
struct ratio {
  int numerator = 0;
  int denominator = 1;

  constexpr double value() const { return static_cast<double>(numerator) / denominator; }
  friend constexpr bool operator==(ratio const&, ratio const&) = default;
};

/// An image: H rows of W pixels of C channels.
struct image_extent {
  index_t height = 0;
  index_t width = 0;
  index_t channels = 3;

  constexpr index_t pixels() const { return height * width; }
  constexpr index_t values() const { return height * width * channels; }
  friend constexpr bool operator==(image_extent const&, image_extent const&) = default;
};

/// The rows and columns of a map: of tokens, of scores, of pixels.
struct map_shape {
  index_t rows = 0;
  index_t columns = 0;

  constexpr index_t size() const { return rows * columns; }
  friend constexpr bool operator==(map_shape const&, map_shape const&) = default;
};

/// A patch, in pixels.
struct patch_extent {
  index_t height = 0;
  index_t width = 0;

  friend constexpr bool operator==(patch_extent const&, patch_extent const&) = default;
};

/// A stack of equal transformer blocks.
struct stack_config {
  index_t depth = 0;
  index_t width = 0;
  index_t heads = 0;
  ratio mlp_ratio = {4, 1};

  /// The width of the multilayer perceptron's hidden layer.
  constexpr index_t hidden() const { return width * mlp_ratio.numerator / mlp_ratio.denominator; }
  constexpr index_t head_width() const { return width / heads; }
  friend constexpr bool operator==(stack_config const&, stack_config const&) = default;
};

/// The sizes of a masked autoencoder (He et al. 2021, arXiv 2111.06377), as one template value:
/// equal values give the same type.
struct model_config {
  image_extent image;
  patch_extent patch;
  stack_config encoder;
  stack_config decoder;

  constexpr index_t grid_rows() const { return image.height / patch.height; }
  constexpr index_t grid_columns() const { return image.width / patch.width; }
  /// N, the number of patches of an image.
  constexpr index_t num_patches() const { return grid_rows() * grid_columns(); }
  /// P, the number of values of a patch.
  constexpr index_t patch_values() const { return patch.height * patch.width * image.channels; }
  friend constexpr bool operator==(model_config const&, model_config const&) = default;
};

/// The one place where a configuration is checked: instantiating it refuses a wrong one with a
/// sentence for each rule that it breaks.
template <model_config config>
struct validated_config {
  static_assert(config.image.height > 0 && config.image.width > 0 && config.image.channels > 0,
                "mae: the image's height, width and channels must be positive");
  static_assert(config.patch.height > 0 && config.patch.width > 0,
                "mae: the patch's height and width must be positive");
  static_assert(config.patch.height <= 0 || config.image.height % config.patch.height == 0,
                "mae: the image's height must be a multiple of the patch's height");
  static_assert(config.patch.width <= 0 || config.image.width % config.patch.width == 0,
                "mae: the image's width must be a multiple of the patch's width");
  static_assert(config.patch.height <= 0 || config.patch.width <= 0 || config.num_patches() > 1,
                "mae: an image needs at least two patches, one to see and one to hide");

  static_assert(config.encoder.depth > 0, "mae: the encoder needs a depth of at least one block");
  static_assert(config.encoder.width > 0 && config.encoder.heads > 0,
                "mae: the encoder's width and heads must be positive");
  static_assert(config.encoder.heads <= 0 || config.encoder.width % config.encoder.heads == 0,
                "mae: the encoder's width must be a multiple of its heads");
  static_assert(config.encoder.width % 4 == 0,
                "mae: the encoder's width must be a multiple of 4 (the sin-cos positions need it)");
  static_assert(config.encoder.mlp_ratio.denominator > 0 && config.encoder.hidden() > 0,
                "mae: the encoder's MLP ratio must be positive");

  static_assert(config.decoder.depth > 0, "mae: the decoder needs a depth of at least one block");
  static_assert(config.decoder.width > 0 && config.decoder.heads > 0,
                "mae: the decoder's width and heads must be positive");
  static_assert(config.decoder.heads <= 0 || config.decoder.width % config.decoder.heads == 0,
                "mae: the decoder's width must be a multiple of its heads");
  static_assert(config.decoder.width % 4 == 0,
                "mae: the decoder's width must be a multiple of 4 (the sin-cos positions need it)");
  static_assert(config.decoder.mlp_ratio.denominator > 0 && config.decoder.hidden() > 0,
                "mae: the decoder's MLP ratio must be positive");

  static constexpr model_config value = config;
};

}  // namespace mae
