// Models that Hugging Face's transformers saved, against what it computed (make_fixtures.py).

#include "loaded_model.hpp"
#include "model_fixture.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/float16.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/interop.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/pooling.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::allowed;
using mae_test::excess;
using mae_test::loaded_model;
using mae_test::model_fixture;

std::array<std::string, 3> const cases{"rgb", "grey", "five"};

std::string fixture_path(std::string const& name) {
  return MAE_TESTS_DIR "/interop/fixtures/" + name;
}
model_fixture expected_of(std::string const& name) {
  return model_fixture::at(fixture_path(name + "/expected.safetensors"));
}

/// A checkpoint's values in T, with what it was expected to compute.
template <class T>
loaded_model<T> load(model_fixture const& expected, mae::pretrained_model const& model) {
  mae::host_buffer<T> values(model.values.size());
  std::ranges::copy(model.values.span(), values.data());
  return loaded_model<T>(expected, model.sizes, std::move(values));
}

template <class T>
std::vector<T> targets_of(loaded_model<T> const& model, mae::pretrained_model const& file) {
  return *file.norm_pix() ? model.normalised_targets() : model.targets(mae::pixels{});
}

constexpr mae::model_config rgb{
    .image = {.height = 12, .width = 12, .channels = 3},
    .patch = {.height = 3, .width = 3},
    .encoder = {.depth = 3, .width = 16, .heads = 2},
    .decoder = {.depth = 1, .width = 8, .heads = 2},
};
constexpr mae::model_config larger_rgb{
    .image = {.height = 18, .width = 18, .channels = 3},
    .patch = rgb.patch,
    .encoder = rgb.encoder,
    .decoder = rgb.decoder,
};
using rgb_model = mae::autoencoder<rgb, mae::uniform_mask<mae::ratio{3, 4}>>;

}  // namespace

TEST_CASE("what a folder of Hugging Face's says of its model is read") {
  auto const model = mae::read_pretrained(fixture_path("rgb"));
  CHECK(model.sizes == rgb);
  CHECK(model.has_decoder);
  CHECK(model.norm_epsilon() == 1e-12);
  CHECK(model.norm_pix() == true);
  CHECK(model.entry("mask_ratio") == "0.75");
  CHECK(model.entry("position_order") == "column first");
  CHECK(model.statistics().mean.empty());

  auto const grey = mae::read_pretrained(fixture_path("grey"));
  CHECK(grey.norm_pix() == false);
  CHECK(grey.sizes.image == mae::image_extent{32, 32, 1});
  CHECK(grey.sizes.encoder.hidden() == 30);
  CHECK(mae::read_pretrained(fixture_path("five")).norm_epsilon() == 1e-6);
}

TEST_CASE_TEMPLATE("hidden states, logits and losses are ViTMAE's", T, float, double) {
  for (auto const& name : cases) {
    CAPTURE(name);
    auto const file = mae::read_pretrained(fixture_path(name));
    auto const expected = expected_of(name);
    auto model = load<T>(expected, file);
    CHECK(excess<T>(model.latent(), expected.values("output.latent"), allowed<T>::output) <= 0);

    auto const targets = targets_of(model, file);
    std::array const loss{model.forward(targets) /
                          static_cast<double>(model.plan().total().target)};
    CHECK(excess<double>(loss, expected.values("output.loss"), allowed<T>::loss) <= 0);
    CHECK(excess(model.prediction(), expected.values("output.pred"), allowed<T>::output) <= 0);

    auto const mask = expected.values("output.mask");
    auto const patches = model.plan().patches();
    for (index_t i = 0; i < model.plan().images(); ++i)
      for (auto const patch : model.plan().target(i))
        CHECK(mask[static_cast<std::size_t>(i * patches + patch)] == 1.0F);
  }
}

TEST_CASE_TEMPLATE("gradients are ViTMAE's, under the names of its version 5", T, float, double) {
  for (auto const& name : cases) {
    CAPTURE(name);
    auto const file = mae::read_pretrained(fixture_path(name));
    auto const gradients = mae::read_pretrained(fixture_path(name + "/gradients.safetensors"));
    CHECK(gradients.names.words == mae::block_words::version5);
    auto const expected = expected_of(name);
    auto model = load<T>(expected, file);
    auto const targets = targets_of(model, file);
    model.forward(targets);
    model.backward(targets);
    for (T& value : model.gradient()) value /= static_cast<T>(model.plan().total().target);
    for (auto const& tensor : model.layout().tensors()) {
      if (tensor.kind == mae::tensor_kind::buffer) continue;
      CAPTURE(tensor.name);
      auto const offset = static_cast<std::size_t>(tensor.offset);
      auto const size = static_cast<std::size_t>(tensor.size());
      CHECK(excess<T>(model.gradient().subspan(offset, size),
                      gradients.tensor(tensor.name),
                      allowed<T>::gradient) <= 0);
    }
  }
}

TEST_CASE("a model takes a checkpoint's values, epsilon and positions") {
  auto const expected = expected_of("rgb");
  rgb_model model({.seed = 3});
  mae::load_pretrained(fixture_path("rgb"), model);
  CHECK(model.sizes().norm_epsilon == 1e-12);
  auto const result =
      model.forward(expected.values("input.images"), expected.plan(expected.values("input.noise")));
  CHECK(excess<double>(
            std::array{result.loss}, expected.values("output.loss"), allowed<float>::loss) <= 0);
}

TEST_CASE("an encoder takes whole images, also larger ones than those it was trained on") {
  auto const expected = expected_of("rgb");
  auto const encoder = mae::load_pretrained_encoder<rgb>(fixture_path("rgb"));
  CHECK(excess<float>(encoder.tokens(expected.values("input.images")),
                      expected.values("output.tokens"),
                      allowed<float>::output) <= 0);
  auto const larger = mae::load_pretrained_encoder<larger_rgb>(fixture_path("rgb"));
  CHECK(excess<float>(larger.tokens(expected.values("larger.images")),
                      expected.values("larger.tokens"),
                      allowed<float>::output) <= 0);
}

TEST_CASE("tokens of plain ViTs are those of transformers' ViTModel (make_vit_fixtures.py)") {
  for (std::string const name : {"vit", "vit_classifier"}) {
    CAPTURE(name);
    auto const expected = model_fixture::at(fixture_path(name + "/expected.safetensors"));
    auto const encoder = mae::open_pretrained_encoder(mae::read_pretrained(fixture_path(name)),
                                                      mae::eigen_backend<float>(1));
    CHECK(excess<float>(encoder.tokens(expected.values("images")),
                        expected.values("tokens"),
                        allowed<float>::output) <= 0);
  }
}

TEST_CASE("what was fine-tuned on the mean has its norm after it (make_vit_fixtures.py)") {
  auto const expected = model_fixture::at(fixture_path("timm_mean/expected.safetensors"));
  auto const found = mae::read_pretrained(fixture_path("timm_mean/model.safetensors"),
                                          {.heads = 3, .image_height = 12, .image_width = 12});
  CHECK(found.final_norm() == mae::norm_place::pooled);
  auto const encoder = mae::open_pretrained_encoder(found, mae::eigen_backend<float>(1));
  auto const images = expected.values("images");
  std::vector<float> const pixels(images.begin(), images.end());
  auto const features = [&](mae::pooling pool) { return encoder.features(pixels, pool); };
  auto const mean = features(mae::pooling::mean);
  auto const of_class = features(mae::pooling::class_token);
  CHECK(excess<float>(mean, expected.values("mean"), allowed<float>::output) <= 0);
  CHECK(excess<float>(of_class, expected.values("class"), allowed<float>::output) <= 0);
  auto const both = features(mae::pooling::both);
  REQUIRE(both.size() == 2 * mean.size());
  CHECK(std::equal(of_class.begin(), of_class.begin() + 12, both.begin()));
  CHECK(std::equal(mean.begin(), mean.begin() + 12, both.begin() + 12));
}

TEST_CASE("positions are resampled in two dimensions as PyTorch does it") {
  auto const file = model_fixture::at(fixture_path("positions.safetensors"));
  auto const from = file.values("from.4x5");
  for (auto const& grid : {mae::patch_grid{6, 3},
                           mae::patch_grid{2, 11},
                           mae::patch_grid{8, 10},
                           mae::patch_grid{4, 5}}) {
    std::string const name = "to." + std::to_string(grid.rows) + "x" + std::to_string(grid.columns);
    CAPTURE(name);
    std::vector<float> to(static_cast<std::size_t>((grid.size() + 1) * 8));
    mae::resize_positions<float>(
        {from.data(), 21, 8}, {4, 5}, {to.data(), grid.size() + 1, 8}, grid);
    CHECK(excess<float>(to, file.values(name), {1e-5}) <= 0);
  }
}

TEST_CASE("files of half precision are read") {
  auto const exact = mae::read_pretrained(fixture_path("grey"));
  auto const half = mae::read_pretrained(fixture_path("grey_f16"));
  auto const brain = mae::read_pretrained(fixture_path("grey_bf16"));
  REQUIRE(half.values.size() == exact.values.size());
  REQUIRE(brain.values.size() == exact.values.size());
  for (std::size_t i = 0; i < exact.values.span().size(); ++i) {
    float const value = exact.values.span()[i];
    REQUIRE(half.values.span()[i] == static_cast<float>(mae::float16(value)));
    REQUIRE(brain.values.span()[i] == static_cast<float>(mae::bfloat16(value)));
  }
}
