#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/network.hpp>
#include <mae/model/prepared_weights.hpp>
#include <mae/model/reconstruction.hpp>
#include <mae/model/shard.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace mae {

/// What an image's feature is made of: the class token, the mean of the patch tokens, or both side
/// by side; all after the final norm.
enum class pooling : std::uint8_t { class_token, mean, both };

inline namespace MAE_ISA {

/// The feature of an image's tokens (N + 1, D), the class token first. `out` (D or 2 D), written.
template <class T>
void pool_tokens(matrix_view<T const> tokens, pooling pool, T* out) {
  if (pool != pooling::mean) out = std::copy_n(tokens.data, tokens.cols, out);
  if (pool == pooling::class_token) return;
  std::fill_n(out, tokens.cols, T{0});
  for (index_t r = 1; r < tokens.rows; ++r)
    for (index_t c = 0; c < tokens.cols; ++c) out[c] += tokens(r, c);
  for (index_t c = 0; c < tokens.cols; ++c) out[c] /= static_cast<T>(tokens.rows - 1);
}

}  // namespace MAE_ISA

namespace detail {

/// What one thread needs to encode shards of unmasked images.
template <Backend B>
class image_encoder {
  using T = typename B::scalar;

 public:
  image_encoder(network_sizes const& sizes, index_t per_shard)
      : config_(sizes.config),
        network_(sizes),
        pixels_(static_cast<std::size_t>(config_.image.values())),
        cut_(pixels_.size()),
        patches_(pixels_.size() * static_cast<std::size_t>(per_shard)) {}

  /// The pixels (H, W, C) of an image, in scaled units, to be filled before `add`.
  std::span<float> pixels() { return pixels_; }

  /// Cuts the pixels into the patches of the shard's image `number`.
  void add(index_t number, pixel_statistics const& statistics) {
    if (!statistics.mean.empty()) normalise_pixels(pixels_, statistics);
    patchify(pixels_,
             config_.image,
             config_.patch,
             matrix_view<float>(cut_.data(), config_.num_patches(), config_.patch_values()));
    std::ranges::copy(cut_, patches_.begin() + number * std::ssize(cut_));
  }

  /// The tokens (images * (N + 1), D) of the first `images` images of the shard.
  matrix_view<T const> encode(encoder_operands<typename B::lane> const& weights,
                              mask_plan const& all_visible,
                              index_t images) {
    shard_.assign(all_visible, 0, images);
    return network_.encode(
        weights,
        shard_,
        matrix_view<T const>(
            patches_.data(), images * config_.num_patches(), config_.patch_values()));
  }

 private:
  model_config config_;
  encoder_inference<B> network_;
  std::vector<float> pixels_;
  std::vector<float> cut_;  // one image's patches (N, P)
  std::vector<T> patches_;  // the shard's (images * N, P)
  shard_rows shard_;
};

}  // namespace detail

/// Fills the pixels (H, W, C) of an image, in scaled units ([0, 1] for 8-bit images).
using read_image = std::function<void(index_t, std::span<float>)>;

/// Gets the tokens (N + 1, D) of an image, the class token first.
template <class T>
using take_tokens = std::function<void(index_t, matrix_view<T const>)>;

/// The images of a dataset, which must outlive the result.
template <Dataset D>
read_image reader_of(D const& dataset) {
  return [&dataset](index_t image, std::span<float> pixels) { dataset.read(image, pixels); };
}

/// Encodes `images` images, unmasked, shards in parallel. `read` and `take` are called from several
/// threads at once, for different images. They are functions of any kind, not templates, so that
/// the network is compiled once for all that is encoded with it.
template <Backend B>
void encode_images(B const& backend,
                   network_sizes const& sizes,
                   encoder_operands<typename B::lane> const& weights,
                   pixel_statistics const& statistics,
                   index_t images,
                   read_image const& read,
                   take_tokens<typename B::scalar> const& take) {
  index_t const num_tokens = sizes.config.num_patches() + 1;
  index_t const per_shard = images_per_shard(num_tokens);
  std::vector<detail::image_encoder<B>> workers;
  for (int i = 0; i < backend.threads().size(); ++i) workers.emplace_back(sizes, per_shard);
  mask_plan const plan = mask_plan::all_visible(per_shard, sizes.config.num_patches());
  backend.threads().for_ranges(images, per_shard, [&](index_t first, index_t last, int worker) {
    auto& mine = workers[static_cast<std::size_t>(worker)];
    for (index_t i = first; i < last; ++i) {
      read(i, mine.pixels());
      mine.add(i - first, statistics);
    }
    auto const tokens = mine.encode(weights, plan, last - first);
    for (index_t i = first; i < last; ++i)
      take(i, tokens.middle_rows((i - first) * num_tokens, num_tokens));
  });
}

}  // namespace mae
