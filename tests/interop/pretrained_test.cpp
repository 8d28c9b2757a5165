// Checkpoints of others, read, written, and refused.

#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/float16.hpp>
#include <mae/core/types.hpp>
#include <mae/interop.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using mae::checkpoint_format;

std::string const rgb_folder = MAE_TESTS_DIR "/interop/fixtures/rgb";

constexpr mae::model_config rgb{
    .image = {.height = 12, .width = 12, .channels = 3},
    .patch = {.height = 3, .width = 3},
    .encoder = {.depth = 3, .width = 16, .heads = 2},
    .decoder = {.depth = 1, .width = 8, .heads = 2},
};
using rgb_model = mae::autoencoder<rgb>;
mae::pixel_statistics const statistics{
    .mean = {0.5, 0.25, 0.125}, .deviation = {0.25, 0.5, 1}, .scale = 1.0 / 255};

template <class Model>
std::vector<float> values_of(Model const& model) {
  auto const values = model.parameters().values();
  return {values.begin(), values.end()};
}
std::vector<float> values_of(mae::pretrained_model const& model) {
  return {model.values.span().begin(), model.values.span().end()};
}

/// A copy of the fixture that may be damaged.
struct damaged_copy {
  mae_test::temporary_folder folder;
  std::string path = folder.file("rgb");

  damaged_copy() { fs::copy(rgb_folder, path); }

  std::string file(std::string const& name) const { return path + "/" + name; }
  std::string index() const { return file("model.safetensors.index.json"); }
  void replace(std::string const& name, std::string const& from, std::string const& to) const {
    std::string text = read_text(file(name));
    auto const at = text.find(from);
    REQUIRE(at != std::string::npos);
    write_text(file(name), text.replace(at, from.size(), to));
  }
  /// What reading it says, which names the place.
  template <class Error = mae::format_error>
  std::string refusal() const {
    rgb_model model({.seed = 1});
    auto const before = values_of(model);
    std::string const what = refusal_of<Error>([&] { mae::load_pretrained(path, model); });
    CHECK(values_of(model) == before);
    CHECK(model.sizes().norm_epsilon == 1e-6);
    CHECK(what.starts_with(path));
    return what;
  }
};

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a checkpoint goes round through every format bit by bit") {
  mae_test::temporary_folder const folder;
  auto const original = mae::read_pretrained(rgb_folder);

  mae::save_pretrained(folder.file("official"), original, checkpoint_format::official);
  auto const official = mae::read_pretrained(folder.file("official"));
  CHECK(official.names.is_official());
  CHECK(values_of(official) == values_of(original));
  CHECK(official.description == original.description);

  mae::save_pretrained(folder.file("hub"), official, checkpoint_format::huggingface);
  auto const hub = mae::read_pretrained(folder.file("hub"));
  CHECK(hub.names.words == mae::block_words::hub);
  CHECK(values_of(hub) == values_of(original));
  CHECK(hub.description == original.description);
  CHECK(fs::exists(folder.file("hub/config.json")));

  mae::save_pretrained(folder.file("timm"), hub, checkpoint_format::timm);
  auto const timm = mae::read_pretrained(folder.file("timm"));
  CHECK_FALSE(timm.has_decoder);
  CHECK(timm.layout.tensors().size() < hub.layout.tensors().size());
  for (auto const& tensor : timm.layout.tensors())
    CHECK(std::ranges::equal(timm.tensor(tensor.name), original.tensor(tensor.name)));
}

TEST_CASE("half precision is rounded once") {
  mae_test::temporary_folder const folder;
  auto const original = mae::read_pretrained(rgb_folder);
  mae::save_pretrained(folder.file("f16"), original, checkpoint_format::official, mae::dtype::f16);
  mae::save_pretrained(
      folder.file("bf16"), original, checkpoint_format::huggingface, mae::dtype::bf16);
  auto const half = values_of(mae::read_pretrained(folder.file("f16")));
  auto const brain = values_of(mae::read_pretrained(folder.file("bf16")));
  auto const exact = values_of(original);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    REQUIRE(half[i] == static_cast<float>(mae::float16(exact[i])));
    REQUIRE(brain[i] == static_cast<float>(mae::bfloat16(exact[i])));
  }
  CHECK(fs::file_size(folder.file("f16")) <
        fs::file_size(folder.file("bf16/model.safetensors")) + 2'000);
}

TEST_CASE("a model of this library is read back from Hugging Face's files") {
  mae_test::temporary_folder const folder;
  rgb_model model({.seed = 5, .norm_epsilon = 1e-5});
  model.set_statistics(statistics);
  mae::save_pretrained(
      folder.file("hub"), mae::pretrained_of(model), checkpoint_format::huggingface);
  CHECK(holds(read_text(folder.file("hub/preprocessor_config.json")),
              "\"image_mean\": [0.5, 0.25, 0.125]"));
  // What no file of Hugging Face's says is lost: read it as one.
  rgb_model other({.seed = 6});
  mae::load_pretrained(folder.file("hub"), other);
  CHECK(values_of(other) == values_of(model));
  CHECK(other.statistics() == statistics);
  CHECK(other.sizes().norm_epsilon == 1e-5);
}

TEST_CASE("a value of a model in double that no float holds is not written") {
  mae::autoencoder<rgb, mae::uniform_mask<mae::ratio{3, 4}>, mae::eigen_backend<double>> model(
      {.backend = mae::eigen_backend<double>(1)});
  auto const present = model.parameters().values();
  std::vector<double> values(present.begin(), present.end());
  auto const at = static_cast<std::size_t>(model.layout().find("blocks.1.mlp.fc1.bias").offset);
  values[at + 2] = 3e38;
  model.set_parameters(values);
  CHECK(mae::pretrained_of(model).tensor("blocks.1.mlp.fc1.bias")[2] == 3e38F);
  for (double const value : {1e39, -1e300}) {
    values[at + 2] = value;
    model.set_parameters(values);
    std::string const what =
        refusal_of<mae::config_error>([&] { static_cast<void>(mae::pretrained_of(model)); });
    CHECK(what.starts_with("tensor blocks.1.mlp.fc1.bias holds "));
    CHECK(what.ends_with(", more than a float can"));
  }
}

TEST_CASE("a path with a NUL is refused, not cut") {
  mae_test::temporary_folder const folder;
  auto const model = mae::read_pretrained(rgb_folder);
  std::string const path = folder.file("cut") + std::string("\0 behind", 8);
  for (auto const format :
       {checkpoint_format::official, checkpoint_format::timm, checkpoint_format::huggingface})
    CHECK_THROWS_AS(mae::save_pretrained(path, model, format), mae::io_error);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("files of this library are checkpoints as any other") {
  mae_test::temporary_folder const folder;
  rgb_model model({.seed = 5});
  model.set_statistics(statistics);
  mae::save_model(folder.file("model"), model);
  mae::save_encoder(folder.file("encoder"), model);
  rgb_model other({.seed = 6});
  mae::load_pretrained(folder.file("model"), other);
  CHECK(values_of(other) == values_of(model));

  std::string const what =
      refusal_of<mae::config_error>([&] { mae::load_pretrained(folder.file("encoder"), other); });
  CHECK(holds(what, "an encoder without a decoder, which gives features, but paints nothing"));
  rgb_model third({.seed = 7});
  mae::load_pretrained(folder.file("encoder"), third, mae::pretrained_parts::encoder);
  CHECK(values_of(mae::encoder_of(third)) == values_of(mae::encoder_of(model)));
  CHECK(values_of(third) != values_of(model));  // the decoder begins anew
}

TEST_CASE("what was added to a patch's variance is the file's, or the official code's") {
  mae_test::temporary_folder const folder;
  mae::autoencoder<mae::configs::micro8> const model(
      {.seed = 1, .objective = mae::normalised_pixels{4e-3}});
  std::string const path = folder.file("loose");
  mae::save_model(path, model);
  CHECK(mae::read_pretrained(path).target_epsilon() == 4e-3);
  editable_file file(path);
  for (char const* const text : {"0", "-1", "1 2", "much"}) {
    file.metadata["target_epsilon"] = text;
    file.save(path);
    CHECK_THROWS_AS(mae::read_pretrained(path).target_epsilon(), mae::format_error);
  }
  file.metadata.erase("target_epsilon");
  file.save(path);
  CHECK(mae::read_pretrained(path).target_epsilon() == 1e-6);
}

TEST_CASE("a file that says nothing of itself is known by its shapes, heads by the presets") {
  mae_test::temporary_folder const folder;
  mae::autoencoder<mae::configs::micro8> const model({.seed = 1});
  std::string const path = folder.file("official");
  mae::save_model(path, model);
  editable_file file(path);
  file.metadata.clear();
  file.save(path);
  auto const found = mae::read_pretrained(path);
  CHECK(found.sizes == mae::configs::micro8);
  CHECK_FALSE(found.norm_pix().has_value());
  CHECK(found.norm_epsilon() == 1e-6);

  // Sizes that are nobody's: loads into a model, which knows, but makes no config.json.
  rgb_model const own({.seed = 1});
  mae::save_model(path, own);
  editable_file unknown(path);
  unknown.metadata.clear();
  unknown.save(path);
  auto const nobody = mae::read_pretrained(path);
  CHECK(nobody.sizes.encoder.heads == 0);
  rgb_model other({.seed = 2});
  mae::load_pretrained(path, other);
  CHECK(values_of(other) == values_of(own));
  CHECK(holds(refusal_of<mae::config_error>([&] {
                mae::save_pretrained(folder.file("hub"), nobody, checkpoint_format::huggingface);
              }),
              "how many heads"));
  CHECK_FALSE(fs::exists(folder.file("hub")));
}

TEST_CASE("an encoder's file that says nothing of itself is read, and again after converting") {
  mae_test::temporary_folder const folder;
  mae::autoencoder<mae::configs::micro8> const model({.seed = 1});
  rgb_model const own({.seed = 1});
  std::string const path = folder.file("encoder");
  auto const silent = [&](auto const& from) {
    mae::save_encoder(path, from);
    editable_file file(path);
    file.metadata.clear();
    file.save(path);
    mae::save_pretrained(folder.file("again"), mae::read_pretrained(path), checkpoint_format::timm);
    return mae::read_pretrained(folder.file("again"));
  };
  auto const known = silent(model);
  CHECK_FALSE(known.has_decoder);
  CHECK(known.sizes.encoder == mae::configs::micro8.encoder);
  CHECK_FALSE(known.entry("decoder_depth").has_value());
  CHECK(values_of(mae::open_pretrained_encoder(known, mae::eigen_backend<float>(1))) ==
        values_of(mae::encoder_of(model)));
  CHECK(silent(own).sizes.encoder.heads == 0);
  CHECK(holds(refusal_of<mae::config_error>(
                  [&] { mae::open_pretrained_encoder(silent(own), mae::eigen_backend<float>(1)); }),
              "does not say how many heads"));
}

TEST_CASE("positions that form no square need words") {
  mae_test::temporary_folder const folder;
  constexpr mae::model_config oblong{
      .image = {8, 12, 3}, .patch = {4, 4}, .encoder = {1, 8, 2}, .decoder = {1, 8, 2}};
  mae::autoencoder<oblong> const model({.seed = 1});
  std::string const path = folder.file("oblong");
  mae::save_model(path, model);
  CHECK(mae::read_pretrained(path).sizes == oblong);
  CHECK(holds(refusal_of<mae::config_error>([&] {
                mae::save_pretrained(
                    folder.file("hub"), mae::read_pretrained(path), checkpoint_format::huggingface);
              }),
              "square images and patches alone, not 8x12x3 in patches of 4x4"));
  editable_file file(path);
  file.metadata.clear();
  file.save(path);
  CHECK(holds(refusal_of<mae::format_error>([&] { mae::read_pretrained(path); }),
              "its 6 positions form no square"));
}

TEST_CASE("another model, image or objective is refused by name") {
  constexpr mae::model_config deeper{
      .image = rgb.image, .patch = rgb.patch, .encoder = {4, 16, 2}, .decoder = rgb.decoder};
  constexpr mae::model_config grey{
      .image = {12, 12, 1}, .patch = rgb.patch, .encoder = rgb.encoder, .decoder = rgb.decoder};
  mae::autoencoder<deeper> other({.seed = 1});
  CHECK(holds(refusal_of<mae::config_error>([&] { mae::load_pretrained(rgb_folder, other); }),
              "encoder_depth is 3 in the file, but 4 here"));
  CHECK(
      holds(refusal_of<mae::config_error>([&] { mae::load_pretrained_encoder<grey>(rgb_folder); }),
            "image_channels is 3 in the file, but 1 here"));
  using pixels_model =
      mae::autoencoder<rgb, mae::uniform_mask<>, mae::eigen_backend<float>, mae::pixels>;
  pixels_model pixels({.seed = 1});
  CHECK(holds(refusal_of<mae::config_error>([&] { mae::load_pretrained(rgb_folder, pixels); }),
              "objective is normalised in the file, but pixels here"));
}

TEST_CASE("a missing, extra or wrong tensor is named with both shapes") {
  std::string const shard = "model-00001-of-00002.safetensors";
  damaged_copy const copy;
  editable_file file(copy.file(shard));
  std::string const name = file.tensors.front().name;
  SUBCASE("missing") {
    file.remove(name);
    file.save(copy.file(shard));
    CHECK(holds(copy.refusal(), "tensor " + name + " is not in"));
  }
  SUBCASE("extra") {
    auto extra = file.tensors.front();
    extra.name = "decoder.another";
    file.tensors.push_back(extra);
    file.save(copy.file(shard));
    CHECK(holds(copy.refusal(), "tensor decoder.another is not listed for it"));
  }
  SUBCASE("wrong") {
    file.tensors.front().shape.insert(file.tensors.front().shape.begin(), 1);
    file.save(copy.file(shard));
    std::string const what = copy.refusal();
    CHECK(holds(what, "tensor " + name + " is [1, "));
    CHECK(holds(what, " in the model"));
  }
}

TEST_CASE("a hostile index is refused") {
  damaged_copy const copy;
  std::string const index = "model.safetensors.index.json";
  std::string const shard = "model-00001-of-00002.safetensors";
  SUBCASE("a path") {
    copy.replace(index, shard, "../" + shard);
    CHECK(holds(copy.refusal(), "a shard must be a file in the index's folder"));
  }
  SUBCASE("the folder above") {
    copy.replace(index, shard, "..");
    CHECK(holds(copy.refusal(), "a shard must be a file in the index's folder"));
  }
  SUBCASE("an absent shard") {
    copy.replace(index, shard, "absent.safetensors");
    CHECK(holds(copy.refusal<mae::io_error>(), "absent.safetensors"));
  }
  SUBCASE("the other shard") {
    copy.replace(index, shard, "model-00002-of-00002.safetensors");
    CHECK(holds(copy.refusal(), "is not listed for it"));
  }
  SUBCASE("a tensor twice") {
    copy.replace(index, "\"weight_map\": {", R"("weight_map": {"a": "b", "a": "b",)");
    CHECK(holds(copy.refusal(), "names a tensor twice"));
  }
  SUBCASE("no map") {
    copy.replace(index, "weight_map", "weights");
    CHECK(holds(copy.refusal(), "no weight_map"));
  }
  SUBCASE("an empty map") {
    write_text(copy.index(), R"({"weight_map": {}})");
    CHECK(holds(copy.refusal(), "names no tensor"));
  }
  SUBCASE("two maps") {
    write_text(copy.index(), R"({"weight_map": {}, "weight_map": {}})");
    CHECK(holds(copy.refusal(), "twice"));
  }
  SUBCASE("no JSON") {
    for (std::string const text : {"",
                                   "[]",
                                   "{",
                                   R"({"weight_map": 1})",
                                   R"({"x": [1, 2)",
                                   R"({"x": }, "weight_map": {}})",
                                   R"({"weight_map": {}} x)",
                                   R"({"weight_map": {"a": 1}})",
                                   R"({"x": [}]})"}) {
      CAPTURE(text);
      write_text(copy.index(), text);
      CHECK(holds(copy.refusal(), "at byte"));
    }
  }
  SUBCASE("a million brackets") {
    write_text(copy.index(), R"({"x": )" + std::string(1'000'000, '['));
    CHECK(holds(copy.refusal(), "ends in the middle"));
  }
}

TEST_CASE("a config.json that is impossible, or of another model, is refused") {
  damaged_copy const copy;
  auto const refusal_with = [&](std::string const& from, std::string const& to) {
    copy.replace("config.json", from, to);
    return copy.refusal();
  };
  SUBCASE("another model") {
    CHECK(holds(refusal_with("vit_mae", "vit_msn"), "model_type is vit_msn, not vit_mae"));
  }
  SUBCASE("another activation") {
    CHECK(holds(refusal_with("\"gelu\"", "\"quick_gelu\""), "hidden_act is quick_gelu"));
  }
  SUBCASE("no biases") {
    CHECK(holds(refusal_with("\"qkv_bias\": true", "\"qkv_bias\": false"), "without biases"));
  }
  SUBCASE("sizes") {
    std::string const width = "\"hidden_size\": 16";
    for (std::string const value :
         {"0", "-16", "16.5", "1e3", "18446744073709551616", "2147483647", "\"16\"", "null"}) {
      CAPTURE(value);
      damaged_copy const another;
      another.replace("config.json", ",\n  \"hidden_size\": 16", ",\n  \"hidden_size\": " + value);
      another.refusal();
    }
  }
  SUBCASE("far more than the file holds") {
    damaged_copy const another;
    another.replace("config.json", ",\n  \"hidden_size\": 16", ",\n  \"hidden_size\": 65536");
    CHECK(holds(another.refusal(), "in the file, but [1, 1, 65536] in the model"));
  }
  SUBCASE("another patch") {
    CHECK(
        holds(refusal_with("\"patch_size\": 3", "\"patch_size\": [3, 3, 3]"), "height and width"));
  }
  SUBCASE("a patch that does not fit") {
    CHECK(holds(refusal_with("\"patch_size\": 3", "\"patch_size\": 5"),
                "images of 12x12x3 in patches of 5x5"));
  }
}

TEST_CASE("a pickle is refused with what to do") {
  mae_test::temporary_folder const folder;
  for (auto const& start : {std::string("PK\3\4"), std::string("\x80\2")}) {
    std::string const path = folder.file("mae_pretrain_vit_base.pth");
    write_text(path, start + std::string(100, 'x'));
    CHECK(holds(refusal_of<mae::format_error>([&] { mae::read_pretrained(path); }),
                "this is a pickle of PyTorch"));
  }
}

TEST_CASE("what is no checkpoint is named") {
  mae_test::temporary_folder const folder;
  CHECK(holds(refusal_of<mae::io_error>([&] { mae::read_pretrained(folder.file("absent")); }),
              "absent"));
  CHECK(holds(refusal_of<mae::io_error>([&] { mae::read_pretrained(folder.path()); }),
              "model.safetensors"));
  CHECK(holds(refusal_of<mae::format_error>([&] {
                mae::read_pretrained(MAE_TESTS_DIR "/interop/fixtures/positions.safetensors");
              }),
              "neither the official code's names"));
}
