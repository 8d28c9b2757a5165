#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace mae {

namespace detail {

/// The patches (count * N, P) of images [first, first + count), as the network takes them.
template <class Model, Dataset D>
std::vector<typename Model::scalar> whole_patches(Model const& model,
                                                  D const& dataset,
                                                  index_t first,
                                                  index_t count) {
  auto const& config = model.sizes().config;
  std::vector<float> pixels(static_cast<std::size_t>(config.image.values()));
  std::vector<float> cut(pixels.size());
  std::vector<typename Model::scalar> patches;
  for (index_t i = 0; i < count; ++i) {
    dataset.read(first + i, pixels);
    normalise_pixels(pixels, model.statistics());
    patchify(pixels,
             config.image,
             config.patch,
             matrix_view<float>(cut.data(), config.num_patches(), config.patch_values()));
    patches.insert(patches.end(), cut.begin(), cut.end());
  }
  return patches;
}

}  // namespace detail

/// What the head number `I` of a model says of every image of a dataset, whole and as it is:
/// take(first, count, values) for images [first, first + count), `values` what its pass's predict
/// returns, in the host's memory. Called from several threads at once, of different images, with
/// the same bits for any number of threads. Throws config_error for images of another extent than
/// the model's, and where the head is off.
template <std::size_t I, Trainable Model, Dataset D, class Take>
void for_each_output(Model const& model, D const& dataset, Take const& take) {
  using T = typename Model::scalar;
  using network = typename Model::network_type;
  auto const& sizes = model.sizes();
  auto const& config = sizes.config;
  if (dataset.extent() != config.image)
    throw config_error("images of " + to_string(dataset.extent()) + " for a model of images of " +
                       to_string(config.image));
  if (!sizes.is_on(I))
    throw config_error("the head " + std::string(std::get<I>(sizes.heads).name) + " has weight 0");
  typename network::prepared_type prepared(pass_kind::inference);
  auto const& weights = prepared.update(sizes, model.weights(), model.backend());
  auto const& backend = model.backend();
  index_t const images = dataset.size();
  index_t const per_shard = Model::backend_type::shards.images_of(config.num_patches() + 1);
  worker_passes<network> passes(backend.num_workers(), backend, sizes, pass_kind::inference);
  backend.for_each(ceil_div(images, per_shard), [&](index_t shard, int worker) {
    index_t const first = shard * per_shard;
    index_t const count = std::min(per_shard, images - first);
    auto const patches = detail::whole_patches(model, dataset, first, count);
    auto& pass = passes[worker];
    auto const in =
        pass.bring(mask_plan::all_visible(count, config.num_patches()),
                   0,
                   count,
                   {patches.data(), count * config.num_patches(), config.patch_values()});
    pass.network().encode(weights.encoder, in.shard, in.patches);
    auto const found = pass.network().template head<I>().predict(pass.network().input_of(in.shard),
                                                                 std::get<I>(weights.heads));
    std::vector<T> values(static_cast<std::size_t>(found.size()));
    pass.lane().download(std::span<T const>(found.data, values.size()), std::span(values));
    take(first, count, matrix_view<T const>(values.data(), found.rows, found.cols));
  });
}

}  // namespace mae
