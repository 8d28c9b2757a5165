#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

namespace mae::detail {

/// Columns [first, last) of patches.
struct patch_columns {
  index_t first = 0;
  index_t last = 0;
};

/// Paints some columns of patches of pictures, as `reconstruct` paints all: of the decoder's last
/// block nothing but their rows goes on. For models of pixels in the host's memory.
template <class Model>
class column_passes {
  using B = typename Model::backend_type;
  using T = typename B::scalar;
  using network = painter_network<B>;

 public:
  column_passes(Model const& model,
                std::span<float const> images,
                mask_plan const& plan,
                patch_columns const& columns)
      : parts_{model.sizes().config,
               model.sizes().norm_epsilon,
               {std::get<0>(model.sizes().heads)}},
        images_(images),
        plan_(plan),
        columns_(columns),
        passes_(std::min<index_t>(model.backend().num_workers(), plan.images()),
                model.backend(),
                parts_,
                pass_kind::inference) {}

  /// Picture `number` (H, W, C) to `painting`, which stays as it is where nothing is painted.
  void paint(typename network::operands_type const& weights,
             index_t number,
             int worker,
             std::span<float> painting) const {
    auto const& config = parts_.config;
    auto const size = static_cast<std::size_t>(config.image.values());
    std::vector<T> values(size);
    cut(images_.subspan(static_cast<std::size_t>(number) * size, size), values);
    auto& pass = passes_[worker];
    auto in = pass.bring(plan_,
                         number,
                         number + 1,
                         {values.data(), config.num_patches(), config.patch_values()},
                         {},
                         {},
                         predicted_patches::all_present);
    std::vector<index_t> patches;
    std::vector<index_t> rows;
    for (std::size_t i = 0; i < in.shard.target_rows.size(); ++i) {
      index_t const column = in.shard.target_patches[i] % config.grid_columns();
      if (column < columns_.first || column >= columns_.last) continue;
      patches.push_back(in.shard.target_patches[i]);
      rows.push_back(in.shard.target_rows[i]);
    }
    in.shard.target_patches = patches;
    in.shard.target_rows = rows;
    pass.network().encode(weights.encoder, in.shard, in.patches);
    auto const said = pass.network().template head<0>().predict(pass.network().input_of(in.shard),
                                                                std::get<0>(weights.heads));
    for (std::size_t i = 0; i < patches.size(); ++i)
      put(said.row(static_cast<index_t>(i)), patches[i], painting);
  }

  network_parts<painter> const& parts() const { return parts_; }

 private:
  /// The patches of an image, (N, P).
  void cut(std::span<float const> image, std::vector<T>& patches) const {
    auto const& config = parts_.config;
    if constexpr (std::is_same_v<T, float>) {
      patchify(image,
               config.image,
               config.patch,
               matrix_view<float>(patches.data(), config.num_patches(), config.patch_values()));
    } else {
      std::vector<float> pixels(image.size());
      patchify(image,
               config.image,
               config.patch,
               matrix_view<float>(pixels.data(), config.num_patches(), config.patch_values()));
      std::copy(pixels.begin(), pixels.end(), patches.begin());
    }
  }
  /// A patch to its place in a picture.
  void put(std::span<T const> values, index_t patch, std::span<float> picture) const {
    auto const& config = parts_.config;
    index_t const run = config.patch.width * config.image.channels;
    index_t const row = patch / config.grid_columns() * config.patch.height;
    index_t const column = patch % config.grid_columns() * run;
    for (index_t y = 0; y < config.patch.height; ++y)
      for (index_t x = 0; x < run; ++x)
        picture[static_cast<std::size_t>((row + y) * config.image.width * config.image.channels +
                                         column + x)] =
            static_cast<float>(values[static_cast<std::size_t>(y * run + x)]);
  }

  network_parts<painter> parts_;
  std::span<float const> images_;
  mask_plan const& plan_;
  patch_columns columns_;
  worker_passes<network> passes_;
};

/// The pictures (B, H, W, C) of `images` with these columns painted, 0 elsewhere.
template <class Model>
std::vector<float> paint_columns(Model const& model,
                                 std::span<float const> images,
                                 mask_plan const& plan,
                                 patch_columns const& columns) {
  using T = typename Model::scalar;
  auto const values = static_cast<std::size_t>(model.sizes().config.image.values());
  column_passes<Model> const passes(model, images, plan, columns);
  prepared_weights<typename Model::backend_type, painter> prepared(pass_kind::inference);
  auto const& operands =
      prepared.update(passes.parts(),
                      network_weights<T const, painter>{model.weights().encoder,
                                                        {std::get<0>(model.weights().heads)}},
                      model.backend());
  std::vector<float> painted(images.size());
  model.backend().for_each(plan.images(), [&](index_t i, int worker) {
    passes.paint(operands,
                 i,
                 worker,
                 std::span(painted).subspan(static_cast<std::size_t>(i) * values, values));
  });
  return painted;
}

}  // namespace mae::detail
