// R2 through the public class: forward(images, plan) of a whole model against PyTorch.

#include "model_fixture.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

namespace {

using mae_test::excess;
using mae_test::model_fixture;

constexpr mae::model_config square{
    .image = {.height = 12, .width = 12, .channels = 3},
    .patch = {.height = 3, .width = 3},
    .encoder = {.depth = 2, .width = 16, .heads = 2},
    .decoder = {.depth = 1, .width = 8, .heads = 2},
};
constexpr mae::model_config oblong{
    .image = {.height = 20, .width = 21, .channels = 4},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 2, .width = 20, .heads = 5},
    .decoder = {.depth = 2, .width = 12, .heads = 3},
};

/// A model as its fixture made it.
template <class Model>
Model loaded(model_fixture const& file, typename Model::objective_type objective) {
  REQUIRE(file.config() == Model::config);
  Model model({.objective = objective, .norm_epsilon = file.number("norm_epsilon")});
  auto const values = file.block<typename Model::scalar>(model.layout());
  std::ranges::copy(values.span(), model.parameters().values().begin());
  return model;
}

/// Checks what a forward pass says of the fixture's batch, masked as its noise says.
template <class Model>
void check_forward(Model const& model, model_fixture const& file, std::string const& loss) {
  using limits = mae_test::allowed<typename Model::scalar>;
  auto const plan = file.plan(file.values("input.noise"));
  auto const result = model.forward(file.values("input.images"), plan);
  CHECK(result.targets == plan.total().target);
  CHECK(result.target_width == Model::patch_values);
  CHECK(excess<typename Model::scalar>(
            result.prediction, file.values("output.pred"), limits::output) <= 0);
  CHECK(excess<double>(std::array{result.loss}, file.values(loss), limits::loss) <= 0);
}

/// What predicting zero costs: the mean square of the targets.
double mean_square(std::vector<float> const& targets) {
  double sum = 0;
  for (double const target : targets) sum += target * target;
  return sum / static_cast<double>(targets.size());
}

template <class Model>
void check_normalised(std::string const& name) {
  CAPTURE(name);
  model_fixture const file(name);
  auto const model = loaded<Model>(file, {file.number("target_epsilon")});
  check_forward(model, file, "output.loss");

  auto const plan = file.plan(file.values("input.noise"));
  auto const result = model.forward(file.values("input.images"), plan);
  CHECK(result.baseline ==
        doctest::Approx(mean_square(file.values("output.target"))).epsilon(1e-6));
  // The policy in the model's type keeps as many patches as PyTorch did.
  for (mae::index_t i = 0; i < plan.images(); ++i)
    CHECK(model.mask().max_visible(Model::num_patches) == plan.counts(i).visible);
}

using three_quarters = mae::uniform_mask<mae::ratio{3, 4}>;
template <class T>
using backend = mae::eigen_backend<T>;

}  // namespace

TEST_CASE("R2: a model's loss, predictions and baseline are PyTorch's") {
  check_normalised<mae::autoencoder<square>>("square");
  check_normalised<mae::autoencoder<oblong>>("oblong");
  check_normalised<mae::autoencoder<oblong, three_quarters, backend<double>>>("oblong");
}

TEST_CASE("R2: a model that predicts plain pixels has PyTorch's loss") {
  using model_type = mae::autoencoder<square, three_quarters, backend<float>, mae::pixels>;
  model_fixture const file("square");
  check_forward(loaded<model_type>(file, {}), file, "output.loss_pixels");
}
