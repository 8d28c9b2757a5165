#include "editable_file.hpp"
#include "model_images.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/backend/eigen/quantised_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/open_pretrained.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/save_pretrained.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/configs.hpp>
#include <mae/model/pooling.hpp>
#include <mae/model/quantised_encoder.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

using mae::checkpoint_format;
using mae::index_t;
using mae::pooling;
using mae_test::odd_config;

std::string const rgb_folder = MAE_TESTS_DIR "/interop/fixtures/rgb";
std::string const layer = "blocks.1.mlp.fc1.weight";

/// The fixture's encoder in int8.
struct int8_file {
  mae_test::temporary_folder folder;
  std::string path = folder.file("int8.safetensors");

  int8_file() {
    mae::save_pretrained(path, mae::read_pretrained(rgb_folder), checkpoint_format::int8);
  }
};

std::vector<float> int8_features(mae::pretrained_model const& model,
                                 std::vector<float> const& pixels) {
  auto const encoder = mae::open_pretrained_encoder(model, mae::quantised_backend(1));
  return encoder.features(pixels, pooling::both);
}

/// What reading the file says, once `change` has had it.
std::string refusal_after(std::function<void(editable_file&)> const& change) {
  int8_file const made;
  editable_file file(made.path);
  change(file);
  std::string const changed = made.folder.file("changed.safetensors");
  file.save(changed);
  auto const said = refusal_of<mae::format_error>([&] { mae::read_pretrained(changed); });
  return said.substr(std::min(said.size(), said.find("tensor ")));
}

/// A tensor's bytes, with a value put at their beginning.
template <class T>
std::vector<std::byte> begun_by(mae::tensor_entry const& tensor, T value) {
  std::vector<std::byte> bytes(tensor.bytes.begin(), tensor.bytes.end());
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

}  // namespace

TEST_CASE("a file in int8 and the float file that it was made of have the same int8 features") {
  int8_file const file;
  auto const original = mae::read_pretrained(rgb_folder);
  auto const stored = mae::read_pretrained(file.path);
  CHECK_FALSE(stored.has_decoder);
  CHECK(std::ranges::count(stored.notes,
                           "int8: the weights of 13 layers, which are integers times a scale for "
                           "each row") == 1);
  auto const pixels = mae_test::random_images(original.sizes, 3, 1);
  auto const features = int8_features(original, pixels);
  CHECK(int8_features(stored, pixels) == features);

  // Its values, which are exact in float, are the same integers whoever writes them.
  mae::save_pretrained(file.folder.file("float"), stored, checkpoint_format::huggingface);
  auto const in_float = mae::read_pretrained(file.folder.file("float"));
  CHECK(std::ranges::equal(in_float.tensor(layer), stored.tensor(layer)));
  CHECK(int8_features(in_float, pixels) == features);
  mae::save_pretrained(file.folder.file("again"), in_float, checkpoint_format::int8);
  editable_file first(file.path);
  editable_file again(file.folder.file("again"));
  for (auto const& tensor : first.tensors)
    CHECK(std::ranges::equal(again.tensor(tensor.name).bytes, tensor.bytes));
}

TEST_CASE("int8 is a scale for each row and integers of it") {
  int8_file const made;
  editable_file file(made.path);
  auto const original = mae::read_pretrained(rgb_folder);
  auto const stored = mae::read_pretrained(made.path);
  for (auto const& tensor : stored.layout.tensors()) {
    auto const exact = original.tensor(tensor.name);
    auto const read = stored.tensor(tensor.name);
    auto const& entry = file.tensor(tensor.name);
    bool const is_layer = tensor.name.ends_with(".weight") && tensor.shape.size() > 1;
    CHECK(entry.type == (is_layer ? mae::dtype::i8 : mae::dtype::f32));
    if (!is_layer) {
      CHECK(std::ranges::equal(exact, read));
      continue;
    }
    auto const scales = floats_of(file.tensor(tensor.name + "_scale"));
    REQUIRE(std::ssize(scales) == tensor.shape.front());
    std::size_t const each = exact.size() / scales.size();
    for (std::size_t i = 0; i < exact.size(); ++i)
      REQUIRE(std::abs(exact[i] - read[i]) <= 0.501F * scales[i / each]);
  }
}

TEST_CASE("an encoder in int8 takes a quarter of the bytes, and load_encoder reads it") {
  constexpr auto config = mae::configs::tiny4;
  mae::autoencoder<config, mae::uniform_mask<>> const model({.seed = 3});
  mae_test::temporary_folder const folder;
  auto const found = mae::pretrained_of(model);
  mae::save_pretrained(folder.file("float"), found, checkpoint_format::timm);
  mae::save_pretrained(folder.file("int8"), found, checkpoint_format::int8);
  auto const bytes = [&](char const* name) {
    return static_cast<double>(fs::file_size(folder.file(name)));
  };
  CHECK(bytes("int8") < 0.27 * bytes("float"));
  auto const pixels = mae_test::random_images(config, 1, 1);
  auto const of_float = mae::load_encoder<config>(folder.file("float"), mae::quantised_backend(1));
  auto const of_int8 = mae::load_encoder<config>(folder.file("int8"), mae::quantised_backend(1));
  CHECK(of_int8.features(pixels, pooling::mean) == of_float.features(pixels, pooling::mean));
}

TEST_CASE("a hostile file in int8 is refused by the tensor's name") {
  std::string const scales = layer + "_scale";
  CHECK(refusal_after([&](editable_file& file) { file.remove(scales); }) ==
        "tensor blocks.1.mlp.fc1.weight_scale is missing: it is to be F32 [64], a scale for each "
        "row of blocks.1.mlp.fc1.weight");
  CHECK(refusal_after([&](editable_file& file) { file.tensor(scales).type = mae::dtype::i32; }) ==
        "tensor blocks.1.mlp.fc1.weight_scale is to be F32 [64], a scale for each row of "
        "blocks.1.mlp.fc1.weight");
  CHECK(refusal_after([&](editable_file& file) {
          file.tensor(scales).shape = {32, 2};
        }) ==
        "tensor blocks.1.mlp.fc1.weight_scale is to be F32 [64], a scale for each row of "
        "blocks.1.mlp.fc1.weight");
  for (auto const& [bad, text] : std::array<std::pair<float, std::string>, 3>{
           {{0.0F, "0"},
            {-0.5F, "-0.5"},
            {std::numeric_limits<float>::denorm_min() * -1, "-1.401298464324817e-45"}}}) {
    std::vector<std::byte> bytes;
    CHECK(refusal_after([&, value = bad](editable_file& file) {
            bytes = begun_by(file.tensor(scales), value);
            file.tensor(scales).bytes = bytes;
          }) == "tensor blocks.1.mlp.fc1.weight_scale holds " + text +
                    ", and a scale is positive and finite");
  }
  std::vector<std::byte> bytes;
  CHECK(refusal_after([&](editable_file& file) {
          bytes = begun_by(file.tensor(layer), std::int8_t{-128});
          file.tensor(layer).bytes = bytes;
        }).ends_with(": int8 weights are of [-127, 127], and finite"));
  CHECK(refusal_after([&](editable_file& file) {
          bytes = begun_by(file.tensor(scales), std::numeric_limits<float>::max());
          file.tensor(scales).bytes = bytes;
        }).ends_with(": int8 weights are of [-127, 127], and finite"));
  CHECK(refusal_after([&](editable_file& file) {
          file.tensor(layer).shape = {16, 64};
        }) == "tensor blocks.1.mlp.fc1.weight is [16, 64] in the file, but [64, 16] in the model");
  CHECK(refusal_after([&](editable_file& file) { file.tensor(layer).type = mae::dtype::u8; }) ==
        "tensor blocks.1.mlp.fc1.weight is U8, not F16, BF16, F32 or F64");
  // Scales beside a tensor in float are nobody's.
  CHECK(refusal_after([&](editable_file& file) {
          auto extra = file.tensor(scales);
          extra.name = "norm.weight_scale";
          file.tensors.push_back(extra);
        }) == "tensor norm.weight_scale [64] is in the file, but not in the model");
}

TEST_CASE("biases and norms in int8 are refused") {
  std::vector<std::byte> const bytes(16);
  CHECK(refusal_after([&](editable_file& file) {
          auto& tensor = file.tensor("norm.weight");
          tensor.type = mae::dtype::i8;
          tensor.bytes = bytes;
        }) == "tensor norm.weight is I8, not F16, BF16, F32 or F64");
}

TEST_CASE("a file in int8 has no other precision beside it") {
  mae_test::temporary_folder const folder;
  CHECK_THROWS_WITH_AS(
      mae::save_pretrained(folder.file("x"),
                           mae::read_pretrained(rgb_folder),
                           checkpoint_format::int8,
                           mae::dtype::bf16),
      "a file in int8 has the rest of its tensors in fp32, and no other precision (--precision)",
      mae::config_error);
  CHECK_FALSE(fs::exists(folder.file("x")));
}
