#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/objective.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;

constexpr mae::model_config config{
    .image = {.height = 6, .width = 4, .channels = 2},
    .patch = {.height = 3, .width = 2},
    .encoder = {.depth = 1, .width = 8, .heads = 2},
    .decoder = {.depth = 1, .width = 4, .heads = 1},
};

/// A user's objective, whose targets are fewer than a patch's values: the mean of each channel.
struct mean_colour {
  constexpr index_t target_width(mae::model_config const& model) const {
    return model.image.channels;
  }

  void target(mae::model_config const& model,
              matrix_view<float const> patches,
              std::span<mae::patch_index const> rows,
              matrix_view<float> targets) const {
    index_t const channels = model.image.channels;
    for (index_t i = 0; i < std::ssize(rows); ++i)
      for (index_t c = 0; c < channels; ++c) {
        float sum = 0;
        for (index_t k = c; k < patches.cols; k += channels)
          sum += patches(rows[static_cast<std::size_t>(i)], k);
        targets(i, c) = sum / static_cast<float>(patches.cols / channels);
      }
  }
};
static_assert(mae::Objective<mean_colour>);

struct without_target {
  index_t target_width(mae::model_config const& model) const { return model.patch_values(); }
};
struct without_width {
  void target(mae::model_config const& model,
              matrix_view<float const> patches,
              std::span<mae::patch_index const> rows,
              matrix_view<float> targets) const;
};
static_assert(!mae::Objective<without_target> && !mae::Objective<without_width>);

using model_type = mae::autoencoder<config,
                                    mae::uniform_mask<mae::ratio{1, 2}>,
                                    mae::eigen_backend<float>,
                                    mean_colour>;

}  // namespace

TEST_CASE("a model is as wide at its end as a user's objective says") {
  model_type const model;
  CHECK(std::get<0>(model.sizes().heads).label_width() == 2);
  CHECK(model.layout().find("decoder_pred.weight").shape == std::vector<index_t>{2, 4});
  CHECK(model.layout().find("decoder_pred.bias").shape == std::vector<index_t>{2});
}

TEST_CASE("a model is asked for what a user's objective wants") {
  std::vector<float> image(48);
  std::iota(image.begin(), image.end(), 0.0F);
  mae::mask_plan plan(1, 4);
  plan.assign(0, {2, 2}, std::vector<float>{0.9F, 0.1F, 0.2F, 0.8F});  // patches 0 and 3
  model_type model;
  std::ranges::fill(model.parameters().tensor("decoder_pred.weight"), 0.0F);
  auto const bias = model.parameters().tensor("decoder_pred.bias");
  bias[0] = 10;
  bias[1] = 20;
  auto const result = model.forward(image, plan);
  CHECK(result.target_width == 2);
  CHECK(result.prediction == std::vector<float>{10, 20, 10, 20});
  // Channel 0 of patch 0 holds 0 2, 8 10, 16 18, whose mean is 9; patch 3 begins 28 values later.
  CHECK(result.loss == doctest::Approx((1. + 100 + 27 * 27 + 18 * 18) / 4));
  CHECK(result.baseline == doctest::Approx((81. + 100 + 37 * 37 + 38 * 38) / 4));
}

TEST_CASE("an objective without settings is known as custom") {
  CHECK(mae::settings_of("objective", mean_colour{}) ==
        mae::settings_list{{"objective", "custom"}});
}
