// Models whose final norm is of what is pooled: their files, and trainings that go on.

#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/network/part.hpp>
#include <mae/op/pooling.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace {

using mae::norm_place;
using backend = mae::eigen_backend<float>;
using model_type =
    mae::headed_encoder<mae_test::small_config, mae::no_mask, backend, mae::classifier>;

model_type::parts parts_of(norm_place place, mae::classifier const& head) {
  return {.heads = {head}, .seed = 3, .backend = backend(2), .final_norm = place};
}
model_type model_of(norm_place place) {
  return model_type(parts_of(place, {.classes = 4, .normalises = place == norm_place::pooled}));
}

mae_test::labelled_images const& images() {
  static mae_test::labelled_images const painted(30);
  return painted;
}
mae::trainer<model_type, mae_test::labelled_images> training_of(model_type& model) {
  return {model, images(), {.batch_size = 15, .steps = 4, .lr = 1e-2}};
}

void check_file(std::string const& path, std::vector<float> const& features) {
  CHECK(mae::safetensors_file::load(path).metadata().at("final_norm") == "pooled");
  auto const found = mae::read_pretrained(path);
  CHECK(found.final_norm() == norm_place::pooled);
  CHECK(mae::open_pretrained_encoder(found, backend(1)).features(images(), mae::pooling::mean) ==
        features);
}

}  // namespace

TEST_CASE("a classifier begins with small weights and no bias, as the official code's") {
  auto model = model_of(norm_place::pooled);
  double squares = 0;
  auto const weights = model.parameters().tensor("head.weight");
  for (float const weight : weights) squares += static_cast<double>(weight) * weight;
  CHECK(std::sqrt(squares / static_cast<double>(weights.size())) ==
        doctest::Approx(2e-5).epsilon(0.3));
  for (float const bias : model.parameters().tensor("head.bias")) CHECK(bias == 0);
  model_type other(parts_of(norm_place::tokens, {.classes = 4, .start_deviation = 0}));
  CHECK(std::abs(other.parameters().tensor("head.weight")[0]) > 1e-3F);
}

TEST_CASE("files of a model whose norm is of what is pooled have timm's names, and say so") {
  mae_test::temporary_folder const folder;
  auto model = model_of(norm_place::pooled);
  auto training = training_of(model);
  training.run();
  auto const features = mae::encoder_of(model).features(images(), mae::pooling::mean);
  mae::save_model(folder.file("model.safetensors"), model);
  mae::save_encoder(folder.file("encoder.safetensors"), model);
  check_file(folder.file("model.safetensors"), features);
  check_file(folder.file("encoder.safetensors"), features);
  for (char const* const file : {"model.safetensors", "encoder.safetensors"})
    CHECK(mae::load_encoder<mae_test::small_config>(folder.file(file), backend(1))
              .features(images(), mae::pooling::mean) == features);
}

TEST_CASE("what was fine-tuned with a norm of what is pooled is trained further with that") {
  mae_test::temporary_folder const folder;
  auto model = model_of(norm_place::pooled);
  auto training = training_of(model);
  training.step();
  mae::save_encoder(folder.file("encoder.safetensors"), model);
  auto const found = mae::read_pretrained(folder.file("encoder.safetensors"));
  mae::headed_encoder_parts<mae::no_mask, backend, mae::classifier> further{
      .heads = {{.classes = 4, .normalises = true}},
      .backend = backend(1),
      .final_norm = norm_place::pooled};
  auto goes_on = mae::open_pretrained_encoder(found, further);
  CHECK(mae_test::bits_of(goes_on.parameters().tensor("fc_norm.weight")) ==
        mae_test::bits_of(model.parameters().tensor("fc_norm.weight")));
  further.final_norm = norm_place::tokens;
  CHECK(refusal_of<mae::config_error>([&] {
          mae::open_pretrained_encoder(found, further);
        }).ends_with("--norm pooled goes on with it (final_norm in a program)"));
}

TEST_CASE("a training with the norm elsewhere does not go on") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  for (auto const place : {norm_place::pooled, norm_place::tokens}) {
    auto model = model_of(place);
    auto training = training_of(model);
    training.step();
    mae::save_training(path, training);
    auto other = model_of(place == norm_place::pooled ? norm_place::tokens : norm_place::pooled);
    auto wrong = training_of(other);
    CHECK(refusal_of<mae::config_error>([&] { mae::load_training(path, wrong); }) ==
          path + (place == norm_place::pooled
                      ? ": final_norm is pooled in the file, but tokens here"
                      : ": final_norm is tokens in the file, but pooled "
                        "here"));
    auto same = model_of(place);
    auto resumed = training_of(same);
    mae::load_training(path, resumed);
    training.run();
    resumed.run();
    CHECK(mae_test::state_of(resumed) == mae_test::state_of(training));
  }
}

TEST_CASE("a norm of what is pooled takes a head that has one") {
  auto const refusal = [](mae::classifier const& head) {
    return refusal_of<mae::config_error>([&] { model_type(parts_of(norm_place::pooled, head)); });
  };
  std::string const sentence =
      "the final norm is to be of what is pooled (classifier): that takes one head alone, which "
      "pools tokens to one and normalises it";
  CHECK(refusal({.classes = 4}) == sentence);
  CHECK(refusal({.classes = 4, .pool = mae::pooling::both, .normalises = true}) == sentence);
  CHECK(refusal({.classes = 4, .normalises = true, .start_deviation = -1}) ==
        "the deviation of a classifier's first weights must be finite and not negative, it is -1");
}
