// The tools as their users run them.

#include "editable_file.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "training_words.hpp"

#include <mae/core/types.hpp>
#include <mae/core/version.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
std::string const fixtures = MAE_TESTS_DIR "/interop/fixtures/";
std::string const pictures = MAE_TESTS_DIR "/images/fixtures/";

program_result run_tool(std::string const& tool, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), std::string(TOOLS) + "/" + tool);
  return run_program(arguments);
}

/// Runs a tool that must succeed; what it says.
std::string output_of(std::string const& tool, std::vector<std::string> const& arguments) {
  auto const result = run_tool(tool, arguments);
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  return result.out;
}

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

/// One line on stderr beside those of what was assumed, and an exit status.
void check_refused(program_result const& result, int exit_code, std::string const& why) {
  CHECK(result.exit_code == exit_code);
  std::istringstream lines(result.err);
  int refusals = 0;
  for (std::string line; std::getline(lines, line);)
    refusals += line.starts_with("assumed: ") ? 0 : 1;
  CHECK(refusals == 1);
  CHECK(holds(result.err, why));
}

/// A small model, trained for two steps.
struct trained_model {
  mae_test::temporary_folder folder;
  std::string path = folder.file("run/model.safetensors");
  std::string encoder = folder.file("run/encoder.safetensors");

  trained_model() {
    auto const result =
        run_program(training_words("synthetic",
                                   "micro8",
                                   2,
                                   folder.file("run"),
                                   {"--batch-size", "16", "--heldout-images", "16"}));
    REQUIRE(result.exit_code == 0);
  }
};
trained_model const& trained() {
  static trained_model const model;
  return model;
}

/// Folders of pictures of two classes.
struct picture_classes {
  mae_test::temporary_folder folder;

  picture_classes() {
    for (std::string const name : {"cats", "dogs"}) {
      fs::create_directories(folder / name);
      for (int i = 0; i < 10; ++i)
        fs::copy(pictures + (name == "cats" ? "rgb.png" : "photo.jpg"),
                 folder / name / (std::to_string(i) + (name == "cats" ? ".png" : ".jpg")));
    }
  }
  std::string path() const { return folder.path().string(); }
};

}  // namespace

TEST_CASE("every tool explains itself") {
  for (std::string const tool : {"mae_convert", "mae_features", "mae_probe", "mae_reconstruct"}) {
    CAPTURE(tool);
    std::string const help = output_of(tool, {"--help"});
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      CHECK(line.size() <= 100);
    }
    CHECK(holds(help, "Usage: " + tool + " --model"));
    CHECK(holds(help, "--model FILE|DIR"));
    CHECK(output_of(tool, {"--version"}) == tool + " " MAE_VERSION "\n");
    check_refused(run_tool(tool, {"--modell", "x"}), 2, "is no flag");
    check_refused(run_tool(tool, {}), 2, "--model names the checkpoint");
    std::vector<std::string> absent{"--model", "absent"};
    if (tool != "mae_probe") absent.insert(absent.end(), {"--out", "x.npy"});
    check_refused(run_tool(tool, absent), 1, "absent: open: No such file");
  }
}

TEST_CASE("a checkpoint is described and converted") {
  mae_test::temporary_folder const scratch;
  std::string const text = output_of("mae_convert", {"--model", fixtures + "rgb", "--describe"});
  CHECK(holds(text, "norm_epsilon        1e-12"));
  CHECK(holds(text, "mask_ratio          0.75"));
  CHECK(holds(text, "decoder             yes"));
  CHECK(holds(text, "vit.encoder.layer.2.attention.attention.key.weight"));
  CHECK(holds(text, "[16, 3, 3, 3]"));
  CHECK(holds(text, " tensors, "));

  std::string const official = scratch.file("official.safetensors");
  output_of("mae_convert", {"--model", fixtures + "rgb", "--out", official});
  CHECK(holds(output_of("mae_convert", {"--model", official, "--describe"}),
              "blocks.2.attn.qkv.weight"));
  output_of("mae_convert",
            {"--model", official, "--out", scratch.file("hub"), "--to", "huggingface"});
  CHECK(fs::exists(scratch / "hub" / "config.json"));
  output_of("mae_convert",
            {"--model", official, "--image-size", "24", "--out", scratch.file("larger")});
  CHECK(mae::safetensors_file::load(scratch.file("larger")).find("pos_embed")->shape ==
        std::vector<mae::index_t>{1, 65, 16});
  output_of("mae_convert",
            {"--model", official, "--image-size", "24x15", "--out", scratch.file("oblong")});
  CHECK(mae::safetensors_file::load(scratch.file("oblong")).find("pos_embed")->shape ==
        std::vector<mae::index_t>{1, 41, 16});
  check_refused(run_tool("mae_convert",
                         {"--model",
                          official,
                          "--image-size",
                          "24x15",
                          "--to",
                          "huggingface",
                          "--out",
                          scratch.file("no")}),
                1,
                "square images and patches alone, not 24x15x3");
  check_refused(run_tool("mae_convert",
                         {"--model", official, "--image-size", "25", "--out", scratch.file("no")}),
                1,
                "cannot take images of 25x25x3");
  check_refused(run_tool("mae_convert", {"--model", official}), 2, "give --out");
}

TEST_CASE(
    "what runs ONNX gets the encoder alone, in floats, and what it assumes of pixels is said") {
  mae_test::temporary_folder const scratch;
  std::string const out = scratch.file("encoder.onnx");
  std::vector<std::string> const words{
      "--model", fixtures + "rgb", "--to", "onnx", "--out", out, "--precision"};
  auto half = words;
  half.emplace_back("bf16");
  check_refused(run_tool("mae_convert", half), 2, "--to onnx multiplies floats or int8");
  CHECK_FALSE(fs::exists(out));
  auto floats = words;
  floats.emplace_back("fp32");
  auto const converted = run_tool("mae_convert", floats);
  CHECK(converted.exit_code == 0);
  CHECK(holds(converted.err, "assumed: ImageNet's mean and deviation of pixels"));
  CHECK(holds(converted.out, "for onnx"));
  auto const written = read_text(out);
  CHECK(written.find("blocks.2.attn.qkv.weight") != std::string::npos);
  CHECK(written.find("decoder") == std::string::npos);
}

TEST_CASE("what is left out of a checkpoint is said, and which file of a folder is meant") {
  mae_test::temporary_folder const scratch;
  std::string const vit = scratch.file("vit.safetensors");
  auto const converted = run_tool("mae_convert", {"--model", fixtures + "vit", "--out", vit});
  CHECK(converted.exit_code == 0);
  CHECK(holds(converted.err, "left out: pooler.dense.bias, pooler.dense.weight of "));
  CHECK(holds(converted.err, "model.safetensors.index.fp16.json is meant, a variant"));
}

TEST_CASE("features are the same in both formats") {
  mae_test::temporary_folder const scratch;
  auto const features = [&](std::string const& name) {
    std::string const out = scratch.file(name);
    output_of("mae_features",
              {"--model",
               trained().encoder,
               "--data",
               "synthetic",
               "--part",
               "test",
               "--images",
               "70",
               "--pool",
               "both",
               "--out",
               out});
    return out;
  };
  std::string const npy = read_text(features("features.npy"));
  auto const file = mae::safetensors_file::load(features("features.safetensors"));
  auto const* const tensor = file.find("features");
  REQUIRE(tensor != nullptr);
  CHECK(tensor->shape == std::vector<mae::index_t>{70, 96});
  CHECK(file.find("labels")->shape == std::vector<mae::index_t>{70});
  CHECK(npy.starts_with("\x93NUMPY"));
  CHECK(holds(npy, "'shape': (70, 96)"));
  REQUIRE(npy.size() % 64 == 0);
  CHECK(std::memcmp(npy.data() + (npy.size() - tensor->bytes.size()),
                    tensor->bytes.data(),
                    tensor->bytes.size()) == 0);
  check_refused(run_tool("mae_features", {"--model", trained().path, "--out", "x.txt"}),
                2,
                "must end in .safetensors or .npy");
}

TEST_CASE("pictures are reconstructed") {
  mae_test::temporary_folder const scratch;
  picture_classes const classes;
  std::string const out = scratch.file("sheet.png");
  auto const sheet_of = [&](std::string const& data, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--model", trained().path, "--data", data, "--out", out});
    output_of("mae_reconstruct", more);
    return pretrain::load_png(out);
  };
  auto const one = sheet_of(pictures + "photo.jpg");
  auto const several = sheet_of(classes.path(), {"--images", "3"});
  mae_test::temporary_folder const alone;
  fs::copy(pictures + "photo.jpg", alone / "photo.jpg");
  CHECK(sheet_of(alone.path().string()).height() == one.height());
  CHECK(one.width() > 4 * one.height() / 2);
  CHECK(several.height() > 2 * one.height());
  // The same seed hides the same patches.
  sheet_of(classes.path(), {"--seed", "1"});
  std::string const first = read_text(out);
  sheet_of(classes.path(), {"--seed", "1"});
  CHECK(read_text(out) == first);
  sheet_of(classes.path(), {"--seed", "2"});
  CHECK(read_text(out) != first);
  sheet_of("synthetic", {"--mask", "saliency", "--mask-ratio", "0.6"});
  sheet_of("synthetic", {"--mask", "ramped", "--mask-at", "0.5"});
  check_refused(run_tool("mae_reconstruct", {"--mask", "ramp"}),
                2,
                "'ramp' is not one of uniform, ramped, random, saliency");
  check_refused(
      run_tool(
          "mae_reconstruct",
          {"--model", trained().path, "--data", "synthetic", "--mask", "learned", "--out", out}),
      1,
      "holds no mask that was learned by --mask learned");

  check_refused(run_tool("mae_reconstruct",
                         {"--model", trained().encoder, "--data", "synthetic", "--out", out}),
                1,
                "an encoder without a decoder, which gives features, but paints nothing");
  check_refused(
      run_tool("mae_reconstruct", {"--model", trained().path, "--data", pictures, "--out", out}),
      1,
      "endless.png: at byte 0: an image of 2147483647x2147483647 pixels");
  check_refused(run_tool("mae_reconstruct",
                         {"--model",
                          trained().path,
                          "--data",
                          pictures + "photo.jpg",
                          "--max-pixels",
                          "791",
                          "--out",
                          out}),
                1,
                "at most 791 are read (--max-pixels)");
  auto const skipped = run_tool(
      "mae_reconstruct",
      {"--model", trained().path, "--data", pictures, "--unreadable", "skip", "--out", out});
  CHECK(skipped.exit_code == 0);
  CHECK(holds(skipped.err, "left out: "));
}

TEST_CASE("a cross-attention decoder is trained beside contrast, goes on exactly, and paints") {
  mae_test::temporary_folder const scratch;
  auto const train = [&](std::string const& out, int steps, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
    more.insert(more.end(), {"--warmup-epochs", "0", "--contrast", "0.5", "--paint-views", "1"});
    return run_program(training_words("synthetic", "micro8", steps, scratch.file(out), more));
  };
  REQUIRE(train("whole", 2, {"--decoder", "cross"}).exit_code == 0);
  REQUIRE(train("parted", 1, {"--decoder", "cross"}).exit_code == 0);
  check_refused(train("parted", 2, {"--resume"}), 1, "give --decoder cross");
  REQUIRE(train("parted", 2, {"--decoder", "cross", "--resume"}).exit_code == 0);
  std::string const model = scratch.file("parted/model.safetensors");
  CHECK(read_text(model) == read_text(scratch.file("whole/model.safetensors")));
  std::string const sheet = scratch.file("sheet.png");
  output_of("mae_reconstruct", {"--model", model, "--data", "synthetic", "--out", sheet});
  CHECK(pretrain::load_png(sheet).height() > 0);
}

TEST_CASE("of pictures with parts those for tests are shown, and that is said") {
  mae_test::temporary_folder const set;
  for (std::string const part : {"train", "val"}) {
    fs::create_directories(set / part);
    fs::copy(pictures + (part == "train" ? "rgb.png" : "photo.jpg"), set / part / "1.png");
  }
  auto const show = [&](std::string const& data) {
    return run_tool("mae_reconstruct",
                    {"--model", trained().path, "--data", data, "--out", set.file("sheet.png")});
  };
  std::string const folder = set.path().string();
  auto const shown = show(folder);
  CHECK(shown.exit_code == 0);
  CHECK(holds(shown.err,
              "assumed: the pictures shown are those of " + folder +
                  "/val; --data with the folder of another part says otherwise"));
  std::string const of_val = read_text(set.file("sheet.png"));
  auto const asked = show(folder + "/val");
  CHECK(asked.err.find("the pictures shown") == std::string::npos);
  CHECK(read_text(set.file("sheet.png")) == of_val);
}

TEST_CASE("an encoder is graded on folders that are classes") {
  picture_classes const classes;
  std::string const text =
      output_of("mae_probe", {"--model", trained().encoder, "--data", classes.path()});
  CHECK(holds(text, "encoding 18 of " + classes.path() + "\n"));
  CHECK(holds(text, "encoding 2 of one picture in 10 of " + classes.path() + "\n"));
  CHECK(holds(text, "18 training and 2 test images"));
  CHECK(holds(text, "2 classes"));
  CHECK(holds(text, "linear probe"));
  CHECK(holds(text, "100.0 %"));  // two pictures: whatever sees them tells them apart
  check_refused(
      run_tool("mae_probe", {"--model", trained().encoder, "--data", classes.path() + "/cats"}),
      1,
      "cats has no classes: an encoder cannot be graded without labels");
}

TEST_CASE("test pictures without classes are not graded on") {
  picture_classes const classes;  // as Kaggle lays them: train/cats, train/dogs, test
  fs::create_directories(classes.folder / "train");
  for (std::string const name : {"cats", "dogs"})
    fs::rename(classes.folder / name, classes.folder / "train" / name);
  fs::create_directories(classes.folder / "test");
  fs::copy(pictures + "rgb.png", classes.folder / "test" / "1.png");
  auto const result =
      run_tool("mae_probe", {"--model", trained().encoder, "--data", classes.path()});
  CHECK(result.exit_code == 0);
  CHECK(holds(result.out, "18 training and 2 test images"));
  CHECK(holds(result.err, "assumed: " + classes.path() + "/test (1) has no classes"));
  CHECK(holds(result.err, "assumed: tests are on one picture in 10 of "));
  check_refused(
      run_tool("mae_probe",
               {"--model", trained().encoder, "--data", classes.path(), "--test-part", "test"}),
      1,
      "/test has no classes: an encoder cannot be graded without labels");
}

TEST_CASE("the driver trains on pictures") {
  picture_classes const classes;
  mae_test::temporary_folder const scratch;
  auto const train_as = [&](std::string const& out, std::vector<std::string> const& more) {
    return run_program(training_words(classes.path(), "micro8", 2, scratch.file(out), more));
  };
  auto const train = [&](std::string const& out, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--batch-size", "8"});
    return train_as(out, more);
  };
  CHECK(train("one").exit_code == 0);
  CHECK(fs::exists(scratch / "one" / "reconstructions.png"));
  check_refused(run_program({DRIVER, "--data", classes.path() + "/dogs", "--config", "micro8"}),
                1,
                "into a folder of its own, or give --probe none");
  check_refused(train("small", {"--accumulate", "8"}), 1, "a --batch-size of at most 2");
  auto const lowered = train_as("lowered", {});
  CHECK(lowered.exit_code == 0);
  CHECK(holds(lowered.err, "assumed: batch size 18, as there are 18 images to train on; "));
  CHECK(holds(lowered.out, "2 steps of 18 images"));
  write_text((classes.folder / "cats" / "none.png").string(), "no picture");
  check_refused(train("two"), 1, "none.png");
  check_refused(train("two", {"--max-pixels", "99"}), 1, "at most 99 are read (--max-pixels)");
  auto const skipped = train("three", {"--unreadable", "skip"});
  CHECK(skipped.exit_code == 0);
  CHECK(holds(skipped.err, "left out: "));
  CHECK(train("four", {"--unreadable", "skip", "--init", trained().path}).exit_code == 0);
  fs::remove(classes.folder / "cats" / "none.png");
  check_refused(train("five", {"--init", fixtures + "five"}),
                1,
                "image_channels is 5 in the file, but 3 here");
}

TEST_CASE("a training fits pictures as the checkpoint of --init says, and goes on so") {
  picture_classes const classes;
  mae_test::temporary_folder const scratch;
  std::string const initial = scratch.file("hf");
  REQUIRE(run_tool("mae_convert",
                   {"--model",
                    trained().path,
                    "--out",
                    initial,
                    "--to",
                    "huggingface",
                    "--fit",
                    "stretch",
                    "--resample",
                    "bilinear"})
              .exit_code == 0);
  auto const train = [&](std::string const& out, int steps, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8"});
    return run_program(training_words(classes.path(), "micro8", steps, scratch.file(out), more));
  };
  auto const said = [&](std::string const& out, std::string const& file, char const* entry) {
    std::string const path = (scratch / out / (file + ".safetensors")).string();
    return mae::safetensors_file::load(path).metadata().at(entry);
  };
  auto const followed = train("followed", 2, {"--init", initial});
  CHECK(followed.exit_code == 0);
  CHECK(holds(followed.err,
              "assumed: pictures become images as " + initial +
                  "/model.safetensors says (stretch, bilinear); --fit and --resample say"));
  for (char const* file : {"encoder", "model", "training"}) {
    CHECK(said("followed", file, "picture_fit") == "stretch");
    CHECK(said("followed", file, "picture_resample") == "bilinear");
  }
  CHECK(train("followed", 3, {"--resume"}).exit_code == 0);
  check_refused(train("followed", 4, {"--resume", "--fit", "crop"}),
                1,
                "--fit crop contradicts the training, which has stretch");
  auto const other =
      train("other", 2, {"--init", initial, "--fit", "crop", "--resample", "bicubic"});
  CHECK(other.exit_code == 0);
  CHECK_FALSE(holds(other.err, "pictures become images"));
  CHECK(said("other", "model", "picture_fit") == "crop");
  CHECK(said("other", "training", "mae.data_fingerprint") !=
        said("followed", "training", "mae.data_fingerprint"));
  // What the files say needs no flag later.
  auto const features = run_tool("mae_features",
                                 {"--model",
                                  (scratch / "followed" / "encoder.safetensors").string(),
                                  "--data",
                                  classes.path(),
                                  "--out",
                                  scratch.file("f.npy")});
  CHECK(features.exit_code == 0);
  CHECK_FALSE(holds(features.err, "assumed: "));
  check_refused(
      run_program({DRIVER, "--data", "synthetic", "--fit", "crop", "--out", scratch.file("new")}),
      1,
      "--fit is about pictures, and these are synthetic images");
}

TEST_CASE("a decoder that paints what is not finite leaves no picture") {
  mae_test::temporary_folder const scratch;
  std::string const model = scratch.file("model.safetensors");
  editable_file file(trained().path);
  auto weights = floats_of(file.tensor("decoder_pred.weight"));
  for (float& weight : weights) weight = std::numeric_limits<float>::max();
  file.tensor("decoder_pred.weight").bytes = std::as_bytes(std::span(weights));
  file.save(model);
  std::string const out = scratch.file("painted.png");
  check_refused(
      run_tool("mae_reconstruct", {"--model", model, "--data", pictures + "rgb.png", "--out", out}),
      1,
      "image 0 (from 0): what the decoder paints is not finite");
  CHECK_FALSE(fs::exists(out));
}
