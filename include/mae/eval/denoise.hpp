#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/denoiser.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace mae {

/// What the head number `I` of a model, a denoiser, makes of whole images with noise of deviation
/// sigma: D(x~) (B, H, W, C), in the units of `images` (B, H, W, C), which are normalised. The
/// score of noisy images at x~ is (D(x~) - x~) / sigma^2. What it makes of a sigma outside the
/// range of its training is a guess: nothing is refused. The same bits for any number of threads.
/// Throws config_error for values that are no whole number of images, for a sigma that is not
/// finite and above 0, and where the head is off.
template <std::size_t I, Trainable Model>
std::vector<float> denoise(Model const& model, std::span<float const> images, double sigma) {
  using T = typename Model::scalar;
  using network = typename Model::network_type;
  auto const& sizes = model.sizes();
  auto const& config = sizes.config;
  auto const& head = std::get<I>(sizes.heads);
  index_t const values = config.image.values();
  index_t const count = std::ssize(images) / values;
  if (std::ssize(images) != count * values)
    throw config_error(std::to_string(images.size()) + " values are no whole number of images of " +
                       std::to_string(values) + " values");
  if (!(sigma > 0) || !std::isfinite(sigma))
    throw config_error("the level of noise must be finite and above 0, it is " +
                       decimal_text(sigma));
  if (!sizes.is_on(I)) throw config_error("the head " + std::string(head.name) + " has weight 0");
  typename network::prepared_type prepared(pass_kind::inference);
  auto const& weights = prepared.update(sizes, model.weights(), model.backend());
  auto const& backend = model.backend();
  worker_passes<network> passes(backend.num_workers(), backend, sizes, pass_kind::inference);
  auto const plan = mask_plan::all_visible(1, config.num_patches());
  index_t const rows = config.num_patches() + 1;  // with the class token
  index_t const width = head.label_width();
  std::vector<T> labels(static_cast<std::size_t>(rows * width));
  matrix_view<T> const said(labels.data(), rows, width);
  for (index_t row = 0; row < rows; ++row)
    denoiser::write_level(sigma,
                          said.row(row).subspan(static_cast<std::size_t>(config.patch_values()),
                                                static_cast<std::size_t>(denoiser::level_values)));
  std::vector<float> clean(images.size());
  backend.for_each(count, [&](index_t image, int worker) {
    auto const at = static_cast<std::size_t>(image * values);
    std::vector<float> cut(static_cast<std::size_t>(values));
    matrix_view<float> const patches(cut.data(), config.num_patches(), config.patch_values());
    patchify(images.subspan(at, cut.size()), config.image, config.patch, patches);
    std::vector<T> const seen(cut.begin(), cut.end());
    std::array<matrix_view<T const>, network::num_heads> of_heads;
    of_heads[I] = said;
    auto& pass = passes[worker];
    auto const in = pass.bring(plan, 0, 1, {seen.data(), patches.rows, patches.cols}, of_heads);
    pass.network().encode(weights.encoder, in.shard, in.patches);
    auto const found = pass.network().template head<I>().predict(
        pass.network().input_of(in.shard, in.labels[I]), std::get<I>(weights.heads));
    std::vector<T> predicted(static_cast<std::size_t>(found.size()));
    pass.lane().download(std::span<T const>(found.data, predicted.size()), std::span(predicted));
    std::copy(predicted.begin() + patches.cols, predicted.end(), cut.begin());
    unpatchify(patches, config.image, config.patch, std::span(clean).subspan(at, cut.size()));
  });
  return clean;
}

}  // namespace mae
