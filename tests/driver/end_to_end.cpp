#include "editable_file.hpp"
#include "picture.hpp"
#include "png_file.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "training_words.hpp"

#include <mae/interop/pretrained.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using json = nlohmann::ordered_json;
using path_type = std::filesystem::path;

constexpr std::int64_t steps = 3;

std::vector<std::string> lines_of(std::string const& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// A training of three steps, with more flags.
std::vector<std::string> training_in(path_type const& out, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--batch-size", "16", "--heldout-images", "32"});
  return training_words("synthetic", "quick4", steps, out, more);
}

/// A training that nothing interrupted, for all test cases; none of them changes its folder.
struct whole_training {
  mae_test::temporary_folder folder;
  path_type out = folder / "results";
  program_result result = run_program(training_in(out));
};
whole_training const& trained() {
  static whole_training const training;
  return training;
}

/// One line on stderr, no matter what, and an exit status.
void check_refused(std::vector<std::string> const& arguments,
                   int exit_code,
                   std::string const& why) {
  auto const result = run_program(arguments);
  CHECK(result.exit_code == exit_code);
  CHECK(result.err.starts_with("cifar10_pretrain: "));
  CHECK(lines_of(result.err).size() == 1);
  CHECK(result.err.ends_with('\n'));
  CHECK_MESSAGE(result.err.find(why) != std::string::npos, result.err);
}

/// All bytes of all files of a folder.
std::vector<std::pair<path_type, std::string>> contents_of(path_type const& folder) {
  std::vector<std::pair<path_type, std::string>> files;
  for (auto const& entry : std::filesystem::directory_iterator(folder))
    files.emplace_back(entry.path().filename(), read_text(entry.path()));
  std::ranges::sort(files);
  return files;
}

/// The steps of the training records of metrics.jsonl, every line of which must be one.
std::vector<std::int64_t> trained_steps(path_type const& metrics) {
  std::vector<std::int64_t> found;
  for (auto const& line : lines_of(read_text(metrics))) {
    auto const record = json::parse(line);
    if (record.at("kind") == "health") {
      CHECK(record.at("effective_rank").get<double>() >= 1);
      CHECK(record.at("images") == 32);
      continue;
    }
    CHECK(record.at("loss").is_number());
    CHECK(record.at("baseline").is_number());
    if (record.at("kind") == "training") found.push_back(record.at("step").get<std::int64_t>());
  }
  return found;
}

double heldout_loss(path_type const& out) {
  return json::parse(read_text(out / "summary.json")).at("heldout_loss").get<double>();
}

/// Waits until the training in `out` has written a record of the kind. False after a minute.
bool wait_for_record(path_type const& out, std::string const& kind) {
  using namespace std::chrono_literals;
  auto const end = std::chrono::steady_clock::now() + 60s;
  while (std::chrono::steady_clock::now() < end) {
    if (read_text(out / "metrics.jsonl").find("\"kind\":\"" + kind + '"') != std::string::npos)
      return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

}  // namespace

TEST_CASE("a training ends well and leaves its eight files") {
  auto const& [folder, out, result] = trained();
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  std::vector<std::string> names;
  for (auto const& [name, bytes] : contents_of(out)) names.push_back(name.string());
  CHECK(names == std::vector<std::string>{"encoder.safetensors",
                                          "loss.svg",
                                          "metrics.jsonl",
                                          "model.safetensors",
                                          "reconstructions.png",
                                          "report.html",
                                          "summary.json",
                                          "training.safetensors"});

  for (std::string const name : {"encoder", "model", "training"}) {
    auto const file = mae::safetensors_file::load((out / (name + ".safetensors")).string());
    CHECK(file.hashed());
    CHECK(file.metadata().at("contents") == name);
  }
  auto const sheet = pretrain::load_png(out / "reconstructions.png");
  CHECK(sheet.width() >= 4 * 32);
  CHECK(sheet.height() >= 8 * 32);
  std::string const chart = read_text(out / "loss.svg");
  CHECK(chart.starts_with("<svg "));
  CHECK(chart.ends_with("</svg>\n"));
  std::string const report = read_text(out / "report.html");
  CHECK(report.find("done: step 3 of 3") != std::string::npos);
  CHECK(report.find("refresh") == std::string::npos);
  for (char const* const stage : {"\"0 0\"", "\"1 ", "\"2 ", "\"3 "})
    CHECK(report.find(std::string("data-mark=") + stage) != std::string::npos);
  CHECK(trained_steps(out / "metrics.jsonl") == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("a run is repeated from its summary, to the same bits") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "again";
  auto const result = run_program({DRIVER,
                                   "--settings",
                                   (trained().out / "summary.json").string(),
                                   "--out",
                                   out.string(),
                                   "--quiet"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  CHECK(read_text(out / "model.safetensors") == read_text(trained().out / "model.safetensors"));
  CHECK(json::parse(read_text(out / "summary.json")).at("run") ==
        json::parse(read_text(trained().out / "summary.json")).at("run"));
}

TEST_CASE("a dry run says what a training would be, and writes nothing") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  auto const result = run_program(training_in(out, {"--dry-run"}));
  CHECK(result.exit_code == 0);
  CHECK(result.err.empty());
  for (char const* const part : {"parameters  5.21 M",
                                 "16 images, 10.54 GFLOP",
                                 "steps       3,",
                                 "time        0:00:0",
                                 "memory      "})
    CHECK_MESSAGE(result.out.find(part) != std::string::npos, result.out);
  CHECK_FALSE(std::filesystem::exists(out));
  auto const before = contents_of(trained().out);
  auto const resumed = run_program(training_in(trained().out, {"--dry-run", "--resume"}));
  CHECK(resumed.exit_code == 0);
  CHECK(resumed.out.find("of which 3 are done") != std::string::npos);
  CHECK(contents_of(trained().out) == before);
}

TEST_CASE("every backend that is built in trains the same; any other says what is missing") {
  mae_test::temporary_folder const scratch;
  for (std::string const backend : {"thrust-cpp", "thrust-omp", "thrust-tbb"}) {
    CAPTURE(backend);
    auto const out = scratch / backend;
    auto const arguments = training_in(out, {"--backend", backend});
    if (!DRIVER_HAS_THRUST) {
      check_refused(arguments, 2, "built without the backend " + backend + ": install Thrust");
      CHECK_FALSE(std::filesystem::exists(out));
      continue;
    }
    CHECK(run_program(arguments).exit_code == 0);
    CHECK(heldout_loss(out) == doctest::Approx(heldout_loss(trained().out)).epsilon(1e-4));
    auto const summary = json::parse(read_text(out / "summary.json"));
    CHECK(summary.at("backend") == backend);
  }
}

TEST_CASE("a GPU trains the same; where there is none, one line says so") {
  mae_test::temporary_folder const scratch;
  auto const arguments = training_in(scratch / "results", {"--backend", "cuda"});
  if (!DRIVER_HAS_CUDA)
    return check_refused(arguments, 2, "built without the backend cuda: install the CUDA Toolkit");
  if (!std::filesystem::exists("/dev/nvidia0"))
    return check_refused(arguments, 1, "this backend needs an NVIDIA GPU and its driver");
  CHECK(run_program(arguments).exit_code == 0);
  CHECK(heldout_loss(scratch / "results") ==
        doctest::Approx(heldout_loss(trained().out)).epsilon(1e-4));
}

TEST_CASE("the summary has all its fields") {
  auto const summary = json::parse(read_text(trained().out / "summary.json"));
  std::vector<std::string> fields;
  for (auto const& [name, value] : summary.items()) fields.push_back(name);
  CHECK(fields == std::vector<std::string>{"status",        "data",
                                           "config",        "mask",
                                           "objective",     "targets",
                                           "precision",     "backend",
                                           "device",        "threads",
                                           "seed",          "steps",
                                           "epochs",        "batch_size",
                                           "parameters",    "images_per_second",
                                           "final_loss",    "heldout_loss",
                                           "baseline_loss", "linear_probe_top1",
                                           "knn_top1",      "untrained_encoder",
                                           "raw_pixels",    "wall_seconds",
                                           "build",         "run"});
  CHECK(summary.at("status") == "done");
  CHECK(summary.at("data") == "synthetic");
  CHECK(summary.at("config") == "quick4");
  CHECK(summary.at("steps") == steps);
  CHECK(summary.at("batch_size") == 16);
  for (auto const* measured : {"images_per_second", "final_loss", "heldout_loss", "baseline_loss"})
    CHECK(summary.at(measured).get<double>() > 0);
  CHECK(summary.at("linear_probe_top1").is_null());  // --probe none
}

TEST_CASE("output to a pipe is lines alone: no carriage return, no escape sequence") {
  std::string const& out = trained().result.out;
  CHECK(out.find('\r') == std::string::npos);
  CHECK(out.find('\x1b') == std::string::npos);
  CHECK(out.find("step 3/3") != std::string::npos);
  CHECK(out.find("\ndone: quick4 on synthetic") != std::string::npos);
  CHECK(out.ends_with('\n'));
}

TEST_CASE("wrong usage is one line and exit status 2") {
  check_refused({DRIVER, "--learning-rate", "1"}, 2, "--learning-rate");
  check_refused({DRIVER, "--lr", "-1"}, 2, "--lr");
  check_refused({DRIVER, "--steps", "0"}, 2, "--steps");
  check_refused({DRIVER, "--steps"}, 2, "--steps needs exactly one value");
}

TEST_CASE("what cannot be done is one line and exit status 1") {
  mae_test::temporary_folder const folder;
  std::filesystem::create_directory(folder / "empty");
  check_refused({DRIVER, "--data", (folder / "empty").string(), "--out", (folder / "o").string()},
                1,
                "data_batch_1.bin");
  check_refused({DRIVER, "--data", (folder / "none").string(), "--out", (folder / "o").string()},
                1,
                (folder / "none").string());
  check_refused(training_in(folder / "o", {"--resume"}), 1, "there is nothing to resume");
}

TEST_CASE("a training is neither overwritten nor resumed with other settings") {
  auto const before = contents_of(trained().out);
  check_refused(training_in(trained().out), 1, "training.safetensors is there already");
  check_refused(training_in(trained().out, {"--resume", "--lr", "0.002"}),
                1,
                "lr is 0.001 in the file, but 0.002 here");
  CHECK(contents_of(trained().out) == before);
}

TEST_CASE("linear layers begin as they are asked to") {
  mae_test::temporary_folder const folder;
  auto const by_pytorch =
      run_program(training_in(folder / "results", {"--initialiser", "pytorch"}));
  CHECK(by_pytorch.exit_code == 0);
  CHECK(heldout_loss(folder / "results") != heldout_loss(trained().out));
}

TEST_CASE("an interrupt ends the grading before a training, which can then begin") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  auto arguments = training_in(out);
  std::ranges::replace(arguments, std::string("none"), std::string("knn"));
  running_program program(arguments);
  REQUIRE(wait_for_record(out, "heldout"));
  program.interrupt();
  auto const interrupted = program.wait();
  CHECK(interrupted.exit_code == 0);
  CHECK(interrupted.err.empty());
  CHECK(interrupted.out.find("\ngrading the untrained encoder") != std::string::npos);
  CHECK(interrupted.out.find("\ninterrupted: quick4 on synthetic") != std::string::npos);
  CHECK(interrupted.out.find("encoded 10000/10000") == std::string::npos);
  CHECK(json::parse(read_text(out / "summary.json")).at("steps") == 0);
  auto const metrics = lines_of(read_text(out / "metrics.jsonl"));
  CHECK(metrics.size() == 2);  // the held-out loss and the health, once
  CHECK(contents_of(out).size() == 8);

  CHECK(run_program(training_in(out, {"--resume"})).exit_code == 0);
  CHECK(read_text(out / "training.safetensors") ==
        read_text(trained().out / "training.safetensors"));
  CHECK(trained_steps(out / "metrics.jsonl") == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("an interrupted training saves, and resumes to what an uninterrupted one leaves") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  running_program program(training_in(out));
  REQUIRE(wait_for_record(out, "training"));
  program.interrupt();
  auto const interrupted = program.wait();
  CHECK(interrupted.exit_code == 0);
  CHECK(interrupted.err.empty());
  CHECK(interrupted.out.find("\ninterrupted: quick4 on synthetic") != std::string::npos);
  auto const summary = json::parse(read_text(out / "summary.json"));
  CHECK(summary.at("status") == "interrupted");
  CHECK(summary.at("steps") < steps);
  CHECK(contents_of(out).size() == 8);

  auto const resumed = run_program(training_in(out, {"--resume", "--quiet", "--threads", "1"}));
  CHECK(resumed.exit_code == 0);
  CHECK(resumed.err.empty());
  for (auto const* name : {"model.safetensors", "encoder.safetensors", "training.safetensors"}) {
    CAPTURE(name);
    CHECK(read_text(out / name) == read_text(trained().out / name));
  }
  CHECK(trained_steps(out / "metrics.jsonl") == std::vector<std::int64_t>{1, 2, 3});

  // Quiet, it prints the summary alone.
  auto const lines = lines_of(resumed.out);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "done: quick4 on synthetic, uniform mask, normalised targets");
  CHECK(lines[1].starts_with("  trained             3 steps"));
  CHECK(lines[2].starts_with("  held-out loss "));
  CHECK(lines[3].starts_with("  see "));
  CHECK(lines[4].ends_with("report.html"));
}

TEST_CASE(
    "contrast is trained, resumed with its own settings alone, and left out of what tools read") {
  mae_test::temporary_folder const folder;
  auto const words = [&](std::int64_t count, char const* out, std::vector<std::string> more) {
    more.insert(more.begin(),
                {"--batch-size", "8", "--heldout-images", "8", "--warmup-epochs", "0"});
    return training_words("synthetic", "micro8", count, folder / out, more);
  };
  std::vector<std::string> const contrast{"--contrast", "0.5", "--temperature", "0.3"};
  CHECK(run_program(words(4, "whole", contrast)).exit_code == 0);
  auto const lines = read_text(folder / "whole" / "metrics.jsonl");
  CHECK(lines.find("\"contrast\":") != std::string::npos);
  auto const file = (folder / "whole" / "model.safetensors").string();
  CHECK(mae::safetensors_file::load(file).find("contrast.fc1.weight") != nullptr);
  auto const read = mae::read_pretrained(file);
  CHECK(read.has_decoder);
  auto const said = std::ranges::find_if(read.notes, [](std::string const& note) {
    return note.starts_with("left out: contrast.fc1");
  });
  CHECK(said != read.notes.end());

  auto const again = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"--resume"});
    return words(4, "whole", more);
  };
  check_refused(again({}), 1, "the training and the model differ in the head contrast");
  check_refused(
      again({"--contrast", "0.5"}), 1, "contrast.temperature is 0.3 in the file, but 0.2");
  auto three = contrast;
  three.insert(three.end(), {"--views", "3"});
  check_refused(again(three), 1, "views is 2 in the file, but 3 here");
}

TEST_CASE("masks by their batch's budget, and by losses, are trained and resumed as they were") {
  mae_test::temporary_folder const folder;
  auto const run = [&](char const* out, std::int64_t steps, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
    more.insert(more.begin(), {"--mask", "density", "--mask-swing", "0.1"});
    return training_words("synthetic", "micro8", steps, folder / out, more);
  };
  std::vector<std::string> const by_batch{"--mask-budget", "batch"};
  auto const begun = run_program(run("batch", 2, by_batch));
  CHECK_MESSAGE(begun.exit_code == 0, begun.err);
  check_refused(run("batch", 3, {"--resume"}), 1, "mask_budget is batch in the file, but training");

  auto const told = run_program(run("loss", 2, {"--mask-measure", "loss"}));
  CHECK_MESSAGE(told.exit_code == 0, told.err);
  auto const file = mae::safetensors_file::load((folder / "loss/model.safetensors").string());
  REQUIRE(file.find("mask.density") != nullptr);
  std::int64_t seen = 0;
  for (float const density : floats_of(*file.find("mask.density"))) seen += density >= 0 ? 1 : 0;
  CHECK(seen == 8);  // of the first step: the second's is pending
}

TEST_CASE("images that noise alone spoils are painted, shown and resumed") {
  mae_test::temporary_folder const folder;
  auto const run = [&](std::int64_t steps, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
    more.insert(more.begin(), {"--mask", "none", "--visible-loss", "1"});
    return training_words("synthetic", "micro8", steps, folder / "out", more);
  };
  auto const begun = run_program(run(2, {"--noise", "0.5"}));
  CHECK_MESSAGE(begun.exit_code == 0, begun.err);
  CHECK(begun.out.find("reconstructions.png: original, as noise spoils it, ") != std::string::npos);
  auto const report = read_text(folder / "out/report.html");
  CHECK(report.find("with the same noise, which is to be taken away") != std::string::npos);
  CHECK(report.find("deviation 0.5") != std::string::npos);
  check_refused(run(3, {"--noise", "0.6", "--resume"}), 1, "noise is 0.5 0.5 in the file, but 0.6");
  auto const resumed = run_program(run(3, {"--noise", "0.5", "--resume"}));
  CHECK_MESSAGE(resumed.exit_code == 0, resumed.err);
}

TEST_CASE("noise is taken away beside painting, with held-out losses of its own") {
  mae_test::temporary_folder const folder;
  auto const run =
      [&](std::int64_t steps, std::string const& weight, std::vector<std::string> more) {
        more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
        more.insert(more.begin(),
                    {"--noise", "0.2:1", "--denoiser", weight, "--record-gradients", "1"});
        return training_words("synthetic", "micro8", steps, folder / "out", more);
      };
  auto const begun = run_program(run(2, "0.5", {}));
  CHECK_MESSAGE(begun.exit_code == 0, begun.err);
  std::istringstream lines(read_text(folder / "out/metrics.jsonl"));
  int trained = 0;
  int held_out = 0;
  for (std::string line; std::getline(lines, line);) {
    bool const learns = line.find("\"denoiser\":") != std::string::npos;
    if (line.starts_with(R"({"kind":"training")")) trained += learns ? 1 : 0;
    if (line.starts_with(R"({"kind":"heldout")")) held_out += learns ? 1 : 0;
  }
  CHECK(trained == 2);
  CHECK(held_out >= 2);
  CHECK(read_text(folder / "out/metrics.jsonl").find("\"painter/denoiser\":") != std::string::npos);
  check_refused(run(3, "0.25", {"--resume"}), 1, "0.25");
  // Another training takes the encoder and the decoder, whatever learned beside them.
  auto const model = (folder / "out/model.safetensors").string();
  auto const other = training_words("synthetic",
                                    "micro8",
                                    1,
                                    folder / "other",
                                    {"--batch-size", "8", "--contrast", "0.5", "--init", model});
  auto const begun_with = run_program(other);
  CHECK_MESSAGE(begun_with.exit_code == 0, begun_with.err);
  CHECK(begun_with.err.find("note: the layers of --contrast begin anew") != std::string::npos);
  auto const resumed = run_program(run(3, "0.5", {"--resume"}));
  CHECK_MESSAGE(resumed.exit_code == 0, resumed.err);
  CHECK(read_text(folder / "out/report.html").find("denoiser") != std::string::npos);
}

TEST_CASE("tokens are told levels of density, and a training goes on with its own") {
  mae_test::temporary_folder const folder;
  auto const run = [&](char const* out, std::int64_t steps, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
    return training_words("synthetic", "micro8", steps, folder / out, more);
  };
  auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"--density-token", "4", "--density-token-at", "both"});
    return more;
  };
  auto const begun = run_program(run("told", 2, with({})));
  CHECK_MESSAGE(begun.exit_code == 0, begun.err);
  CHECK(run_program(run("told", 3, with({"--resume"}))).exit_code == 0);
  auto const encoder = mae::safetensors_file::load((folder / "told/encoder.safetensors").string());
  CHECK(encoder.find("density_token") != nullptr);
  CHECK(encoder.metadata().at("density_token_at") == "visible");
  check_refused(run("told", 4, {"--resume"}), 1, "are 4, both, variance");
  check_refused(run("told", 4, {"--resume", "--density-token", "3"}), 1, "but 3, visible");
  auto const model = (folder / "told/model.safetensors").string();
  check_refused(run("next", 1, {"--init", model}), 1, "but none here");
  CHECK(run_program(run("next", 1, with({"--init", model}))).exit_code == 0);
  CHECK(run_program(run("next", 2, with({"--resume"}))).exit_code == 0);
}

TEST_CASE("an encoder of before teaches another, and weights follow their schedules") {
  mae_test::temporary_folder const folder;
  auto const run = [&](char const* out, std::int64_t steps, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
    return training_words("synthetic", "micro8", steps, folder / out, more);
  };
  REQUIRE(run_program(run("teacher", 1, {})).exit_code == 0);
  auto const teacher = (folder / "teacher/encoder.safetensors").string();
  std::vector<std::string> const taught{"--objective", "teacher", "--teacher", teacher};
  auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), taught.begin(), taught.end());
    return more;
  };
  auto const begun = run_program(run("student", 1, with({})));
  CHECK(begun.exit_code == 0);
  CHECK(begun.out.find("48 values a patch: teacher ") != std::string::npos);
  CHECK(begun.out.find("three axes of greatest variance") != std::string::npos);
  CHECK(std::filesystem::exists(folder / "student/reconstructions.png"));
  CHECK(run_program(run("student", 2, with({"--resume"}))).exit_code == 0);
  check_refused(run("student", 3, with({"--resume", "--teacher-blocks", "2"})), 1, "has 1");
  auto other = training_words("synthetic", "quick4", 1, folder / "other", taught);
  check_refused(other, 1, "both must see the same patches");

  std::vector<std::string> const perceived{"--perceptual", "0.5", "--teacher", teacher};
  CHECK(run_program(run("near", 1, perceived)).exit_code == 0);
  CHECK(read_text(folder / "near/metrics.jsonl").find("\"perceptual\":") != std::string::npos);
  auto nearer = perceived;
  nearer.push_back("--resume");
  CHECK(run_program(run("near", 2, nearer)).exit_code == 0);
  nearer.back() = "--perceptual-block";
  nearer.push_back("2");
  check_refused(run("far", 1, nearer), 1, "--perceptual-block 2 of an encoder whose blocks");

  std::vector<std::string> const moving{"--objective", "teacher", "--teacher", "ema"};
  auto const followed = run_program(run("moving", 1, moving));
  CHECK(followed.exit_code == 0);
  CHECK(followed.out.find("the moving average of the model itself") != std::string::npos);
  auto again = moving;
  again.push_back("--resume");
  CHECK(run_program(run("moving", 2, again)).exit_code == 0);
  again.insert(again.end(), {"--teacher-momentum", "0.5"});
  check_refused(run("moving", 3, again), 1, "average_momentum is 0.999 in the file, but 0.5 here");
  auto blocks = moving;
  blocks.insert(blocks.end(), {"--teacher-blocks", "2"});
  check_refused(run("deep", 1, blocks), 1, "--teacher ema: the mean of the last 2 blocks of a");

  auto const scheduled = run("scheduled",
                             4,
                             {"--contrast",
                              "0.3",
                              "--sigreg",
                              "0.1",
                              "--uniformity",
                              "0.01",
                              "--paint-views",
                              "1",
                              "--predict-share",
                              "0.5",
                              "--noise",
                              "0.1:1",
                              "--head-schedule",
                              "contrast=0@0,0@0.3,1@0.3;painter=1@0.7,0@0.7",
                              "--freeze-below",
                              "1@0.5"});
  CHECK(run_program(scheduled).exit_code == 0);
  std::istringstream lines(read_text(folder / "scheduled/metrics.jsonl"));
  std::vector<bool> painted, compared;
  for (std::string line; std::getline(lines, line);) {
    auto const record = json::parse(line);
    if (record.at("kind") != "training") continue;
    painted.push_back(!record.at("loss").is_null());
    compared.push_back(record.contains("contrast"));
    CHECK(record.contains("sigreg"));
    CHECK(record.contains("uniformity"));
  }
  auto const projected =
      run("projected",
          4,
          {"--contrast", "0.3", "--head-schedule", "project", "--record-gradients", "2"});
  CHECK(run_program(projected).exit_code == 0);
  std::istringstream of_projected(read_text(folder / "projected/metrics.jsonl"));
  std::vector<int> recorded;
  for (std::string line; std::getline(of_projected, line);) {
    auto const record = json::parse(line);
    if (record.at("kind") != "gradients") continue;
    recorded.push_back(record.at("step"));
    CHECK(record.at("gradient_norm").at("painter").size() ==
          record.at("gradient_cosine").at("painter/contrast").size());
    for (double const cosine : record.at("gradient_cosine").at("painter/contrast"))
      CHECK(std::abs(cosine) <= 1);
  }
  CHECK(recorded == std::vector<int>{2, 4});
  CHECK(read_text(folder / "projected/report.html").find("How gradients meet") !=
        std::string::npos);

  CHECK(painted == std::vector<bool>{true, true, true, false});
  CHECK(compared == std::vector<bool>{false, false, true, true});
}

TEST_CASE("targets are what a training's file says, and stay so") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  auto const words = [&](std::int64_t count, std::vector<std::string> more) {
    more.insert(more.begin(), {"--batch-size", "8", "--heldout-images", "8"});
    return training_words("synthetic", "micro8", count, out, more);
  };
  std::vector<std::string> const principal{
      "--objective", "principal", "--principal-patches", "300"};
  auto const begun = run_program(words(1, principal));
  CHECK(begun.exit_code == 0);
  CHECK(begun.out.find("189 values a patch: principal, of 300 training patches; the first 3 "
                       "components are left out") != std::string::npos);
  auto const summary = json::parse(read_text(out / "summary.json"));
  CHECK(summary.at("targets").at("principal_dropped") == "3");
  auto const kept = mae::safetensors_file::load((out / "training.safetensors").string());
  CHECK(kept.find("objective.components")->shape == std::vector<mae::index_t>{189, 192});

  auto const resumed = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "--resume");
    return words(2, more);
  };
  check_refused(resumed({"--objective", "hog"}), 1, "objective is principal in the file, but hog");
  check_refused(resumed({"--objective", "principal"}), 1, "give --principal-patches 300");
  auto other = principal;
  other.insert(other.end(), {"--principal-drop", "4"});
  check_refused(resumed(other), 1, "give --principal-drop 3");
  CHECK(run_program(resumed(principal)).exit_code == 0);

  for (std::string const objective : {"hog", "fourier"}) {
    CAPTURE(objective);
    auto const of_it = folder / objective;
    auto const result = run_program(
        training_words("synthetic",
                       "micro8",
                       1,
                       of_it,
                       {"--batch-size", "8", "--heldout-images", "8", "--objective", objective}));
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    auto const sheet = pretrain::load_png(of_it / "reconstructions.png");
    CHECK(sheet.width() >= 4 * 192);
  }
}
