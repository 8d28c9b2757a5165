// mae_finetune as its users run it, and what it grades by.

#include "class_metrics.hpp"
#include "class_pictures.hpp"
#include "data_source.hpp"
#include "images.hpp"
#include "running_program.hpp"
#include "stratified.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
std::string const model = MAE_TESTS_DIR "/interop/fixtures/rgb";

program_result finetune(std::vector<std::string> const& flags) {
  std::vector<std::string> words{std::string(TOOLS) + "/mae_finetune"};
  words.insert(words.end(), flags.begin(), flags.end());
  return run_program(words);
}

/// On a few images of the synthetic set, which has 10,000.
std::vector<std::string> few_images(std::string const& out) {
  return {"--data", "synthetic", "--label-fraction", "0.02", "--epochs", "3", "--out", out};
}

std::vector<std::string> operator+(std::vector<std::string> a, std::vector<std::string> const& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("classes are graded as the definitions say") {
  // Three classes, of which the third has no image; the last image has no class.
  std::vector<float> const scores{3, 1, 2, 0, 5, 1, 9, 2, 1, 1, 1, 0, 7, 0, 0};
  std::vector<index_t> const labels{0, 1, 1, 0, -1};
  auto const found = tools::measure_classes({scores.data(), 5, 3}, labels);
  CHECK(found.images == 4);
  CHECK(found.confusion == std::vector<index_t>{2, 0, 0, 1, 1, 0, 0, 0, 0});
  CHECK(found.top1 == 0.75);
  CHECK(found.top5 == 1);
  CHECK(found.balanced_accuracy == 0.75);
  CHECK(found.macro_f1 == doctest::Approx((2.0 * 2 / 5 + 2.0 / 3) / 2));
  CHECK(tools::predictions_csv({scores.data() + 12, 1, 3}, std::vector<index_t>{-1}) ==
        "image,class,predicted,probability\r\n0,,0,0.99818\r\n");
}

TEST_CASE("the pairs of classes that are confused most come first, their surest images first") {
  // Classes a <b>, b, c: b is taken for a three times, c for a once, a for c once.
  std::vector<float> const scores{1, 0, 0, 5, 0, 0, 3, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0};
  std::vector<index_t> const labels{1, 1, 1, 2, 0, 1};
  mae::matrix_view<float const> const view(scores.data(), 6, 3);
  auto const found = tools::measure_classes(view, labels);
  auto const pairs = tools::most_confused(found, view, labels, 2, 2);
  REQUIRE(pairs.size() == 2);
  CHECK(pairs[0].truth == 1);
  CHECK(pairs[0].predicted == 0);
  CHECK(pairs[0].images == 3);
  CHECK(pairs[0].examples == std::vector<index_t>{1, 2});
  CHECK(pairs[1].truth == 0);  // of equals the first class's first
  CHECK(pairs[1].predicted == 2);
  CHECK(pairs[1].examples == std::vector<index_t>{4});
  auto const drawn = tools::draw_confusion(found, {"a <b>", "b", "c"});
  CHECK(holds(drawn, "<title>b as a &lt;b&gt;: 3 of 4</title>"));
  CHECK(holds(drawn, "<title>b as b: 1 of 4</title>"));
  CHECK_FALSE(holds(drawn, "c as c"));  // none
  CHECK(holds(tools::draw_confusion(found, {}), "<title>1 as 0: 3 of 4</title>"));
}

TEST_CASE("of many classes those are drawn that are most often in errors") {
  tools::class_metrics found;
  constexpr index_t classes = 50;
  found.confusion.assign(classes * classes, 0);
  for (index_t k = 0; k < classes; ++k)
    found.confusion[static_cast<std::size_t>(k * classes + (k + 25) % classes)] = k < 20 ? 3 : 1;
  auto const drawn = tools::draw_confusion(found, {});
  CHECK(holds(drawn, "confusion matrix of 40 of 50 classes"));
  CHECK(holds(drawn, "<title>19 as 44: 3 of 3</title>"));
  CHECK_FALSE(holds(drawn, "<title>49 as"));
}

TEST_CASE("of every class a share is chosen, by the seed alone") {
  mae::thread_pool threads(2);
  auto const sets = pretrain::load_images(
      {}, {.extent = {.height = 32, .width = 32, .channels = 3}}, threads, std::cerr);
  auto const chosen = tools::choose_stratified(sets.train, 0.01, 4);
  CHECK(chosen == tools::choose_stratified(sets.train, 0.01, 4));
  CHECK(chosen != tools::choose_stratified(sets.train, 0.01, 5));
  CHECK(std::ranges::is_sorted(chosen));
  CHECK(std::ranges::adjacent_find(chosen) == chosen.end());
  std::vector<index_t> of_class(10);
  for (index_t const image : chosen) ++of_class[static_cast<std::size_t>(sets.train.label(image))];
  for (index_t k = 0; k < 10; ++k) {
    index_t all = 0;
    for (index_t i = 0; i < sets.train.size(); ++i) all += sets.train.label(i) == k ? 1 : 0;
    CHECK(of_class[static_cast<std::size_t>(k)] == (all + 50) / 100);
  }
  CHECK(tools::choose_stratified(sets.train, 1, 4).size() == 10000);
  CHECK(tools::choose_stratified(sets.train, 1e-9, 4).size() == 10);  // one of each
}

TEST_CASE("a fine-tuning leaves a model, predictions and figures, the same for any threads") {
  mae_test::temporary_folder const folder;
  std::vector<std::string> const recipe{
      "--drop-path",      "0.2",  "--average",     "0.9",  "--mixup",     "0.8",
      "--cutmix",         "1",    "--erasing",     "0.25", "--positions", "learned",
      "--min-lr",         "1e-6", "--randaugment", "9",    "--keep",      "best",
      "--evaluate-every", "2",    "--tensorboard"};
  auto const run = [&](std::string const& name, std::vector<std::string> const& flags) {
    auto const result = finetune(flags);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    CHECK(holds(result.out, "training classes on 200 images of synthetic"));
    return folder.file(name);
  };
  auto const one = run("one",
                       few_images(folder.file("one")) + recipe +
                           std::vector<std::string>{"--model", model, "--threads", "1"});
  auto const three = run(  // repeated from the first one's summary
      "three",
      {"--settings", one + "/summary.json", "--threads", "3", "--out", folder.file("three")});
  for (char const* const file : {"model.safetensors",
                                 "encoder.safetensors",
                                 "predictions.csv",
                                 "images.csv",
                                 "confusion.svg",
                                 "confused.png"})
    CHECK(read_text(one + "/" + file) == read_text(three + "/" + file));
  auto const summary = read_text(one + "/summary.json");
  for (char const* const name :
       {"top1", "top5", "balanced_accuracy", "macro_f1", "seconds", "seed"})
    CHECK(holds(summary, std::string("\"") + name + "\": "));
  auto const metrics = read_text(one + "/metrics.jsonl");
  CHECK(std::ranges::count(metrics, '\n') == 3);
  CHECK_FALSE(holds(metrics.substr(0, metrics.find('\n')), "top1"));  // the first is not graded
  CHECK(holds(metrics.substr(metrics.find('\n')), "top1"));
  CHECK(holds(metrics.substr(metrics.find('\n')), "\"raw_top1\":"));
  CHECK(holds(metrics.substr(metrics.find('\n')), "effective_rank"));
  for (char const* const tag : {"loss/training", "test/top1", "health/effective_rank"})
    CHECK(holds(read_text(one + "/tensorboard/events.out.tfevents.mae"), tag));
  auto const trained = mae::safetensors_file::load(one + "/training.safetensors").metadata();
  for (auto const& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"drop_path", "0.2"},
                                                        {"mixup", "0.8"},
                                                        {"cutmix", "1"},
                                                        {"erasing", "0.25"},
                                                        {"rand_augment", "9 0.5 2"},
                                                        {"positions", "learned"},
                                                        {"final_norm", "pooled"},
                                                        {"min_lr", "1e-06"}})
    CHECK(trained.at(name) == value);
  auto const report = read_text(one + "/report.html");
  CHECK(holds(report, "<h1>classes on synthetic</h1>"));
  CHECK(holds(report, "ended: 3 of 3 epochs"));
  CHECK(holds(report, ">balanced accuracy</th>"));
  for (char const* const title : {"Confusion", "Most often confused", "Health without labels"})
    CHECK(holds(report, std::string("<h2>") + title + "</h2>"));
  CHECK(holds(report, read_text(one + "/confusion.svg")));
  CHECK_FALSE(holds(report, "refresh"));
  auto const again = finetune(few_images(one) + std::vector<std::string>{"--model", model});
  CHECK(again.exit_code == 1);
  CHECK(holds(again.err, "holds a training already: --resume goes on with it"));
}

TEST_CASE("a dry run says what a fine-tuning would be, and writes nothing") {
  mae_test::temporary_folder const folder;
  auto const out = folder.file("out");
  auto const result =
      finetune(few_images(out) +
               std::vector<std::string>{"--from-scratch", "--config", "micro8", "--dry-run"});
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  // An image: 16 patches of 192 values to 48, 17 tokens, one block; a batch has 128 of the 200.
  CHECK(holds(result.out, "128 images, 0.50 GFLOP"));
  CHECK(holds(result.out, "steps       3, 3.00 epochs of 200 images"));
  CHECK(holds(result.out, "nothing is written"));
  CHECK_FALSE(std::filesystem::exists(out));
}

TEST_CASE("what is interrupted goes on to the same end") {
  mae_test::temporary_folder const folder;
  std::vector<std::string> const flags{"--from-scratch", "--config", "micro8", "--average", "0.9"};
  CHECK(finetune(few_images(folder.file("whole")) + flags).exit_code == 0);
  running_program stopped(std::vector<std::string>{std::string(TOOLS) + "/mae_finetune"} +
                          few_images(folder.file("parts")) + flags);
  while (!std::filesystem::exists(folder.file("parts") + "/training.safetensors"))  // an epoch
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  stopped.interrupt();
  CHECK(holds(stopped.wait().out, "stopped; --resume goes on"));
  auto const choice = read_text(folder.file("parts/images.csv"));
  auto const others = finetune({"--from-scratch",
                                "--config",
                                "micro8",
                                "--average",
                                "0.9",
                                "--data",
                                "synthetic",
                                "--label-fraction",
                                "0.03",
                                "--epochs",
                                "3",
                                "--resume",
                                "--out",
                                folder.file("parts")});
  CHECK(others.exit_code == 1);
  CHECK(read_text(folder.file("parts/images.csv")) == choice);
  auto const result =
      finetune(few_images(folder.file("parts")) + flags + std::vector<std::string>{"--resume"});
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  for (char const* const file : {"/model.safetensors", "/predictions.csv"})
    CHECK(read_text(folder.file("whole") + file) == read_text(folder.file("parts") + file));
}

TEST_CASE("what is frozen stays, and a training ends when nothing gets better") {
  mae_test::temporary_folder const folder;
  auto const run = [&](std::string const& name, std::vector<std::string> const& flags) {
    auto const result =
        finetune(few_images(folder.file(name)) +
                 std::vector<std::string>{"--from-scratch", "--config", "micro8"} + flags);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    return read_text(folder.file(name + "/encoder.safetensors"));
  };
  // By so small steps that no score changes.
  std::vector<std::string> const still{
      "--base-lr", "1e-20", "--patience", "1", "--keep", "best", "--warmup-epochs", "0"};
  auto const frozen = run("frozen", still + std::vector<std::string>{"--freeze", "encoder"});
  auto const summary = read_text(folder.file("frozen/summary.json"));
  CHECK(holds(summary, "\"kept_epoch\": 1"));
  CHECK(std::ranges::count(read_text(folder.file("frozen/metrics.jsonl")), '\n') == 2);
  CHECK(run("fast", {"--freeze", "encoder", "--base-lr", "0.1"}) == frozen);
  auto const many = finetune({"--from-scratch", "--freeze", "99", "--out", folder.file("many")});
  CHECK(many.exit_code == 1);
  CHECK(holds(many.err, "--freeze 99: the encoder has only 12 blocks"));
  CHECK(run("blocks", {"--freeze", "1", "--base-lr", "0.1"}) != frozen);
}

TEST_CASE("of averaged weights the average is left, and the weights are graded beside it") {
  mae_test::temporary_folder const folder;
  auto const flags = few_images(folder.file("out")) + std::vector<std::string>{"--model", model};
  std::vector<std::string> const averaging{"--average", "0.8"};
  auto const result = finetune(flags + averaging);
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  auto const training = mae::safetensors_file::load(folder.file("out/training.safetensors"));
  auto const left = mae::safetensors_file::load(folder.file("out/model.safetensors"));
  CHECK(training.metadata().at("average_momentum") == "0.8");
  auto const bytes = [](mae::safetensors_file const& file, std::string const& name) {
    auto const* const tensor = file.find(name);
    REQUIRE(tensor != nullptr);
    return std::vector(tensor->bytes.begin(), tensor->bytes.end());
  };
  for (std::string const name : {"head.weight", "blocks.0.attn.qkv.weight"}) {
    CHECK(bytes(left, name) == bytes(training, "optimizer.average." + name));
    CHECK(bytes(left, name) != bytes(training, name));
  }
  auto const summary = read_text(folder.file("out/summary.json"));
  for (char const* const name : {"top1", "raw_top1", "raw_macro_f1"})
    CHECK(holds(summary, std::string("\"") + name + "\": "));
  auto const other = finetune(flags + std::vector<std::string>{"--resume"});
  CHECK(other.exit_code == 1);
  CHECK(holds(other.err, "the training's update rule is adamw+average, but adamw here"));
  auto const again = finetune(flags + averaging + std::vector<std::string>{"--resume"});
  CHECK_MESSAGE(again.exit_code == 0, again.err);
  CHECK(bytes(mae::safetensors_file::load(folder.file("out/model.safetensors")), "head.weight") ==
        bytes(left, "head.weight"));
}

TEST_CASE("products of bfloat16 are asked for, kept in the file, and kept to") {
  mae_test::temporary_folder const folder;
  std::vector<std::string> const flags{"--from-scratch",
                                       "--config",
                                       "micro8",
                                       "--data",
                                       "synthetic",
                                       "--label-fraction",
                                       "0.005",
                                       "--epochs",
                                       "1",
                                       "--out",
                                       folder.file("out")};
  auto const result = finetune(flags + std::vector<std::string>{"--precision", "bf16"});
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  auto const file = folder.file("out/training.safetensors");
  CHECK(mae::safetensors_file::load(file).metadata().at("precision") == "bf16");
  auto const other = finetune(flags + std::vector<std::string>{"--resume"});
  CHECK(other.exit_code == 1);
  CHECK(holds(other.err, "precision is bf16 in the file, but fp32 here"));
}

TEST_CASE("files of a fine-tuning say how pictures became images") {
  mae_test::temporary_folder const folder;
  for (int image = 0; image < 12; ++image) {
    auto const into = folder.file(image % 2 == 0 ? "pictures/a" : "pictures/b");
    std::filesystem::create_directories(into);
    std::filesystem::copy(MAE_TESTS_DIR "/images/fixtures/photo.jpg",
                          into + "/" + std::to_string(image) + ".jpg");
  }
  auto const result = finetune({"--from-scratch",
                                "--config",
                                "micro8",
                                "--data",
                                folder.file("pictures"),
                                "--fit",
                                "stretch",
                                "--epochs",
                                "1",
                                "--out",
                                folder.file("out"),
                                "--statistics",
                                "half"});
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  CHECK(holds(result.err, "assumed: pictures are resampled by a bicubic filter"));
  for (char const* const file : {"model", "encoder", "training"}) {
    auto const metadata =
        mae::safetensors_file::load(folder.file("out/") + file + ".safetensors").metadata();
    CHECK(metadata.at("picture_fit") == "stretch");
    CHECK(metadata.at("picture_resample") == "bicubic");
    CHECK(metadata.at("pixel_mean") == "0.5 0.5 0.5");
  }
}

TEST_CASE("flags that contradict each other are refused") {
  auto const refusal = [](std::vector<std::string> const& flags) {
    auto const result = finetune(flags);
    CHECK(result.exit_code == 2);
    return result.err;
  };
  CHECK(holds(refusal({"--from-scratch", "--model", model}), "contradict each other"));
  CHECK(holds(refusal({"--model", model, "--config", "tiny4"}), "has its own sizes"));
  CHECK(holds(refusal({"--from-scratch", "--heads", "3"}), "--heads has no meaning"));
  CHECK(holds(refusal({"--data", "synthetic"}), "--from-scratch begins without one"));
  CHECK(holds(refusal({"--config", "huge"}), "'huge' is not one of vit_base_patch16, "));
  CHECK(holds(refusal({"--layer-decay", "1.5"}), "must be a number above 0, at most 1, not 1.5"));
  CHECK(holds(refusal({"--average", "1"}), "must be a number from 0, below 1, not 1"));
  CHECK(holds(refusal({"--drop-path", "1"}), "must be a number from 0, below 1, not 1"));
  CHECK(
      holds(refusal({"--freeze", "all"}), "must be a whole number from 0 to 1000000000, not all"));
  CHECK(holds(refusal({"--label-fraction", "0"}), "must be a number above 0, at most 1, not 0"));
}
