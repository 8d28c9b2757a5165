#include "gradient_record.hpp"
#include "json_text.hpp"
#include "save_file.hpp"
#include "summary.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "training_task.hpp"

#include <mae/core/error.hpp>
#include <mae/train/report.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <array>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace {

using nlohmann::json;
using pretrain::heldout_record;
using pretrain::metrics_log;
using pretrain::probe_record;
using pretrain::run_summary;
using pretrain::training_record;

std::vector<std::string> lines_of(std::filesystem::path const& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

training_record at_step(std::int64_t step) {
  return {.step = step, .epoch = 0.5, .loss = 0.75, .baseline = 1.0, .lr = 1e-3};
}

TEST_CASE("each record is a JSON line, there at once, null where nothing is known") {
  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  metrics_log log(path);
  training_record record = at_step(3);
  record.gradient_norm = std::nan("");
  record.compared[0] = 3.5;
  log.add(record);
  log.add(heldout_record{.step = 3, .epoch = 0.5, .loss = 0.8, .baseline = 0.99});
  log.add(probe_record{.step = 3, .epoch = 0.5, .linear_top1 = {}, .knn_top1 = 48.5});
  log.add(pretrain::health_record{.step = 3,
                                  .epoch = 0.5,
                                  .effective_rank = 7.5,
                                  .alignment = std::nan(""),
                                  .images = 256,
                                  .prediction_rank = 2.5});

  auto const lines = lines_of(path);  // while the log is still open
  REQUIRE(lines.size() == 4);
  json const training = json::parse(lines[0]);
  CHECK(training["kind"] == "training");
  CHECK(training["step"] == 3);
  CHECK(training["loss"] == 0.75);
  CHECK(training["gradient_norm"].is_null());
  CHECK(training["contrast"] == 3.5);
  CHECK(!json::parse(pretrain::to_json(at_step(3))).contains("contrast"));
  CHECK(json::parse(lines[1])["baseline"] == 0.99);
  CHECK(json::parse(lines[2])["linear_top1"].is_null());
  CHECK(json::parse(lines[2])["knn_top1"] == 48.5);
  CHECK(json::parse(lines[3])["kind"] == "health");
  CHECK(json::parse(lines[3])["alignment"].is_null());

  metrics_log const resumed(path, 3);
  CHECK(resumed.history().training[0].compared[0] == 3.5);
  REQUIRE(resumed.history().health.size() == 1);
  CHECK(resumed.history().health[0].effective_rank == 7.5);
  CHECK(std::isnan(resumed.history().health[0].alignment));
  CHECK(resumed.history().health[0].images == 256);
  CHECK(resumed.history().health[0].prediction_rank == 2.5);
}

TEST_CASE("a record of a mask that learns has what it keeps, and comes back") {
  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  {
    metrics_log log(path);
    log.add(pretrain::mask_record{.step = 4, .epoch = 0.5, .agreement = 0.625});
    log.add(pretrain::mask_record{.step = 8, .epoch = 1, .entropy = 0.75});
  }
  CHECK(lines_of(path).at(0) == R"({"kind":"mask","step":4,"epoch":0.5,"agreement":0.625})");
  CHECK(lines_of(path).at(1) == R"({"kind":"mask","step":8,"epoch":1.0,"entropy":0.75})");
  metrics_log const resumed(path, 8);
  REQUIRE(resumed.history().masks.size() == 2);
  CHECK(resumed.history().masks[0].agreement == 0.625);
  CHECK(!resumed.history().masks[0].entropy);
  CHECK(resumed.history().masks[1].entropy == 0.75);
  CHECK(metrics_log(path, 5).history().masks.size() == 1);
}

TEST_CASE("a record of gradients has a list for each head and each pair, by depth") {
  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  pretrain::gradient_record const record{
      .step = 3,
      .epoch = 0.5,
      .heads = {{"painter", {3, 4, 0}}, {"contrast", {1, 1, 1}}, {"sigreg", {2, 0, 0}}},
      .pairs = {{"painter/contrast", {0.5, -1, std::nan("")}},
                {"painter/sigreg", {1, std::nan(""), std::nan("")}},
                {"contrast/sigreg", {-0.5, std::nan(""), std::nan("")}}}};
  {
    metrics_log log(path);
    log.add(record);
  }
  json const line = json::parse(lines_of(path).at(0));
  CHECK(line["kind"] == "gradients");
  CHECK(line["step"] == 3);
  CHECK(line["gradient_norm"]["contrast"] == json{1, 1, 1});
  CHECK(line["gradient_cosine"]["painter/contrast"][1] == -1);
  CHECK(line["gradient_cosine"]["painter/contrast"][2].is_null());

  {
    std::ofstream more(path, std::ios::app);  // of one depth less, and without a pair
    more << R"({"kind":"gradients","step":4,"epoch":1,)"
         << R"("gradient_norm":{"painter":[1,2],"contrast":[1,2]},)"
         << R"("gradient_cosine":{"painter/contrast":[1]}})" << '\n'
         << R"({"kind":"gradients","step":4,"epoch":1,)"
         << R"("gradient_norm":{"painter":[1,2],"contrast":[1,2]},"gradient_cosine":{}})" << '\n';
  }
  metrics_log const resumed(path, 4);
  REQUIRE(resumed.history().gradients.size() == 1);
  auto const& found = resumed.history().gradients[0];
  CHECK(found.epoch == 0.5);
  CHECK(found.heads[0].norms == record.heads[0].norms);
  CHECK(found.pairs[2].heads == "contrast/sigreg");
  CHECK(std::isnan(found.pairs[0].cosines[2]));
  CHECK(pretrain::gradient_record::whole_norm(found.heads[0]) == 5);
  CHECK(found.whole_cosine(0) == doctest::Approx((1.5 - 4) / (5 * std::sqrt(3))));
  CHECK(found.whole_cosine(1) == doctest::Approx(6.0 / (5 * 2)));
  CHECK(found.whole_cosine(2) == doctest::Approx(-1.0 / (std::sqrt(3) * 2)));
}

TEST_CASE("cosines are drawn by pair, depth and step") {
  std::vector<pretrain::gradient_record> records;
  CHECK(pretrain::draw_gradients(records).empty());
  for (std::int64_t step = 1; step <= 250; ++step)
    records.push_back({.step = step,
                       .epoch = 0,
                       .heads = {{"painter", {1, 1, 1}}, {"contrast", {1, 1, 1}}},
                       .pairs = {{"painter/contrast", {-1, 1, std::nan("")}}}});
  records.push_back({.step = 251, .epoch = 0, .heads = {{"painter", {1, 1, 1}}}, .pairs = {}});
  auto const svg = pretrain::draw_gradients(records);
  auto const count = [&](std::string const& words) {
    std::size_t found = 0;
    for (auto at = svg.find(words); at != std::string::npos; at = svg.find(words, at + 1)) ++found;
    return found;
  };
  CHECK(count("<title>") == 3 * 84);  // every third
  CHECK(count("rgb(194,65,12)") == 84);
  CHECK(count("rgb(29,99,196)") == 84);
  CHECK(count("#d5d8dc") == 84);
  CHECK(count(">block 1<") == 1);
  CHECK(count(">step 1<") == 1);
  CHECK(count(">painter/contrast<") == 1);
}

TEST_CASE("a log that begins replaces the old one") {
  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  { metrics_log(path).add(at_step(1)); }
  metrics_log const again(path);
  CHECK(lines_of(path).empty());
  CHECK(again.history().training.empty());
}

TEST_CASE("a resumed log keeps what came up to its step, drops the rest and torn lines") {
  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  {
    metrics_log log(path);
    for (std::int64_t step = 1; step <= 4; ++step) log.add(at_step(step));
    log.add(heldout_record{.step = 2, .epoch = 1, .loss = std::nan(""), .baseline = 0.99});
    log.add(probe_record{.step = 2, .epoch = 1, .linear_top1 = 40.0, .knn_top1 = {}});
  }
  { std::ofstream(path, std::ios::app) << R"({"kind":"training","step":2,"epo)"; }

  metrics_log log(path, 2);
  log.add(at_step(3));
  CHECK(lines_of(path).size() == 5);
  auto const& history = log.history();
  REQUIRE(history.training.size() == 3);
  CHECK(history.training[1].step == 2);
  CHECK(history.training[1].lr == 1e-3);
  CHECK(history.training[2].step == 3);
  REQUIRE(history.heldout.size() == 1);
  CHECK(std::isnan(history.heldout[0].loss));
  REQUIRE(history.probes.size() == 1);
  CHECK(history.probes[0].linear_top1 == 40.0);
  CHECK_FALSE(history.probes[0].knn_top1.has_value());
}

TEST_CASE("a held-out loss is the painter's, and a distance is beside it, also after a resume") {
  // The painter, contrast, sigreg, uniformity, perceptual and denoiser.
  std::array<mae::head_report, 6> heads{};
  heads[0] = {.name = "decoder", .weight = 1, .counted = 8, .loss = 0.8, .baseline = 0.99};
  heads[1] = {.name = "contrast", .weight = 1, .counted = 0};  // couples images
  heads[2].weight = heads[3].weight = 0;
  heads[5].weight = 0;
  heads[4] = {.name = "perceptual", .weight = 2, .counted = 8, .loss = 0.5, .baseline = 1};
  auto const found = pretrain::heldout_losses_of(heads);
  CHECK(found.loss == 0.8);
  CHECK(found.baseline == 0.99);
  CHECK(pretrain::heldout_losses_of(std::span(heads).first(1)).loss == 0.8);

  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  metrics_log(path).add(heldout_record{
      .step = 1, .loss = found.loss, .baseline = found.baseline, .compared = found.compared});
  json const line = json::parse(lines_of(path).at(0));
  CHECK(line["loss"] == 0.8);
  CHECK(line["perceptual"] == 0.5);
  for (char const* const other : {"contrast", "sigreg", "uniformity", "denoiser"})
    CHECK_FALSE(line.contains(other));
  metrics_log const again(path, 1);
  REQUIRE(again.history().heldout.size() == 1);
  CHECK(again.history().heldout[0].compared[3] == 0.5);
  CHECK(std::isnan(again.history().heldout[0].compared[0]));
}

TEST_CASE("a log resumed without its file begins one") {
  mae_test::temporary_folder const scratch;
  metrics_log log(scratch / "metrics.jsonl", 7);
  log.add(at_step(8));
  CHECK(lines_of(scratch / "metrics.jsonl").size() == 1);
}

TEST_CASE("what cannot be written waits for room, and lands whole and in order") {
  mae_test::temporary_folder const scratch;
  auto const path = scratch / "metrics.jsonl";
  metrics_log log(path);
  log.add(at_step(1));
  CHECK_FALSE(log.problem().has_value());
  CHECK_NOTHROW(log.require_written());
  std::string const whole = read_text(path);
  {
    // Room for a part of the second line alone.
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit const limited{whole.size() + 10, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
    log.add(at_step(2));
    bool const failed = log.problem().has_value();
    log.add(at_step(3));
    std::string why;
    try {
      log.require_written();
    } catch (mae::io_error const& refused) {
      why = refused.what();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(failed);
    CHECK(why == path.string() + ": write: File too large");
  }
  CHECK(read_text(path).size() == whole.size() + 10);
  log.add(at_step(4));
  CHECK_FALSE(log.problem().has_value());
  CHECK_NOTHROW(log.require_written());
  auto const lines = lines_of(path);
  REQUIRE(lines.size() == 4);
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(json::parse(lines[i])["step"] == i + 1);
}

TEST_CASE("a log in a folder that is missing is a typed error") {
  mae_test::temporary_folder const scratch;
  CHECK_THROWS_AS(metrics_log(scratch / "none" / "metrics.jsonl"), mae::io_error);
}

TEST_CASE("the summary holds every field that scripts rely on") {
  run_summary summary;
  summary.config = "quick4";
  summary.heldout_loss = 0.41;
  summary.final_loss = std::nan("");
  summary.trained.linear = 56.1;
  json const object = json::parse(to_json(summary));
  for (char const* key : {"config",        "mask",
                          "objective",     "targets",
                          "precision",     "backend",
                          "device",        "threads",
                          "seed",          "steps",
                          "epochs",        "batch_size",
                          "parameters",    "images_per_second",
                          "final_loss",    "heldout_loss",
                          "baseline_loss", "linear_probe_top1",
                          "knn_top1",      "wall_seconds",
                          "build"}) {
    CAPTURE(key);
    CHECK(object.contains(key));
  }
  CHECK(object["config"] == "quick4");
  CHECK(object["heldout_loss"] == 0.41);
  CHECK(object["linear_probe_top1"] == 56.1);
  CHECK(object["final_loss"].is_null());
  CHECK(object["knn_top1"].is_null());
}

TEST_CASE("the summary for people sets figures beside what to compare them with") {
  run_summary summary;
  summary.heldout_loss = 0.41;
  summary.baseline_loss = 0.9962;
  summary.trained = {.linear = 56.12, .knn = {}};
  summary.pixels.linear = 36.6;
  std::string const text = to_text(summary, "out");
  CHECK(text.find("0.4100   (predicting zero: 0.9962)") != std::string::npos);
  CHECK(text.find("56.1 %   (raw pixels: 36.6 %)") != std::string::npos);
  CHECK(text.find("nearest") == std::string::npos);
  CHECK(text.find("out/reconstructions.png") != std::string::npos);
  CHECK(text.find("out/report.html") != std::string::npos);
}

}  // namespace
