// Checkpoints whose folders say how pictures become their input: features are those of the
// libraries that made them (make_described_fixtures.py), and what nobody says is assumed aloud.

#include "editable_file.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using arguments = std::vector<std::string>;
std::string const fixtures = MAE_TESTS_DIR "/tools/fixtures/";

program_result run_tool(std::string const& tool, arguments given) {
  given.insert(given.begin(), std::string(TOOLS) + "/" + tool);
  return run_program(given);
}

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

/// One line on stderr after what is assumed, and an exit status.
void check_refused(program_result const& result, int exit_code, std::string const& why) {
  CHECK(result.exit_code == exit_code);
  CHECK(holds(result.err, why));
}

std::vector<float> expected(std::string const& file, std::string const& name) {
  auto const tensors = mae::safetensors_file::load(fixtures + file + ".expected.safetensors");
  auto const* const tensor = tensors.find(name);
  REQUIRE(tensor != nullptr);
  return floats_of(*tensor);
}

struct features {
  std::vector<float> values;
  std::string notes;
};
features features_of(std::string const& model, std::string const& pictures, arguments more = {}) {
  mae_test::temporary_folder const scratch;
  std::string const out = scratch.file("features.safetensors");
  more.insert(more.end(),
              {"--model", model, "--data", fixtures + pictures, "--part", "train", "--out", out});
  auto const result = run_tool("mae_features", more);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  auto const file = mae::safetensors_file::load(out);
  REQUIRE(file.find("features") != nullptr);
  return {floats_of(*file.find("features")), result.err};
}

/// The largest difference, of the largest value.
double difference(std::vector<float> const& one, std::vector<float> const& other) {
  REQUIRE(one.size() == other.size());
  double largest = 0;
  double most = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(other[i])));
    most = std::max(most, static_cast<double>(std::abs(one[i] - other[i])));
  }
  return most / largest;
}

constexpr double same = 1e-5;
constexpr double two_resamplers = 0.02;

/// A copy of a model of the fixtures, to be changed.
struct model_copy {
  mae_test::temporary_folder folder;
  std::string path = folder.file("model");

  explicit model_copy(std::string const& name) { fs::copy(fixtures + name, path); }

  std::string file(std::string const& name) const { return path + "/" + name; }
  void preprocess_by(std::string const& name) const {
    write_text(file("preprocessor_config.json"), read_text(file(name + ".json")));
  }
  void replace(std::string const& name, std::string const& from, std::string const& to) const {
    std::string text = read_text(file(name));
    auto const at = text.find(from);
    REQUIRE(at != std::string::npos);
    write_text(file(name), text.replace(at, from.size(), to));
  }
};

}  // namespace

TEST_CASE("timm's folder says heads, sides, statistics and how pictures are cut") {
  auto const exact = features_of(fixtures + "timm", "timm_pictures");
  CHECK(difference(exact.values, expected("timm", "exact")) < same);
  CHECK(holds(exact.notes, "assumed: pictures of 16x32 are taken as they are"));
  CHECK(difference(features_of(fixtures + "timm", "timm_pictures", {"--fit", "crop"}).values,
                   expected("timm", "exact.cut")) < two_resamplers);
  CHECK(difference(features_of(fixtures + "timm", "timm_photographs").values,
                   expected("timm", "photographs")) < two_resamplers);
}

TEST_CASE("a bare file's heads and sides are assumed aloud, and flags say them") {
  mae_test::temporary_folder const scratch;
  std::string const bare = scratch.file("bare.safetensors");
  fs::copy(fixtures + "timm/model.safetensors", bare);
  auto const silent = run_tool("mae_features", {"--model", bare, "--data", fixtures + "squares"});
  check_refused(silent, 1, "its 8 positions form no square: --image-size HxW says");

  arguments const sides{"--image-size", "16x32"};
  auto const assumed = features_of(bare, "timm_pictures", sides);
  CHECK(holds(assumed.notes, "assumed: heads 3, as micro8 has; --heads says otherwise\n"));
  CHECK(holds(assumed.notes, "assumed: ImageNet's mean and deviation"));
  CHECK(difference(assumed.values, expected("timm", "exact.imagenet")) > 0.05);

  arguments const known{"--image-size", "16x32", "--heads", "12", "--patch-size", "8"};
  auto const said = features_of(bare, "timm_pictures", known);
  CHECK(difference(said.values, expected("timm", "exact.imagenet")) < same);
  CHECK_FALSE(holds(said.notes, "heads"));
  auto half = known;
  half.insert(half.end(), {"--statistics", "half"});
  auto const all = features_of(bare, "timm_pictures", half);
  CHECK(difference(all.values, expected("timm", "exact")) < same);
  CHECK_FALSE(holds(all.notes, "mean"));

  // The advice in a message works: what was said is in a file from then on.
  std::string const converted = scratch.file("converted.safetensors");
  half.insert(half.end(), {"--model", bare, "--out", converted});
  CHECK(run_tool("mae_convert", half).exit_code == 0);
  auto const again = features_of(converted, "timm_pictures");
  CHECK(again.values == all.values);
  CHECK_FALSE(holds(again.notes, "heads"));
}

TEST_CASE("pictures become a model's input as preprocessor_config.json says") {
  for (std::string const name :
       {"bytes", "stretch", "bicubic", "silent", "plain", "other_factor", "edge", "both_sides"}) {
    CAPTURE(name);
    model_copy const model("vit_mae");
    model.preprocess_by(name);
    bool const resamples = name == "edge" || name == "both_sides";
    auto const squares = features_of(model.path, "squares");
    CHECK_FALSE(holds(squares.notes, "assumed"));
    CHECK(difference(squares.values, expected("vit_mae", name + ".squares")) <
          (resamples ? two_resamplers : same));
    CHECK(difference(features_of(model.path, "shapes").values,
                     expected("vit_mae", name + ".shapes")) < two_resamplers);

    // And back again, through a file of ours: what the folder says is there as it was.
    std::string const official = model.folder.file("official.safetensors");
    std::string const hub = model.folder.file("hub");
    CHECK(run_tool("mae_convert", {"--model", model.path, "--out", official}).exit_code == 0);
    CHECK(features_of(official, "shapes").values == features_of(model.path, "shapes").values);
    CHECK(run_tool("mae_convert", {"--model", official, "--out", hub, "--to", "huggingface"})
              .exit_code == 0);
    CHECK(read_text(hub + "/preprocessor_config.json") ==
          read_text(model.file("preprocessor_config.json")));
  }
}

TEST_CASE("flags say of pictures what no file says, and contradict none") {
  model_copy const model("vit_mae");
  auto const squares = expected("vit_mae", "bytes.squares");
  write_text(model.file("own.json"),
             R"({"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]})");
  auto const said = features_of(
      model.path, "squares", {"--statistics", model.file("own.json"), "--rescale", "none"});
  CHECK(difference(said.values, squares) < same);
  auto const stretched = features_of(
      model.path,
      "shapes",
      {"--statistics", "half", "--rescale", "1/255", "--fit", "stretch", "--resample", "bilinear"});
  CHECK(difference(stretched.values, expected("vit_mae", "stretch.shapes")) < two_resamplers);
  CHECK_FALSE(holds(stretched.notes, "assumed"));
  auto const assumed = features_of(model.path, "shapes");
  CHECK(holds(assumed.notes, "assumed: of pictures the middle is taken; --fit says otherwise\n"));
  CHECK(holds(assumed.notes, "bicubic filter; --resample says otherwise\n"));

  // What is assumed of a file gives way to a flag.
  auto const by = [&](std::string const& text, arguments const& flags) {
    write_text(model.file("preprocessor_config.json"), text);
    return features_of(model.path, "shapes", flags);
  };
  std::string const open = R"({"resample": 2, "image_mean": null, "image_std": null})";
  auto const by_default = by(open, {});
  CHECK(holds(by_default.notes, "has no size; --fit says otherwise\n"));
  CHECK(holds(by_default.notes, "(5.24 refuses them); --statistics says otherwise\n"));
  CHECK(by_default.values == stretched.values);
  auto const by_flags = by(open, {"--fit", "crop", "--statistics", "imagenet"});
  CHECK_FALSE(holds(by_flags.notes, "assumed"));
  std::string const edge = R"({"resample": 2, "image_mean": [0.485, 0.456, 0.406],
      "image_std": [0.229, 0.224, 0.225], "size": {"shortest_edge": 32}})";
  auto const by_edge = by(edge, {});
  CHECK(holds(by_edge.notes, "has no do_center_crop; --fit says otherwise\n"));
  CHECK(difference(by_edge.values, by_flags.values) < two_resamplers);
  CHECK(by(edge, {"--fit", "crop"}).values == by_edge.values);
  auto const by_stretch = by(edge, {"--fit", "stretch"});
  CHECK_FALSE(holds(by_stretch.notes, "assumed"));
  CHECK(by_stretch.values == by(open, {"--statistics", "imagenet"}).values);

  model.preprocess_by("stretch");
  auto const contradiction = [&](arguments flags, std::string const& why) {
    flags.insert(flags.end(), {"--model", model.path, "--data", fixtures + "squares"});
    auto const result = run_tool("mae_features", flags);
    check_refused(result, 1, why);
    CHECK(holds(result.err, model.path));
  };
  contradiction({"--fit", "crop"}, "--fit crop contradicts its files, which say stretch");
  contradiction({"--resample", "bicubic"}, "--resample bicubic contradicts");
  contradiction({"--rescale", "none"}, "--rescale none contradicts");
  contradiction({"--statistics", "imagenet"}, "--statistics imagenet contradicts");
  contradiction({"--heads", "4"}, "encoder_heads is 3 in config.json, but 4 in --heads");
  contradiction({"--image-size", "64"},
                "image_height is 32 in config.json, but 64 in --image-size");
  contradiction({"--patch-size", "16"}, "patch_height is 8 in");
  features_of(
      model.path,
      "squares",
      {"--fit", "stretch", "--resample", "bilinear", "--statistics", "half", "--heads", "3"});
  for (auto const& [flag, value] : std::vector<std::pair<std::string, std::string>>{
           {"--heads", "0"}, {"--image-size", "32x"}, {"--rescale", "0"}, {"--fit", "border"}})
    check_refused(run_tool("mae_features", {flag, value}), 2, flag + ": must be");
}

TEST_CASE("what other ways of preparing pictures a file asks for is refused by name") {
  model_copy const timm("timm");
  auto const refusal = [&](std::string const& from, std::string const& to) {
    model_copy const changed("timm");
    changed.replace("config.json", from, to);
    auto const result =
        run_tool("mae_features", {"--model", changed.path, "--data", fixtures + "timm_pictures"});
    CHECK(result.exit_code == 1);
    return result.err;
  };
  CHECK(
      holds(refusal("\"crop_mode\": \"center\"", "\"crop_mode\": \"border\""), "crop_mode border"));
  CHECK(holds(refusal("\"bicubic\"", "\"lanczos\""), "filter lanczos"));
  CHECK(holds(refusal("\"crop_pct\": 0.9", "\"crop_pct\": 0"), "crop_pct is 0, not in (0, 1]"));
}

TEST_CASE("a model is converted for images of another height and width") {
  model_copy const model("vit_mae");
  std::string const out = model.folder.file("larger.safetensors");
  CHECK(run_tool("mae_convert", {"--model", model.path, "--image-size", "40x24", "--out", out})
            .exit_code == 0);
  auto const described = run_tool("mae_convert", {"--model", out, "--describe"});
  CHECK(holds(described.out, "image_height        40"));
  CHECK(holds(described.out, "image_width         24"));
  model.preprocess_by("edge");
  CHECK(run_tool("mae_convert", {"--model", model.path, "--image-size", "64", "--out", out})
            .exit_code == 0);
  CHECK(holds(run_tool("mae_convert", {"--model", out, "--describe"}).out,
              "picture_shortest_edge 80"));
}

TEST_CASE("the driver names the tool that says what a checkpoint does not") {
  mae_test::temporary_folder const scratch;
  std::string const bare = scratch.file("bare.safetensors");
  fs::copy(fixtures + "timm/model.safetensors", bare);
  check_refused(run_program({DRIVER,
                             "--data",
                             "synthetic",
                             "--config",
                             "micro8",
                             "--steps",
                             "1",
                             "--init",
                             bare,
                             "--out",
                             scratch.file("run")}),
                1,
                "its 8 positions form no square: mae_convert's --image-size HxW says");
}
