#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/model/encode_images.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/parameters.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/staging.hpp>
#include <mae/network/weights.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What makes tokens and features of images, (n, H, W, C) in scaled units: (n, N + 1, D) and
/// (n, feature_width(pool)). Const members are called from several threads at once.
template <class E>
concept Encoder = requires(E const& encoder, std::span<float const> images, pooling pool) {
  { encoder.features(images, pool) } -> std::same_as<std::vector<typename E::scalar>>;
  { encoder.tokens(images) } -> std::same_as<std::vector<typename E::scalar>>;
  { encoder.feature_width(pool) } -> std::same_as<index_t>;
  { encoder.sizes() } -> std::same_as<model_config const&>;
  { encoder.statistics() } -> std::same_as<pixel_statistics const&>;
};

/// An encoder whose sizes are values of the object: what `encoder` of any configuration is
/// underneath, as sized_autoencoder is for models.
template <Backend B>
class sized_encoder {
 public:
  using scalar = typename B::scalar;
  using backend_type = B;

  B const& backend() const { return backend_; }
  double norm_epsilon() const { return parts_.norm_epsilon; }
  /// Throws config_error unless positive and finite.
  void set_norm_epsilon(double epsilon) { parts_.norm_epsilon = checked_norm_epsilon(epsilon); }
  norm_place final_norm() const { return final_norm_; }
  void set_final_norm(norm_place place) { final_norm_ = place; }
  /// Of density, that tokens are told.
  patch_levels const& levels() const { return parts_.levels; }
  parameter_layout const& layout() const { return parameters_.layout(); }
  /// To be read: products read a packed copy, which set_parameters lets be made anew.
  parameter_block<B> const& parameters() const { return parameters_; }
  /// Takes all parameters from the host's memory, laid out as layout() says, padding included.
  /// Throws config_error for another number of values.
  void set_parameters(std::span<scalar const> values) {
    parameters_.assign(backend_, values);
    std::lock_guard const lock(cache_->mutex);
    cache_->is_current = false;
  }
  /// What maps a dataset's values to the network's input; identity where empty.
  pixel_statistics const& statistics() const { return statistics_; }
  /// Throws config_error for statistics of other channels, and where normalising by them cannot be.
  void set_statistics(pixel_statistics statistics) {
    require_valid(statistics, parts_.config.image.channels);
    auto of_levels = parts_.levels.is_on() ? statistics : pixel_statistics{};
    statistics_ = std::move(statistics);
    parts_.levels.statistics = std::move(of_levels);
  }

  model_config const& sizes() const { return parts_.config; }
  /// N + 1, the tokens of an image.
  index_t num_tokens() const { return parts_.config.num_patches() + 1; }
  /// The number of values of a feature.
  index_t feature_width(pooling pool) const {
    return pooled_width(pool, parts_.config.encoder.width);
  }

  /// All tokens of images (n, H, W, C) in scaled units ([0, 1] for 8-bit images): (n, N + 1, D),
  /// the class token first; after the final norm, unless that is of what is pooled. Throws
  /// config_error when `images` is no whole number of images.
  std::vector<scalar> tokens(std::span<float const> images) const {
    index_t const size = num_tokens() * parts_.config.encoder.width;
    std::vector<scalar> all(static_cast<std::size_t>(count(images) * size));
    auto const keep = [&](index_t image, index_t /*block*/, matrix_view<scalar const> rows) {
      std::copy_n(rows.data, rows.size(), all.data() + image * size);
    };
    encode(count(images), last_block(), reader_of(images), keep);
    return all;
  }

  /// One feature for each of images (n, H, W, C) in scaled units: (n, feature_width(pool)).
  std::vector<scalar> features(std::span<float const> images, pooling pool) const {
    return pooled_features(count(images), last_block(), reader_of(images), pool);
  }

  /// One feature for each image of a dataset.
  template <Dataset D>
  std::vector<scalar> features(D const& dataset, pooling pool) const {
    return features(dataset, pool, last_block());
  }

  /// The same after each of several blocks: (n, blocks, feature_width(pool)), from one forward
  /// pass, which ends with the last of them. The final norm is applied after each, as DINO's
  /// get_intermediate_layers does, so that the last block's are the features above. Throws
  /// config_error for blocks that the encoder has not. With `seen` an image is encoded of the
  /// patches that it chooses; all of them give the bits of none.
  template <Dataset D>
  std::vector<scalar> features(D const& dataset,
                               pooling pool,
                               block_range blocks,
                               see_patches const* seen = nullptr) const {
    require_fitting(dataset, blocks);
    return pooled_features(dataset.size(), blocks, reader_of(dataset), pool, seen);
  }

  /// Lets the tokens of every image of a dataset be taken after each of `blocks`, likewise; see
  /// encode_images.
  template <Dataset D>
  void encode_blocks(D const& dataset, block_range blocks, take_tokens<scalar> const& take) const {
    require_fitting(dataset, blocks);
    encode(dataset.size(), blocks, reader_of(dataset), take);
  }

 protected:
  sized_encoder(model_config const& checked,
                std::uint64_t seed,
                B backend,
                double norm_epsilon,
                patch_levels const& levels = {})
      : parts_{.config = checked,
               .norm_epsilon = checked_norm_epsilon(norm_epsilon),
               .levels = checked_levels(levels).of_encoder()},
        backend_(std::move(backend)),
        parameters_(layout_of(parts_)),
        weights_(bind_network<scalar const>(layout(), parts_, parameters_.values().data())) {
    parameters_.initialise(backend_, checked, seed);
  }

 private:
  index_t count(std::span<float const> images) const {
    auto const values = static_cast<index_t>(images.size());
    index_t const each = parts_.config.image.values();
    if (values % each != 0)
      throw config_error(std::to_string(values) + " values are no whole number of images of " +
                         std::to_string(each) + " values");
    return values / each;
  }

  block_range last_block() const {
    return {parts_.config.encoder.depth, parts_.config.encoder.depth};
  }

  template <Dataset D>
  void require_fitting(D const& dataset, block_range blocks) const {
    if (dataset.extent() != parts_.config.image)
      throw config_error("the dataset's images have another extent than the encoder's");
    index_t const depth = parts_.config.encoder.depth;
    if (blocks.first < 1 || blocks.last < blocks.first || blocks.last > depth)
      throw config_error("blocks " + std::to_string(blocks.first) + " to " +
                         std::to_string(blocks.last) + " of an encoder whose blocks are 1 to " +
                         std::to_string(depth));
  }

  std::vector<scalar> pooled_features(index_t images,
                                      block_range blocks,
                                      read_image const& read,
                                      pooling pool,
                                      see_patches const* seen = nullptr) const {
    index_t const size = feature_width(pool);
    std::vector<scalar> all(static_cast<std::size_t>(images * blocks.count() * size));
    auto const pool_one = [&](index_t image, index_t block, matrix_view<scalar const> tokens) {
      index_t const row = image * blocks.count() + block - blocks.first;
      pool_tokens(tokens, pool, all.data() + row * size);
    };
    encode(images, blocks, read, pool_one, seen);
    return final_norm_ == norm_place::pooled ? normalised(all) : all;
  }

  /// Features, each part of the width of a token after the final norm.
  std::vector<scalar> normalised(std::vector<scalar> const& features) const {
    host_values<B> const weight(backend_, weights_.encoder.norm.weight);
    host_values<B> const bias(backend_, weights_.encoder.norm.bias);
    index_t const width = parts_.config.encoder.width;
    return normalised_rows<scalar>({features.data(), std::ssize(features) / width, width},
                                   {weight.span(), bias.span()},
                                   static_cast<scalar>(parts_.norm_epsilon));
  }

  void encode(index_t images,
              block_range blocks,
              read_image const& read,
              take_tokens<scalar> const& take,
              see_patches const* seen = nullptr) const {
    taken_tokens const of{blocks, final_norm_, seen};
    encode_images<B>(backend_, parts_, of, current_operands(), statistics_, images, read, take);
  }

  /// The weights as products read them, made at the first use after a change.
  struct operand_cache {
    std::mutex mutex;
    prepared_weights<B> weights{pass_kind::inference};
    encoder_operands<typename B::lane> const* operands = nullptr;
    bool is_current = false;
  };

  encoder_operands<typename B::lane> const& current_operands() const {
    std::lock_guard const lock(cache_->mutex);
    if (!cache_->is_current)
      cache_->operands = &cache_->weights.update(parts_, weights_, backend_).encoder;
    cache_->is_current = true;
    return *cache_->operands;
  }

  network_parts<> parts_;
  B backend_;
  norm_place final_norm_ = norm_place::tokens;
  parameter_block<B> parameters_;
  network_weights<scalar const> weights_;
  std::unique_ptr<operand_cache> cache_ = std::make_unique<operand_cache>();
  pixel_statistics statistics_;
};

/// The half of an autoencoder that users keep: unmasked images in, tokens or features out. Needs no
/// memory for a decoder or for gradients. Const members may be called from several threads.
template <model_config Config, Backend B = eigen_backend<float>>
class encoder : public sized_encoder<B> {
 public:
  static constexpr model_config config = validated_config<Config>::value;
  static constexpr index_t width = config.encoder.width;
  static constexpr index_t num_tokens = config.num_patches() + 1;

  static constexpr index_t feature_width(pooling pool) { return pooled_width(pool, width); }

  /// An untrained encoder, with the values that an autoencoder of this seed and of
  /// linear_start::xavier begins with.
  explicit encoder(std::uint64_t seed = 0,
                   B backend = B{},
                   double norm_epsilon = 1e-6,
                   patch_levels const& levels = {})
      : sized_encoder<B>(config, seed, std::move(backend), norm_epsilon, levels) {}
};

}  // namespace mae
