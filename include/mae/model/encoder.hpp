#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/initialise.hpp>
#include <mae/model/layout.hpp>
#include <mae/model/network.hpp>
#include <mae/model/parameters.hpp>
#include <mae/model/reconstruction.hpp>
#include <mae/model/shard.hpp>
#include <mae/model/weights.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What an image's feature is made of: the class token, the mean of the patch tokens, or both side
/// by side; all after the final norm.
enum class pooling : std::uint8_t { class_token, mean, both };

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
  parameter_block<B>& parameters() { return parameters_; }
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
    encode(count(images), read_from(images), [&](index_t image, matrix_view<scalar> const& rows) {
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
    return pooled_features(
        dataset.size(),
        [&](index_t image, std::span<float> pixels) { dataset.read(image, pixels); },
        pool);
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

  static auto read_from(std::span<float const> images) {
    return [images](index_t image, std::span<float> pixels) {
      std::ranges::copy(
          images.subspan(static_cast<std::size_t>(image) * pixels.size(), pixels.size()),
          pixels.begin());
    };
  }

  template <class Read>
  std::vector<scalar> pooled_features(index_t images, Read const& read, pooling pool) const {
    index_t const size = feature_width(pool);
    std::vector<scalar> all(static_cast<std::size_t>(images * size));
    encode(images, read, [&](index_t image, matrix_view<scalar> const& rows) {
      scalar* out = all.data() + image * size;
      if (pool != pooling::mean) out = std::copy_n(rows.data, width, out);
      if (pool != pooling::class_token) mean_of_rows(rows.middle_rows(1, rows.rows - 1), out);
    });
    return all;
  }

  static void mean_of_rows(matrix_view<scalar> const& rows, scalar* out) {
    std::fill_n(out, rows.cols, scalar{0});
    for (index_t r = 0; r < rows.rows; ++r)
      for (index_t c = 0; c < rows.cols; ++c) out[c] += rows(r, c);
    for (index_t c = 0; c < rows.cols; ++c) out[c] /= static_cast<scalar>(rows.rows);
  }

  /// Encodes `images` images, unmasked, shards in parallel: take(image, tokens (N + 1, D)).
  template <class Read, class Take>
  void encode(index_t images, Read const& read, Take const& take) const {
    struct work {
      encoder_inference<B> network;
      std::vector<float> pixels, cut;
      std::vector<scalar> patches;
      shard_rows shard;
    };
    index_t const per_shard = images_per_shard(num_tokens);
    auto const values = static_cast<std::size_t>(config.image.values());
    std::vector<work> workers;
    for (int i = 0; i < backend_.threads().size(); ++i)
      workers.push_back({encoder_inference<B>({config, 0, norm_epsilon_}),
                         std::vector<float>(values),
                         std::vector<float>(values),
                         std::vector<scalar>(values * static_cast<std::size_t>(per_shard)),
                         {}});
    mask_plan const plan = mask_plan::all_visible(per_shard, config.num_patches());
    backend_.threads().for_ranges(images, per_shard, [&](index_t first, index_t last, int worker) {
      auto& mine = workers[static_cast<std::size_t>(worker)];
      for (index_t i = first; i < last; ++i) {
        read(i, std::span(mine.pixels));
        if (!statistics_.mean.empty()) normalise_pixels(mine.pixels, statistics_);
        patchify(mine.pixels,
                 config.image,
                 config.patch,
                 matrix_view<float>(mine.cut.data(), config.num_patches(), config.patch_values()));
        std::ranges::copy(mine.cut, mine.patches.begin() + (i - first) * std::ssize(mine.cut));
      }
      mine.shard.assign(plan, 0, last - first);
      auto const tokens = mine.network.encode(
          typename B::lane{},
          weights_,
          mine.shard,
          matrix_view<scalar const>(
              mine.patches.data(), (last - first) * config.num_patches(), config.patch_values()));
      for (index_t i = first; i < last; ++i)
        take(i, tokens.middle_rows((i - first) * num_tokens, num_tokens));
    });
  }

  B backend_;
  double norm_epsilon_;
  parameter_block<B> parameters_;
  encoder_weights<scalar const> weights_;
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
