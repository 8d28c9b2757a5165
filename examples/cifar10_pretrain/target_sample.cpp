#include "target_sample.hpp"

#include "chosen_objective.hpp"

#include <mae/core/views.hpp>
#include <mae/patch/patchify.hpp>

#include <cstddef>
#include <numeric>

namespace pretrain {

target_sample all_targets(chosen_objective const& objective,
                          mae::model_config const& config,
                          std::span<float const> images,
                          mae::index_t count) {
  mae::index_t const patches = config.num_patches();
  target_sample sample{.width = objective.target_width(config)};
  sample.targets.resize(static_cast<std::size_t>(count * patches * sample.width));
  std::vector<mae::patch_index> rows(static_cast<std::size_t>(patches));
  std::iota(rows.begin(), rows.end(), mae::patch_index{0});
  auto const values = static_cast<std::size_t>(config.image.values());
  std::vector<float> cut(values);
  for (mae::index_t i = 0; i < count; ++i) {
    mae::matrix_view<float> const view(cut.data(), patches, config.patch_values());
    mae::patchify(images.subspan(static_cast<std::size_t>(i) * values, values),
                  config.image,
                  config.patch,
                  view);
    objective.target(
        config,
        mae::matrix_view<float const>(cut.data(), patches, config.patch_values()),
        rows,
        mae::matrix_view<float>(
            sample.targets.data() + i * patches * sample.width, patches, sample.width));
  }
  return sample;
}

}  // namespace pretrain
