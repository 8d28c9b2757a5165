#include "editable_file.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/quantised_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/normalise.hpp>
#include <mae/head/classifier.hpp>
#include <mae/interop/load_pretrained.hpp>
#include <mae/interop/onnx.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/resize_images.hpp>
#include <mae/interop/save_pretrained.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/none.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/model/quantised_encoder.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/op/pooling.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

// Checkpoints of models whose tokens are told levels of density: every reader tells them, or says
// that it cannot.

namespace {

using mae::checkpoint_format;
using mae::told_tokens;
using levels_backend = mae::eigen_backend<float>;
using told_model =
    mae::autoencoder<mae_test::small_config, mae::uniform_mask<mae::ratio{3, 4}>, levels_backend>;

mae_test::small_dataset const& shown() {
  static auto const images = mae_test::painted_images(6, 2);
  return images;
}

told_model model_told(told_tokens told) {
  told_model model(
      {.seed = 7, .backend = levels_backend(1), .levels = {.bounds = {-7, -5, -3}, .told = told}});
  model.set_statistics({.mean = {0.5, 0.4, 0.3}, .deviation = {0.3, 0.2, 0.4}});
  for (char const* const name : {mae::visible_levels_name, mae::mask_levels_name})
    if (model.layout().contains(name)) {
      float next = 0.5F;
      for (float& value : model.parameters().tensor(name)) value = next = -0.9F * next - 0.05F;
    }
  return model;
}

/// A whole model's file.
struct told_file {
  mae_test::temporary_folder folder;
  std::string path = folder.file("model.safetensors");
  told_model model;

  explicit told_file(told_tokens told) : model(model_told(told)) { mae::save_model(path, model); }
  mae::pretrained_model read() const { return mae::read_pretrained(path); }
};

std::string why_not(std::function<void()> const& act) {
  try {
    act();
  } catch (mae::error const& error) {
    return error.what();
  }
  return {};
}

bool names_levels(std::string const& text) {
  return text.find("density_token") != std::string::npos;
}

}  // namespace

TEST_CASE("a checkpoint that was read tells its tokens their levels") {
  for (auto const told : {told_tokens::visible, told_tokens::mask, told_tokens::both}) {
    told_file const file(told);
    auto const found = file.read();
    CHECK(found.levels().tells_as(file.model.levels()));
    auto const of_model = mae::encoder_of(file.model).features(shown(), mae::pooling::mean);
    auto const encoder = mae::open_pretrained_encoder(found, levels_backend(1));
    CHECK(encoder.features(shown(), mae::pooling::mean) == of_model);
    auto const resized = mae::resize_images(found, {.height = 8, .width = 16, .channels = 3});
    CHECK(mae::open_pretrained_encoder(resized, levels_backend(1))
              .levels()
              .tells_as(file.model.levels().of_encoder()));

    auto const painter = mae::open_pretrained(
        found,
        mae::autoencoder_parts<mae::no_mask, levels_backend, mae::normalised_pixels>{
            .backend = levels_backend(1)});
    std::vector<float> pixels(static_cast<std::size_t>(mae_test::small_config.image.values()));
    shown().read(0, pixels);
    mae::normalise_pixels(pixels, found.statistics());
    mae::mask_plan plan(1, 16);
    std::vector<float> scores(16, 1.0F);
    for (std::size_t const patch : {0U, 3U, 5U, 9U}) scores[patch] = 0;
    plan.assign(0, {.visible = 4, .target = 12}, scores);
    CHECK(painter.reconstruct(pixels, plan) == file.model.reconstruct(pixels, plan));

    mae::headed_encoder_parts<mae::no_mask, levels_backend, mae::classifier> parts{
        .heads = {mae::classifier{.classes = 3}}, .backend = levels_backend(1)};
    auto const headed = mae::open_pretrained_encoder(found, parts);
    CHECK(mae::encoder_of(headed).features(shown(), mae::pooling::mean) == of_model);
  }
}

TEST_CASE("an int8 file keeps levels, and what cannot tell them is refused") {
  for (auto const told : {told_tokens::visible, told_tokens::mask, told_tokens::both}) {
    CAPTURE(static_cast<int>(told));
    told_file const file(told);
    auto const found = file.read();
    auto const int8 = file.folder.file("int8.safetensors");
    mae::save_pretrained(int8, found, checkpoint_format::int8);
    auto const small =
        mae::open_pretrained_encoder(mae::read_pretrained(int8), mae::quantised_backend(1));
    auto const expected = mae::quantised(mae::encoder_of(file.model), mae::quantised_backend(1));
    CHECK(small.features(shown(), mae::pooling::mean) ==
          expected.features(shown(), mae::pooling::mean));

    bool const is_seen = told != told_tokens::mask;
    auto const to = file.folder.file("other");
    auto const save = [&](checkpoint_format format) {
      return why_not([&] { mae::save_pretrained(to, found, format); });
    };
    CHECK(names_levels(save(checkpoint_format::official)));
    CHECK(names_levels(save(checkpoint_format::huggingface)));
    CHECK(names_levels(save(checkpoint_format::timm)) == is_seen);
    CHECK(names_levels(why_not([&] { mae::save_onnx(to, found); })) == is_seen);
    if (!is_seen) {
      mae::save_pretrained(to, found, checkpoint_format::timm);
      CHECK_FALSE(mae::read_pretrained(to).levels().is_on());
    }
  }
}

TEST_CASE("values go into a model with the same levels, or one that begins to tell some") {
  told_file const file(told_tokens::both);
  auto const found = file.read();
  auto same = model_told(told_tokens::both);
  mae::load_pretrained(found, same);
  told_model plain({.backend = levels_backend(1)});
  CHECK(names_levels(why_not([&] { mae::load_pretrained(found, plain); })));
  CHECK(names_levels(
      why_not([&] { mae::load_pretrained(found, plain, mae::pretrained_parts::encoder); })));
  auto seen = model_told(told_tokens::visible);
  CHECK(names_levels(why_not([&] { mae::load_pretrained(found, seen); })));
  mae::load_pretrained(found, seen, mae::pretrained_parts::encoder);
  CHECK(names_levels(why_not([&] {
    mae::load_pretrained_encoder<mae_test::small_config>(file.path, levels_backend(1));
  })));

  auto const without = file.folder.file("plain.safetensors");
  mae::save_model(without, plain);
  told_model fresh({.seed = 9, .backend = levels_backend(1), .levels = {.bounds = {-5}}});
  mae::load_pretrained(mae::read_pretrained(without), fresh);
  for (float const value : fresh.parameters().tensor(mae::visible_levels_name)) CHECK(value == 0);
}

TEST_CASE("entries of levels that do not fit together are refused") {
  told_file const file(told_tokens::visible);
  auto const change = [&](std::string const& from, std::string const& to) {
    mae_test::temporary_folder const folder;
    auto const path = folder.file("changed.safetensors");
    editable_file changed(file.path);
    CAPTURE(from);
    REQUIRE(changed.metadata.contains(from));
    if (to.empty())
      changed.metadata.erase(from);
    else
      changed.metadata[from] = to;
    changed.save(path);
    return why_not([&] { mae::read_pretrained(path); }) + "|" +
           why_not([&] { mae::load_encoder<mae_test::small_config>(path); });
  };
  for (auto const& [entry, value] :
       std::vector<std::pair<std::string, std::string>>{{"density_token", "3"},
                                                        {"density_token", ""},
                                                        {"density_token_at", "everywhere"},
                                                        {"density_token_measure", ""},
                                                        {"density_token_bounds", "-5 -7 -3"},
                                                        {"density_token_bounds", ""}}) {
    auto const both = change(entry, value);
    CAPTURE(both);
    CHECK(both.find("density_token") < both.find('|'));
    CHECK(both.find("density_token", both.find('|')) != std::string::npos);
  }
}
