// Checkpoints whose decoder is by cross-attention.

#include "editable_file.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/interop.hpp>
#include <mae/interop/open_cross.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace {

using backend = mae::eigen_backend<float>;
using cross_model = mae::cross_autoencoder<mae_test::small_config>;
using self_model = mae::autoencoder<mae_test::small_config>;
using parts = mae::autoencoder_parts<mae::uniform_mask<>, backend, mae::normalised_pixels>;

struct saved_models {
  mae_test::temporary_folder folder;
  std::string cross = folder.file("cross.safetensors");
  std::string self = folder.file("self.safetensors");
  cross_model model{{.seed = 3}};

  saved_models() {
    mae::save_model(cross, model);
    mae::save_model(self, self_model({.seed = 4}));
  }
};

std::string kind(std::string const& way) {
  return ": take its encoder alone (encoder.safetensors, pretrained_parts::encoder), or a model "
         "with its decoder (--decoder " +
         way + ")";
}

}  // namespace

TEST_CASE("a cross-attention decoder is read, opened and painted with, and no other takes it") {
  saved_models const saved;
  auto const found = mae::read_pretrained(saved.cross);
  CHECK(found.crosses);
  CHECK(found.has_decoder);
  CHECK(found.sizes == mae_test::small_config);
  CHECK(found.notes.empty());
  auto const opened = mae::open_pretrained_cross(found, parts{});
  auto const size = static_cast<std::size_t>(mae_test::small_config.image.values());
  std::vector<float> image(size);
  for (std::size_t i = 0; i < size; ++i) image[i] = static_cast<float>(i % 7) / 7;
  mae::mask_plan plan(1, 16);
  plan.assign(0, {.visible = 6, .target = 10}, std::vector<float>(16));
  CHECK(opened.reconstruct(image, plan) == saved.model.reconstruct(image, plan));

  CHECK(refusal_of<mae::config_error>([&] { mae::open_pretrained(found, parts{}); }) ==
        saved.cross + ": its decoder is one by cross-attention, and the model's is not" +
            kind("cross, mae::cross_autoencoder"));
  auto const other = mae::read_pretrained(saved.self);
  CHECK_FALSE(other.crosses);
  CHECK(refusal_of<mae::config_error>([&] { mae::open_pretrained_cross(other, parts{}); }) ==
        saved.self + ": its decoder is none by cross-attention, as the model's is" +
            kind("self, mae::autoencoder"));
  self_model model;
  CHECK(refusal_of<mae::config_error>([&] {
          mae::load_pretrained(found, model);
        }).ends_with(kind("cross, mae::cross_autoencoder")));
  mae::load_pretrained(found, model, mae::pretrained_parts::encoder);
  CHECK(mae_test::bits_of(model.parameters().tensor("norm.bias")) ==
        mae_test::bits_of(saved.model.parameters().tensor("norm.bias")));
}

TEST_CASE("it is written for this library and, without its decoder, for timm, but not for ViTMAE") {
  saved_models const saved;
  auto const found = mae::read_pretrained(saved.cross);
  std::string const copy = saved.folder.file("copy.safetensors");
  mae::save_pretrained(copy, found, mae::checkpoint_format::official);
  cross_model loaded({.seed = 9});
  CHECK(mae::load_model(copy, loaded).empty());
  CHECK(mae_test::bits_of(loaded.parameters().values()) ==
        mae_test::bits_of(saved.model.parameters().values()));
  mae::save_pretrained(copy, found, mae::checkpoint_format::timm);
  CHECK_FALSE(mae::read_pretrained(copy).has_decoder);
  CHECK(refusal_of<mae::config_error>([&] {
          mae::save_pretrained(
              saved.folder.file("hub"), found, mae::checkpoint_format::huggingface);
        }).find("ViTMAE's decoder attends to all patches") != std::string::npos);
  CHECK(mae::pretrained_of(saved.model).crosses);
}
