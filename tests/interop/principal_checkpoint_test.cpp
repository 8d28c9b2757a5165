// Checkpoints whose decoder predicts principal components, read as anyone's are.

#include "editable_file.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/core/error.hpp>
#include <mae/core/views.hpp>
#include <mae/interop/load_pretrained.hpp>
#include <mae/interop/save_pretrained.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/principal_file.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/objective/fit_principal.hpp>
#include <mae/objective/hog.hpp>
#include <mae/objective/principal.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::config_error;
using mae_test::small_config;
template <class Objective>
using model_of = mae::autoencoder<small_config,
                                  mae::uniform_mask<mae::ratio{3, 4}>,
                                  mae::eigen_backend<float>,
                                  Objective>;
using principal_model = model_of<mae::principal_components>;

mae::principal_basis basis_of_waves() {
  std::vector<float> patches;
  for (int i = 0; i < 48 * 100; ++i) patches.push_back(std::sin(static_cast<float>(i * i % 1009)));
  return mae::fit_principal_components(mae::matrix_view<float const>(patches.data(), 100, 48), 3);
}

}  // namespace

TEST_CASE("a decoder of other principal components is refused, whoever reads it") {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("model.safetensors");
  mae::save_model(path,
                  principal_model({.objective = mae::principal_components(basis_of_waves())}));
  auto const found = mae::read_pretrained(path);
  principal_model same({.seed = 2, .objective = mae::principal_components(basis_of_waves())});
  CHECK_NOTHROW(mae::load_pretrained(found, same));

  auto turned = basis_of_waves();
  for (float& value : turned.components) value = -value;
  principal_model other({.objective = mae::principal_components(std::move(turned))});
  CHECK(refusal_of<config_error>([&] {
          mae::load_pretrained(found, other);
        }).starts_with(path + ": the targets' components are others in the file than here"));
  CHECK_NOTHROW(mae::load_pretrained(found, other, mae::pretrained_parts::encoder));
  CHECK(refusal_of<config_error>([&] {
          mae::save_pretrained(
              folder.file("copy.safetensors"), found, mae::checkpoint_format::official);
        }).starts_with(path + ": its decoder predicts principal components"));
  CHECK_NOTHROW(mae::save_pretrained(
      folder.file("encoder.safetensors"), found, mae::checkpoint_format::timm));
}

TEST_CASE("a decoder of gradients' histograms in another form is refused") {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("model.safetensors");
  mae::save_model(path,
                  model_of<mae::hog>({.objective = mae::hog({.form = mae::hog_form::maskfeat})}));
  model_of<mae::hog> plain({.objective = mae::hog({.form = mae::hog_form::plain})});
  CHECK(refusal_of<config_error>([&] {
          mae::load_pretrained(mae::read_pretrained(path), plain);
        }) == path + ": hog_form is maskfeat in the file, but plain here");
}

TEST_CASE("what cannot be principal components is a damaged file, not a division by nothing") {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("model.safetensors");
  mae::save_model(path,
                  principal_model({.objective = mae::principal_components(basis_of_waves())}));
  editable_file damaged(path);
  damaged.tensor("objective.components").shape = {0, 0};
  damaged.tensor("objective.components").bytes = {};
  damaged.save(path);
  CHECK(refusal_of<mae::format_error>([&] {
          mae::read_principal_basis(path);
        }).ends_with("0 principal components of 0 values cannot be"));
}
