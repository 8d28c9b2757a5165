#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/model/encode_images.hpp>
#include <mae/model/initialise.hpp>
#include <mae/model/layout.hpp>
#include <mae/model/network.hpp>
#include <mae/model/parameters.hpp>
#include <mae/model/prepared_weights.hpp>
#include <mae/model/weights.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// The half of an autoencoder that users keep: unmasked images in, tokens or features out. Needs no
/// memory for a decoder or for gradients. Const members may be called from several threads.
template <model_config Config, Backend B = eigen_backend<float>>
class encoder {
 public:
  static constexpr model_config config = validated_config<Config>::value;
  static constexpr index_t width = config.encoder.width;
  static constexpr index_t num_tokens = config.num_patches() + 1;

  using scalar = typename B::scalar;
  using backend_type = B;

  /// An untrained encoder, with the values that an autoencoder of this seed begins with.
  explicit encoder(std::uint64_t seed = 0, B backend = B{}, double norm_epsilon = 1e-6)
      : backend_(std::move(backend)),
        norm_epsilon_(norm_epsilon),
        parameters_(make_layout()),
        weights_(bind_encoder<scalar const>(layout(), config, parameters_.values().data())) {
    initialise_parameters(layout(), config, seed, parameters_.values());
  }

  B const& backend() const { return backend_; }
  double norm_epsilon() const { return norm_epsilon_; }
  void set_norm_epsilon(double epsilon) { norm_epsilon_ = epsilon; }
  parameter_layout const& layout() const { return parameters_.layout(); }
  /// To change them: call it anew for every change, since what products read is made anew after it.
  parameter_block<B>& parameters() {
    cache_->is_current = false;
    return parameters_;
  }
  parameter_block<B> const& parameters() const { return parameters_; }
  /// What maps a dataset's values to the network's input; identity where empty.
  pixel_statistics const& statistics() const { return statistics_; }
  void set_statistics(pixel_statistics statistics) { statistics_ = std::move(statistics); }

  /// The number of values of a feature.
  static constexpr index_t feature_width(pooling pool) {
    return pool == pooling::both ? 2 * width : width;
  }

  /// All tokens of images (n, H, W, C) in scaled units ([0, 1] for 8-bit images): (n, N + 1, D),
  /// the class token first. Throws config_error when `images` is no whole number of images.
  std::vector<scalar> tokens(std::span<float const> images) const {
    std::vector<scalar> all(static_cast<std::size_t>(count(images) * num_tokens * width));
    encode(count(images), read_from(images), [&](index_t image, matrix_view<scalar const> rows) {
      std::copy_n(rows.data, rows.size(), all.data() + image * num_tokens * width);
    });
    return all;
  }

  /// One feature for each of images (n, H, W, C) in scaled units: (n, feature_width(pool)).
  std::vector<scalar> features(std::span<float const> images, pooling pool) const {
    return pooled_features(count(images), read_from(images), pool);
  }

  /// One feature for each image of a dataset.
  template <Dataset D>
  std::vector<scalar> features(D const& dataset, pooling pool) const {
    if (dataset.extent() != config.image)
      throw config_error("the dataset's images have another extent than the encoder's");
    return pooled_features(dataset.size(), reader_of(dataset), pool);
  }

 private:
  static parameter_layout make_layout() {
    parameter_layout layout;
    add_encoder(layout, config);
    return layout;
  }

  static index_t count(std::span<float const> images) {
    auto const values = static_cast<index_t>(images.size());
    if (values % config.image.values() != 0)
      throw config_error(std::to_string(values) + " values are no whole number of images of " +
                         std::to_string(config.image.values()) + " values");
    return values / config.image.values();
  }

  static read_image read_from(std::span<float const> images) {
    return [images](index_t image, std::span<float> pixels) {
      std::ranges::copy(
          images.subspan(static_cast<std::size_t>(image) * pixels.size(), pixels.size()),
          pixels.begin());
    };
  }

  std::vector<scalar> pooled_features(index_t images, read_image const& read, pooling pool) const {
    index_t const size = feature_width(pool);
    std::vector<scalar> all(static_cast<std::size_t>(images * size));
    encode(images, read, [&](index_t image, matrix_view<scalar const> tokens) {
      pool_tokens(tokens, pool, all.data() + image * size);
    });
    return all;
  }

  void encode(index_t images, read_image const& read, take_tokens<scalar> const& take) const {
    encode_images<B>(
        backend_, {config, 0, norm_epsilon_}, current_operands(), statistics_, images, read, take);
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
    if (!std::exchange(cache_->is_current, true))
      cache_->operands = &cache_->weights.update(weights_, backend_.threads());
    return *cache_->operands;
  }

  B backend_;
  double norm_epsilon_;
  parameter_block<B> parameters_;
  encoder_weights<scalar const> weights_;
  std::unique_ptr<operand_cache> cache_ = std::make_unique<operand_cache>();
  pixel_statistics statistics_;
};

/// A copy of a model's encoder.
template <class Model>
encoder<Model::config, typename Model::backend_type> encoder_of(Model const& model) {
  encoder<Model::config, typename Model::backend_type> copy(
      model.seed(), model.backend(), model.sizes().norm_epsilon);
  for (auto const& tensor : copy.layout().tensors())
    std::ranges::copy(model.parameters().tensor(tensor.name),
                      copy.parameters().tensor(tensor.name).begin());
  copy.set_statistics(model.statistics());
  return copy;
}

}  // namespace mae
