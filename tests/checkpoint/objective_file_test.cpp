#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/principal_file.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/objective/fit_principal.hpp>
#include <mae/objective/principal.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using mae_test::small_config;
using principal_model = mae::autoencoder<small_config,
                                         mae::uniform_mask<mae::ratio{3, 4}>,
                                         mae::eigen_backend<float>,
                                         mae::principal_components>;

/// Components of patches that are made up.
mae::principal_basis basis_of(int first) {
  std::vector<float> patches;
  for (int i = first; i < first + 48 * 100; ++i)
    patches.push_back(std::sin(static_cast<float>(i * i % 1009)));
  return mae::fit_principal_components(mae::matrix_view<float const>(patches.data(), 100, 48), 3);
}

principal_model model_of(int first, std::uint64_t seed = 1) {
  return principal_model({.seed = seed, .objective = mae::principal_components(basis_of(first))});
}

constexpr char const* others =
    ": the targets' mean are others in the file than here: take the file's own, which decide what "
    "its decoder predicts";

}  // namespace

TEST_CASE("a model's file keeps the components of its targets, and refuses others") {
  mae_test::temporary_folder const scratch;
  auto const path = (scratch / "model.safetensors").string();
  auto const saved = model_of(0);
  mae::save_model(path, saved);
  auto const kept = mae::read_principal_basis(path);
  auto const basis = basis_of(0);
  CHECK(kept.mean == basis.mean);
  CHECK(kept.components == basis.components);
  CHECK(kept.variances == basis.variances);
  CHECK(kept.patches == 100);

  auto same = model_of(0, 2);
  mae::load_model(path, same);
  CHECK(mae_test::bits_of(same.parameters().values()) ==
        mae_test::bits_of(saved.parameters().values()));
  auto other = model_of(7);
  CHECK_THROWS_WITH_AS(mae::load_model(path, other), (path + others).c_str(), mae::config_error);
  CHECK_NOTHROW(mae::load_encoder<small_config>(path));

  mae_test::small_model<> const pixels;
  auto const plain = (scratch / "plain.safetensors").string();
  mae::save_model(plain, pixels);
  CHECK_THROWS_WITH_AS(
      mae::load_model(plain, other),
      (plain + ": objective is normalised in the file, but principal here").c_str(),
      mae::config_error);
  CHECK_THROWS_WITH_AS(
      mae::read_principal_basis(plain),
      (plain + ": its targets are no principal components, but normalised").c_str(),
      mae::config_error);
}

TEST_CASE("a training goes on with the components that it began with alone") {
  mae_test::temporary_folder const scratch;
  auto const path = (scratch / "training.safetensors").string();
  auto const images = mae_test::painted_images(40, 3);
  mae::training_options const options{.batch_size = 20, .epochs = 2};
  auto model = model_of(0);
  mae::trainer training(model, images, options);
  training.step();
  mae::save_training(path, training);
  training.step();

  auto resumed = model_of(0, 9);
  mae::trainer goes_on(resumed, images, options);
  CHECK(mae::load_training(path, goes_on).step == 1);
  goes_on.step();
  CHECK(mae_test::bits_of(resumed.parameters().values()) ==
        mae_test::bits_of(model.parameters().values()));

  auto other = model_of(7);
  mae::trainer refused(other, images, options);
  CHECK_THROWS_WITH_AS(
      mae::load_training(path, refused), (path + others).c_str(), mae::config_error);
  CHECK(mae::read_principal_basis(path).components == basis_of(0).components);
}
