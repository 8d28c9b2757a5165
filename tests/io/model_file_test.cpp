#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/model_file.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/network/layout.hpp>
#include <mae/objective/pixels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using shape_list = std::vector<index_t>;

/// Nothing square or even, so that every mistaken order shows.
constexpr mae::model_config config{
    .image = {.height = 4, .width = 9, .channels = 3},
    .patch = {.height = 2, .width = 3},
    .encoder = {.depth = 2, .width = 12, .heads = 3},
    .decoder = {.depth = 1, .width = 8, .heads = 2, .mlp_ratio = {5, 2}},
};

template <class Scalar = float,
          mae::Objective Target = mae::normalised_pixels,
          mae::model_config sizes = config>
using model_of = mae::autoencoder<sizes, mae::uniform_mask<>, mae::eigen_backend<Scalar>, Target>;
using model_type = model_of<>;

/// One third is no finite binary fraction, the others are no finite decimal ones.
mae::pixel_statistics const statistics{
    .mean = {1.0 / 3, -0.1, 5e-324}, .deviation = {0.2, 1e30, 1.0 / 7}, .scale = 1.0 / 255};

/// A model none of whose values another seed's has, biases and norms included.
template <class Model = model_type>
Model make_model(std::uint64_t seed, typename Model::parts parts = {}) {
  parts.seed = seed;
  Model model(std::move(parts));
  mae::random_stream random({.seed = seed, .use = mae::purpose::probe});
  for (auto const& tensor : model.layout().tensors())
    for (auto& value : model.parameters().tensor(tensor.name))
      value = static_cast<typename Model::scalar>(random.normal());
  model.set_statistics(statistics);
  return model;
}

template <class Model>
auto values_of(Model const& model) {
  auto const values = model.parameters().values();
  return std::vector(values.begin(), values.end());
}

/// A folder with the file of a model, and another model to load it into.
struct saved_model {
  mae_test::temporary_folder folder;
  std::string path = folder.file("model.safetensors");
  model_type model = make_model(1);
  model_type other = make_model(2);

  saved_model() { mae::save_model(path, model); }

  /// Loading the file as it is now must throw `Error` and leave the model alone; what it says.
  template <class Error>
  std::string refusal() {
    auto const values = values_of(other);
    other.set_statistics({.mean = {1, 2, 3}, .deviation = {4, 5, 6}});
    auto const before = other.statistics();
    std::string const what = refusal_of<Error>([&] { mae::load_model(path, other); });
    CHECK(values_of(other) == values);
    CHECK(other.statistics() == before);
    return what;
  }
  /// The same, of the sentence alone: every message begins with the file's name.
  template <class Error>
  std::string sentence() {
    std::string const what = refusal<Error>();
    std::string const start = path + ": ";
    if (!what.starts_with(start)) return what;
    return what.substr(start.size());
  }
  template <class Change>
  std::string sentence_after(Change const& change) {
    editable_file file(path);
    change(file);
    file.save(path);
    return sentence<mae::format_error>();
  }
};

}  // namespace

TEST_CASE("a model comes back bit for bit, with its pixel statistics") {
  saved_model saved;
  REQUIRE(values_of(saved.other) != values_of(saved.model));
  saved.other.set_statistics({});
  mae::load_model(saved.path, saved.other);
  CHECK(values_of(saved.other) == values_of(saved.model));
  CHECK(saved.other.statistics() == statistics);

  std::string const again = saved.folder.file("again.safetensors");
  mae::save_model(again, saved.other);
  CHECK(read_text(again) == read_text(saved.path));
}

TEST_CASE("a model without pixel statistics leaves those of the model that loads it") {
  saved_model saved;
  saved.model.set_statistics({});
  mae::save_model(saved.path, saved.model);
  mae::load_model(saved.path, saved.other);
  CHECK(values_of(saved.other) == values_of(saved.model));
  CHECK(saved.other.statistics() == statistics);
}

TEST_CASE("a file has the official code's names and shapes, in the official order of channels") {
  saved_model const saved;
  editable_file file(saved.path);
  std::map<std::string, shape_list> shapes;
  for (auto const& tensor : file.tensors) {
    CHECK(tensor.type == mae::dtype::f32);
    shapes[tensor.name] = tensor.shape;
  }
  std::map<std::string, shape_list> expected{{"cls_token", {1, 1, 12}},
                                             {"pos_embed", {1, 7, 12}},
                                             {"patch_embed.proj.weight", {12, 3, 2, 3}},
                                             {"patch_embed.proj.bias", {12}},
                                             {"norm.weight", {12}},
                                             {"norm.bias", {12}},
                                             {"decoder_embed.weight", {8, 12}},
                                             {"decoder_embed.bias", {8}},
                                             {"mask_token", {1, 1, 8}},
                                             {"decoder_pos_embed", {1, 7, 8}},
                                             {"decoder_norm.weight", {8}},
                                             {"decoder_norm.bias", {8}},
                                             {"decoder_pred.weight", {18, 8}},
                                             {"decoder_pred.bias", {18}}};
  auto const add_block = [&](std::string const& block, index_t width, index_t hidden) {
    for (auto const* norm : {"norm1", "norm2"}) {
      expected[block + norm + ".weight"] = {width};
      expected[block + norm + ".bias"] = {width};
    }
    expected[block + "attn.qkv.weight"] = {3 * width, width};
    expected[block + "attn.qkv.bias"] = {3 * width};
    expected[block + "attn.proj.weight"] = {width, width};
    expected[block + "attn.proj.bias"] = {width};
    expected[block + "mlp.fc1.weight"] = {hidden, width};
    expected[block + "mlp.fc1.bias"] = {hidden};
    expected[block + "mlp.fc2.weight"] = {width, hidden};
    expected[block + "mlp.fc2.bias"] = {width};
  };
  add_block("blocks.0.", 12, 48);
  add_block("blocks.1.", 12, 48);
  add_block("decoder_blocks.0.", 8, 20);
  CHECK(shapes == expected);

  // In memory [D, 2, 3, C]: the value of channel c at (row, column) of output d.
  auto const memory = saved.model.parameters().tensor("patch_embed.proj.weight");
  auto const stored = floats_of(file.tensor("patch_embed.proj.weight"));
  std::size_t at = 0;
  for (std::size_t d = 0; d < 12; ++d)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t pixel = 0; pixel < 6; ++pixel)
        CHECK(stored[at++] == memory[(d * 6 + pixel) * 3 + c]);
}

TEST_CASE("a missing tensor is named, with the shape that the model wants") {
  saved_model saved;
  CHECK(saved.sentence_after([](auto& file) { file.remove("blocks.1.mlp.fc2.weight"); }) ==
        "at byte 8: tensor blocks.1.mlp.fc2.weight is missing; the model has it as [12, 48]");
}

TEST_CASE("an extra tensor is named, with its shape") {
  saved_model saved;
  CHECK(saved.sentence_after([](auto& file) {
    auto extra = file.tensor("blocks.1.norm1.bias");
    extra.name = "blocks.2.norm1.bias";
    file.tensors.push_back(extra);
  }) == "at byte 8: tensor blocks.2.norm1.bias [12] is in the file, but not in the model");
}

TEST_CASE("a tensor of another shape is named, with both shapes, also where the sizes agree") {
  saved_model saved;
  CHECK(saved.sentence_after([](auto& file) {
    file.tensor("patch_embed.proj.weight").shape = {12, 2, 3, 3};
  }) == "at byte 8: tensor patch_embed.proj.weight is [12, 2, 3, 3] in the file, but "
        "[12, 3, 2, 3] in the model");
  saved_model second;
  CHECK(second.sentence_after([](auto& file) {
    auto& tensor = file.tensor("decoder_pred.bias");
    tensor.shape = {17};
    tensor.bytes = tensor.bytes.first(17 * sizeof(float));
  }) == "at byte 8: tensor decoder_pred.bias is [17] in the file, but [18] in the model");
}

TEST_CASE("a tensor that holds no floats is named") {
  for (auto const type : {mae::dtype::i32, mae::dtype::u32}) {
    saved_model saved;
    CHECK(saved.sentence_after([&](auto& file) { file.tensor("mask_token").type = type; }) ==
          "at byte 8: tensor mask_token is " + std::string(mae::dtype_name(type)) +
              ", not F16, BF16, F32 or F64");
  }
  saved_model saved;
  CHECK(saved.sentence_after([](auto& file) {
    auto& tensor = file.tensor("mask_token");
    tensor.type = mae::dtype::i16;
    tensor.bytes = tensor.bytes.first(16);
  }) == "at byte 8: tensor mask_token is I16, not F16, BF16, F32 or F64");
}

TEST_CASE("a damaged file is refused wherever it was damaged") {
  saved_model saved;
  std::string const intact = read_text(saved.path);
  // Of the header, of the hash's digits and of the data.
  std::vector<std::size_t> places{0, 8, intact.find("mae.hash") + 11, intact.size() - 1};
  for (std::size_t at = 20; at < intact.size(); at += 199) places.push_back(at);
  for (std::size_t const at : places) {
    CAPTURE(at);
    std::string damaged = intact;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    write_text(saved.path, damaged);
    CHECK(saved.refusal<mae::format_error>() != "nothing was thrown");
  }
  for (std::size_t const length : {std::size_t{0}, std::size_t{7}, intact.size() - 1}) {
    CAPTURE(length);
    write_text(saved.path, intact.substr(0, length));
    CHECK(saved.refusal<mae::format_error>() != "nothing was thrown");
  }
  write_text(saved.path, intact);
  mae::load_model(saved.path, saved.other);
  CHECK(values_of(saved.other) == values_of(saved.model));
}

TEST_CASE("a missing file is the system's refusal") {
  saved_model saved;
  std::filesystem::remove(saved.path);
  CHECK(saved.sentence<mae::io_error>() == "open: No such file or directory");
}

TEST_CASE("a file of another objective is refused by name") {
  saved_model saved;
  mae::save_model(saved.path, make_model<model_of<float, mae::pixels>>(3));
  CHECK(saved.sentence<mae::config_error>() ==
        "objective is pixels in the file, but normalised here");
  mae::save_model(saved.path, make_model(3, {.objective = {.epsilon = 4e-3}}));
  CHECK(saved.sentence<mae::config_error>() ==
        "target_epsilon is 0.004 in the file, but 1e-06 here");
}

TEST_CASE("a file of other layer norms is refused by name") {
  saved_model saved;
  mae::save_model(saved.path, make_model(3, {.norm_epsilon = 1e-5}));
  CHECK(saved.sentence<mae::config_error>() == "norm_epsilon is 1e-05 in the file, but 1e-06 here");
}

TEST_CASE(
    "a file whose positions have another order is refused by name, and who knows more says it") {
  saved_model saved;
  mae::save_model(
      saved.path,
      saved.model,
      {{"picture_fit", "stretch"}, {"position_order", "no entry of the library's own"}});
  editable_file file(saved.path);
  CHECK(file.metadata.at("picture_fit") == "stretch");
  CHECK(file.metadata.at("position_order") == "column first");
  mae::load_model(saved.path, saved.other);
  file.metadata["position_order"] = "row first";
  file.save(saved.path);
  std::string const why = "position_order is row first in the file, but column first here";
  CHECK(saved.sentence<mae::config_error>() == why);
  CHECK_THROWS_AS(mae::load_encoder<config>(saved.path), mae::config_error);
}

TEST_CASE("a file of another mask or another seed is loaded: the parameters are the same ones") {
  saved_model saved;
  auto const masked = make_model(3, {.mask = mae::uniform_mask<>(0.5)});
  mae::save_model(saved.path, masked);
  mae::load_model(saved.path, saved.other);
  CHECK(values_of(saved.other) == values_of(masked));
}

TEST_CASE("a file of other sizes is refused by the name of the first") {
  saved_model saved;
  auto const refusal = [&]<class Model>(Model const& model) {
    mae::save_model(saved.path, model);
    return saved.sentence<mae::config_error>();
  };
  // As many values in every tensor: the numbers of heads decide no shape.
  constexpr auto heads = [] {
    auto sizes = config;
    sizes.encoder.heads = 4;
    return sizes;
  }();
  CHECK(refusal(make_model<model_of<float, mae::normalised_pixels, heads>>(3)) ==
        "encoder_heads is 4 in the file, but 3 here");
  constexpr auto turned = [] {
    auto sizes = config;
    sizes.patch = {.height = 1, .width = 9};
    return sizes;
  }();
  CHECK(refusal(make_model<model_of<float, mae::normalised_pixels, turned>>(3)) ==
        "patch_height is 1 in the file, but 2 here");
  constexpr auto narrow = [] {
    auto sizes = config;
    sizes.decoder.mlp_ratio = {2, 1};
    return sizes;
  }();
  CHECK(refusal(make_model<model_of<float, mae::normalised_pixels, narrow>>(3)) ==
        "decoder_mlp_ratio is 2/1 in the file, but 5/2 here");
}

TEST_CASE("every size of a file is compared, by name") {
  for (auto const& setting : mae::describe(config)) {
    auto const& name = setting.name;
    auto const& value = setting.value;
    CAPTURE(name);
    saved_model saved;
    editable_file file(saved.path);
    REQUIRE(file.metadata.at(name) == value);
    file.metadata[name] = "7/8";
    file.save(saved.path);
    CHECK(saved.sentence<mae::config_error>() ==
          name + " is 7/8 in the file, but " + value + " here");
  }
}

TEST_CASE("a file that says nothing about itself is loaded by its tensors alone") {
  saved_model saved;
  editable_file file(saved.path);
  file.metadata.clear();
  file.save(saved.path);
  mae::load_model(saved.path, saved.other);
  CHECK(values_of(saved.other) == values_of(saved.model));
  CHECK(saved.other.statistics() == statistics);
}

TEST_CASE("pixel statistics that cannot be used are refused") {
  std::string const unfit = "at byte 8: metadata: the pixel statistics do not fit 3 channels";
  std::string const garbage = "at byte 8: metadata: not a list of numbers: ";
  auto const refusal = [](std::string const& name, std::string const& value) {
    saved_model saved;
    return saved.sentence_after([&](auto& file) { file.metadata[name] = value; });
  };
  for (std::string const text : {"x",
                                 "0.1 0.2 x",
                                 "0.1,0.2,0.3",
                                 "0.1  0.2 0.3",
                                 " 0.1 0.2 0.3",
                                 "0.1 0.2 0.3 ",
                                 "1e999 1 1",
                                 "nan 1 1",
                                 "1 inf 1",
                                 "1 1 -inf"}) {
    CAPTURE(text);
    CHECK(refusal("pixel_mean", text) == garbage + text);
    CHECK(refusal("pixel_deviation", text) == garbage + text);
    CHECK(refusal("pixel_scale", text) == garbage + text);
  }
  auto const is_unfit = [&](std::string const& name, std::string const& value) {
    return refusal(name, value).starts_with(unfit + ": ");
  };
  for (std::string const text : {"", "0.1", "0.1 0.2", "0.1 0.2 0.3 0.4", "1e39 1 1"}) {
    CAPTURE(text);
    CHECK(is_unfit("pixel_mean", text));
    CHECK(is_unfit("pixel_deviation", text));
  }
  for (std::string const text : {"1 0 1", "1 1 -1", "1 1e300 1", "1 1e-300 1"}) {
    CAPTURE(text);
    CHECK(is_unfit("pixel_deviation", text));
  }
  for (std::string const text : {"", "1 1", "0", "-1"}) {
    CAPTURE(text);
    CHECK(is_unfit("pixel_scale", text));
  }
  CHECK(refusal("pixel_mean", "0.1 0.2") ==
        unfit + ": 2 means and 3 deviations for images of 3 channels");
}

TEST_CASE("files of either precision load into models of either") {
  saved_model saved;
  auto wide = make_model<model_of<double>>(3);
  mae::load_model(saved.path, wide);
  auto const narrow_values = values_of(saved.model);
  auto const wide_values = values_of(wide);
  CHECK(std::ranges::equal(narrow_values, wide_values));

  mae::save_model(saved.path, wide);
  CHECK(editable_file(saved.path).tensor("mask_token").type == mae::dtype::f64);
  mae::load_model(saved.path, saved.other);
  CHECK(values_of(saved.other) == narrow_values);
}

TEST_CASE("a save that fails leaves the old file") {
  saved_model saved;
  std::string const before = read_text(saved.path);
  std::string const below_file = saved.path + "/model.safetensors";
  CHECK_THROWS_AS(mae::save_model(below_file, saved.other), mae::io_error);
  CHECK_THROWS_AS(mae::save_model(saved.folder.file("none/model"), saved.other), mae::io_error);
  CHECK(read_text(saved.path) == before);
  CHECK(saved.folder.entries() == 1);
}

TEST_CASE("an encoder loads from its own file and from a whole model's") {
  saved_model saved;
  std::string const encoder_path = saved.folder.file("encoder.safetensors");
  mae::save_encoder(encoder_path, saved.model);
  auto const expected = mae::encoder_of(saved.model);
  for (auto const& path : {encoder_path, saved.path}) {
    CAPTURE(path);
    auto const loaded = mae::load_encoder<config>(path);
    CHECK(values_of(loaded) == values_of(expected));
    CHECK(loaded.statistics() == statistics);
    CHECK(loaded.norm_epsilon() == 1e-6);
  }
  auto const wide = mae::load_encoder<config>(encoder_path, mae::eigen_backend<double>(1));
  CHECK(std::ranges::equal(values_of(wide), values_of(expected)));

  editable_file file(encoder_path);
  CHECK(file.metadata.at("contents") == "encoder");
  CHECK(file.tensors.size() == expected.layout().tensors().size());

  // Whatever the decoder was.
  file.metadata.at("decoder_depth") = "12";
  file.save(encoder_path);
  CHECK(values_of(mae::load_encoder<config>(encoder_path)) == values_of(expected));
  file.metadata.at("encoder_depth") = "12";
  file.save(encoder_path);
  CHECK_THROWS_AS(mae::load_encoder<config>(encoder_path), mae::config_error);
}

TEST_CASE("an encoder takes the epsilon of its layer norms from the file") {
  saved_model saved;
  mae::save_encoder(saved.path, make_model(3, {.norm_epsilon = 1e-5}));
  CHECK(mae::load_encoder<config>(saved.path).norm_epsilon() == 1e-5);

  editable_file file(saved.path);
  for (std::string const text : {"", "x", "0", "-1", "nan", "inf", "1 2"}) {
    CAPTURE(text);
    file.metadata["norm_epsilon"] = text;
    std::string const path = saved.folder.file("garbage.safetensors");
    file.save(path);
    CHECK_THROWS_AS(mae::load_encoder<config>(path), mae::format_error);
  }
  file.metadata.erase("norm_epsilon");
  file.save(saved.path);
  CHECK(mae::load_encoder<config>(saved.path).norm_epsilon() == 1e-6);
}

TEST_CASE("an encoder's file is no model, and the tensor that it lacks is named") {
  saved_model saved;
  mae::save_encoder(saved.path, saved.model);
  CHECK(saved.sentence<mae::format_error>() ==
        "at byte 8: tensor decoder_embed.weight is missing; the model has it as [8, 12]");
}

TEST_CASE("an encoder refuses a file that lacks a tensor or has one too many") {
  saved_model saved;
  auto const refusal = [&](auto const& change) {
    editable_file file(saved.path);
    change(file);
    std::string const path = saved.folder.file("changed.safetensors");
    file.save(path);
    return refusal_of<mae::format_error>([&] { mae::load_encoder<config>(path); });
  };
  CHECK(refusal([](auto& file) {
          file.remove("norm.bias");
        }).ends_with("tensor norm.bias is missing; the model has it as [12]"));
  CHECK(refusal([](auto& file) {
          file.tensor("norm.bias").name = "fc_norm.bias";
        }).ends_with("tensor fc_norm.bias [12] is in the file, but not in the model"));
}
