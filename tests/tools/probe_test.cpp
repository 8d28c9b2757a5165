// mae_probe as its users run it: what it reads, and the files that it writes.

#include "probe_report.hpp"
#include "running_program.hpp"
#include "square_picture.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "visible_objects.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
std::string const model = MAE_TESTS_DIR "/interop/fixtures/rgb";  // 3 blocks
std::string const pictures = MAE_TESTS_DIR "/images/fixtures/";

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

program_result run_probe(std::vector<std::string> const& more) {
  std::vector<std::string> words{std::string(TOOLS) + "/mae_probe", "--model", model};
  words.insert(words.end(), more.begin(), more.end());
  return run_program(words);
}

/// On a few synthetic images; what it must say.
std::string probe(std::vector<std::string> more) {
  more.insert(more.begin(), {"--data", "synthetic", "--probe-images", "200"});
  auto const result = run_probe(more);
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  return result.out;
}

/// A file of numpy.save: so many masks of 16 patches, all hidden but the first of each, and but all
/// but the first of the last.
std::string masks_for(int images) {
  std::string header =
      "{'descr': '|u1', 'fortran_order': False, 'shape': (" + std::to_string(images) + ", 16), }";
  header.append(117 - header.size(), ' ');
  header += '\n';
  std::string masks;
  for (int i = 0; i < images; ++i)
    masks += i + 1 < images ? std::string(1, '\0') + std::string(15, '\1')
                            : std::string(1, '\1') + std::string(15, '\0');
  return std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header + masks;
}

void check_usage(std::vector<std::string> const& flags, std::string const& why) {
  auto const result = run_probe(flags);
  CHECK(result.exit_code == 2);
  CHECK(holds(result.err, why));
}

}  // namespace

TEST_CASE("a report is a table for readers and a file for programs") {
  tools::probe_report report{.neighbours = {1, 20}, .pixels = 35.25};
  report.layers = {{.layer = 3, .linear = 50.5, .knn = {40, 41.125}}};
  CHECK(to_csv(report) == "layer,linear,knn_1,knn_20\r\n3,50.5000,40.0000,41.1250\r\n");
  CHECK(to_table(report, 3) ==
        "                        linear probe      kNN, k = 1     kNN, k = 20\n"
        "raw pixels                    35.2 %\n"
        "the encoder                   50.5 %          40.0 %          41.1 %\n");
  report.layers.push_back({.layer = 4, .linear = 60, .knn = {42, 43}});
  CHECK(holds(to_table(report, 4), "block 3 "));
  CHECK(holds(to_table(report, 4), "block 4 "));
  CHECK(to_csv(report).ends_with("4,60.0000,42.0000,43.0000\r\n"));
  CHECK(tools::to_csv({.layers = {{.layer = 2, .linear = 7, .attentive = 8}}}) ==
        "layer,linear,attentive\r\n2,7.0000,8.0000\r\n");
  CHECK(tools::to_csv({.neighbours = {7}, .layers = {{.layer = 1, .knn = {5}}}}) ==
        "layer,knn_7\r\n1,5.0000\r\n");
}

TEST_CASE("a report says how many patches were seen where they are not the same of all images") {
  tools::probe_report report{.neighbours = {1}, .patches = 16};
  report.layers = {{.layer = 3, .visible = 8, .seen = 8.416, .knn = {40}},
                   {.layer = 3, .visible = 16, .seen = 16, .knn = {41}}};
  CHECK(holds(to_table(report, 3), "8 of 16 patches, seen 8.42                  40.0 %\n"));
  auto const columns = [&] { return to_page(report, 3, "", {}).sections[1].tables[0].columns; };
  CHECK(columns() == std::vector<std::string>{"visible patches", "seen, on average", "kNN, k = 1"});
  report.layers[0].seen = 8;
  CHECK(holds(to_table(report, 3), "8 of 16 patches               40.0 %\n"));
  CHECK(columns() == std::vector<std::string>{"visible patches", "kNN, k = 1"});
}

TEST_CASE("each number of neighbours has its column, in the table and in the file") {
  mae_test::temporary_folder const scratch;
  std::string const text =
      probe({"--probe", "knn", "--knn", "5,1", "--out", scratch.file("of/it")});
  CHECK(holds(text, "      kNN, k = 5      kNN, k = 1\n"));
  std::string const table = read_text(scratch.file("of/it/layers.csv"));
  CHECK(table.starts_with("layer,knn_5,knn_1\r\n3,"));
  CHECK(holds(text, "wrote " + scratch.file("of/it/layers.csv")));
  CHECK(holds(probe({"--probe", "knn"}), "kNN, k = 20\n"));
  CHECK(holds(probe({"--probe", "knn", "--precision", "int8"}), "; encoded in int8; top-1\n"));
}

TEST_CASE("each block is read, drawn, and is what it is alone") {
  mae_test::temporary_folder const scratch;
  std::vector<std::string> const all{
      "--layer", "all", "--knn", "1,9", "--out", scratch.file("all")};
  std::string const text = probe(all);
  CHECK(holds(text, "block 1 "));
  CHECK(holds(text, "block 3 "));
  CHECK(holds(text, "raw pixels "));
  std::string const table = read_text(scratch.file("all/layers.csv"));
  CHECK(table.starts_with("layer,linear,knn_1,knn_9\r\n1,"));
  std::string const drawing = read_text(scratch.file("all/layers.svg"));
  CHECK(holds(drawing, "<svg "));
  CHECK(holds(drawing, "linear probe"));
  CHECK(holds(drawing, "kNN, k = 9"));
  std::string const page = read_text(scratch.file("all/report.html"));
  for (char const* const part : {"the best: after block ",
                                 "What is read after each block",
                                 ">raw pixels<",
                                 "mean, 16 values",
                                 ">kNN, k = 9</th>"})
    CHECK(holds(page, part));

  probe({"--layer", "2", "--knn", "1,9", "--out", scratch.file("two")});
  std::string const second = read_text(scratch.file("two/layers.csv"));
  CHECK_FALSE(fs::exists(scratch.file("two/layers.svg")));
  CHECK(holds(read_text(scratch.file("two/report.html")), ">after block 2 of 3<"));
  CHECK(holds(table, second.substr(second.find("2,"))));
  probe({"--knn", "1,9", "--out", scratch.file("last")});
  std::string const last = read_text(scratch.file("last/layers.csv"));
  CHECK(table.ends_with(last.substr(last.find("3,"))));
  CHECK(second.substr(second.find("2,") + 1) != last.substr(last.find("3,") + 1));
}

TEST_CASE("an attentive classifier reads patch tokens, of as many images as memory is given for") {
  mae_test::temporary_folder const scratch;
  std::string const text =
      probe({"--probe", "all", "--queries", "2", "--knn", "3", "--out", scratch.file("x")});
  CHECK(holds(text, "    linear probe       attentive      kNN, k = 3\n"));
  CHECK(read_text(scratch.file("x/layers.csv")).starts_with("layer,linear,attentive,knn_3\r\n3,"));
  std::string const alone = probe({"--probe", "attentive", "--queries", "2", "--layer", "2"});
  CHECK(holds(alone, "       attentive\nblock 2 "));
  CHECK_FALSE(holds(alone, "raw pixels"));
  CHECK(holds(alone, "10 classes; 16 patch tokens of 16 values, 2 queries; top-1"));
  auto const few = run_probe({"--data",
                              "synthetic",
                              "--probe-images",
                              "200",
                              "--probe",
                              "attentive",
                              "--token-memory",
                              "0.00002"});
  CHECK(few.exit_code == 0);
  CHECK(holds(few.err,
              "assumed: the attentive classifier reads the first 32 training and 6 test images, "
              "whose patch tokens take 2e-05 GB; --token-memory says otherwise"));
  check_usage({"--probe", "both", "--queries", "2"},
              "--queries has no meaning with --probe both: give --probe attentive or all");
  check_usage({"--probe", "attentive", "--pool", "mean"}, "--pool has no meaning");
  check_usage({"--probe", "knn", "--token-memory", "2"}, "--token-memory has no meaning");
}

TEST_CASE("layers that an encoder has not are refused") {
  check_usage({"--data", "synthetic", "--layer", "4"}, "--layer 4: the encoder has 3 blocks");
  check_usage({"--layer", "0"}, "must be a whole number from 1 to 1000000000, not 0");
  check_usage({"--layer", "none"}, "must be a whole number");
}

TEST_CASE("fewer neighbours than usual are said; numbers that cannot be are refused") {
  mae_test::temporary_folder const data;
  for (std::string const name : {"cats", "dogs"}) {
    fs::create_directories(data / name);
    for (int i = 0; i < 5; ++i)
      fs::copy(pictures + (name == "cats" ? "rgb.png" : "photo.jpg"),
               data / name / (std::to_string(i) + (name == "cats" ? ".png" : ".jpg")));
  }
  std::vector<std::string> const few{"--data", data.path().string(), "--probe", "knn"};
  auto const result = run_probe(few);
  CHECK(result.exit_code == 0);
  CHECK(holds(result.err,
              "assumed: 9 neighbours, as there are no more training images; --knn says otherwise"));
  auto too_many = few;
  too_many.insert(too_many.end(), {"--knn", "3,10"});
  auto const refused = run_probe(too_many);
  CHECK(refused.exit_code == 1);
  CHECK(holds(refused.err, "kNN: 10 neighbours of 9 training images"));
  check_usage({"--knn", "1,0"}, "must be a whole number from 1 to 1000000000, not 0");
  check_usage({"--knn", "1,,2"}, "must be a whole number");
  check_usage({"--knn", "1,"}, "must be a whole number");
  check_usage({"--knn", "4,1,4"}, "has 4 twice");
  check_usage({"--knn", "4", "--probe", "linear"},
              "--knn has no meaning with --probe linear: give --probe knn, both or all");
}

TEST_CASE("all patches visible give the bits of no --visible, and fewer a curve") {
  mae_test::temporary_folder const scratch;
  auto const file = [&](char const* name) { return read_text(scratch.file(name)); };
  probe({"--knn", "1,9", "--out", scratch.file("usual")});
  std::string const usual = file("usual/layers.csv");
  auto const text = probe({"--knn", "1,9", "--visible", "2,8,16", "--out", scratch.file("of")});
  CHECK(holds(text, "2 of 16 patches "));
  CHECK(holds(text, "raw pixels "));
  std::string const table = file("of/visible.csv");
  CHECK(table.starts_with("visible,seen,linear,knn_1,knn_9\r\n2,2.000,"));
  CHECK(table.ends_with("\r\n16,16.000," + usual.substr(usual.find("3,") + 2)));
  CHECK(holds(file("of/visible.json"), R"({"patches":16,"pixels":)"));
  CHECK(holds(file("of/visible.json"), R"("curve":[{"visible":2,"seen":2.0,"linear":)"));
  CHECK(holds(file("of/visible.svg"), "visible patches"));
  CHECK(holds(file("of/report.html"), "What is read off so many visible patches"));
  CHECK_FALSE(fs::exists(scratch.file("of/layers.csv")));

  // One thread has the same; a mask of another kind has not, and shows others of other images.
  auto const of_eight = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--knn", "1,9", "--visible", "8", "--out", scratch.file("x")});
    probe(more);
    std::string const alone = file("x/visible.csv");
    return alone.substr(alone.find('\n') + 1);
  };
  CHECK(holds(table, of_eight({"--threads", "1"})));
  auto const dense = of_eight({"--mask", "density", "--mask-swing", "0.15"});
  CHECK(dense.starts_with("8,"));
  CHECK_FALSE(dense.starts_with("8,8.000,"));
}

TEST_CASE("by folds every training image is graded once, and no test image") {
  mae_test::temporary_folder const scratch;
  mae_test::temporary_folder const data;
  // Light squares are of one class, dark ones of the other; the folder is in the order of classes.
  for (char const* const kind : {"dark", "light"}) {
    fs::create_directories(data / kind);
    for (int i = 0; i < 12; ++i)
      write_square(data.file(std::string(kind) + "/" + std::to_string(100 + i) + ".png"),
                   kind[0] == 'd' ? 10 + i : 200 + i,
                   kind[0] == 'd' ? 60 : 250,
                   12,
                   8);
  }
  auto const by = [&](std::string const& folds, std::vector<std::string> more) {
    more.insert(more.end(), {"--data", data.path().string(), "--folds", folds, "--knn", "1"});
    more.insert(more.end(), {"--out", scratch.file("x")});
    auto const result = run_probe(more);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    return result.out;
  };
  std::string const text = by("4", {});
  CHECK(holds(text, " training images in 4 folds, no test images of "));
  CHECK_FALSE(holds(text, "raw pixels"));
  // Dealt evenly, or a fold of one class alone would be graded by the other.
  CHECK(read_text(scratch.file("x/layers.csv")) == "layer,linear,knn_1\r\n3,100.0000,100.0000\r\n");
  CHECK(holds(read_text(scratch.file("x/report.html")), "No test image was looked at."));
  by("4", {"--visible", "16"});
  CHECK(read_text(scratch.file("x/visible.csv")) ==
        "visible,seen,linear,knn_1\r\n16,16.000,100.0000,100.0000\r\n");
  check_usage({"--folds", "1"}, "--folds takes 2 or more, or 0");
  check_usage({"--folds", "3", "--probe", "all"}, "--folds has no meaning with --probe all");
  check_usage({"--folds", "3", "--test-part", "4"}, "--test-part has no meaning with --folds");
  check_usage({"--data", data.path().string(), "--folds", "13"},
              "--folds 13 needs at least 26 training images");
}

TEST_CASE("numbers of visible patches that cannot be are refused") {
  check_usage({"--visible", "0"}, "must be a whole number from 1 to 1000000000, not 0");
  check_usage({"--visible", "4,4"}, "must rise, and 4 follows 4");
  check_usage({"--visible", "8,4"}, "must rise, and 4 follows 8");
  check_usage({"--data", "synthetic", "--probe-images", "20", "--visible", "17"},
              "--visible 17: the encoder has 16 patches");
  check_usage({"--mask", "saliency"}, "--mask needs --visible or --visible-objects");
  check_usage({"--visible", "4", "--mask-ratio", "0.5"}, "--mask-ratio has no meaning beside");
  check_usage({"--visible", "4", "--mask", "levels"}, "says itself how many patches are seen");
  check_usage({"--visible", "4", "--layer", "all"}, "--visible draws a curve of one block");
  check_usage({"--visible", "4", "--probe", "all"}, "--visible has no meaning with --probe");
  check_usage({"--visible", "4", "--mask", "density", "--mask-measure", "loss"},
              "--mask-measure loss is known of the images of a training alone");
  auto const none = run_probe(
      {"--data", "synthetic", "--probe-images", "20", "--visible", "4", "--mask", "learned"});
  CHECK(none.exit_code == 1);
  CHECK(holds(none.err, "holds no mask that was learned by --mask learned"));
  check_usage({"--visible-objects", "--knn", "3"}, "--knn has no meaning with --visible-objects");
}

TEST_CASE("what is visible of objects is chance for blind masks, and more for busy patches") {
  mae_test::temporary_folder const scratch;
  auto const low_and_high = [&](std::string const& mask, std::string const& beta) {
    std::vector<std::string> more{"--data",
                                  "synthetic",
                                  "--visible-objects",
                                  "--visible",
                                  "4",
                                  "--mask",
                                  mask,
                                  "--out",
                                  scratch.file("x")};
    if (!beta.empty()) more.insert(more.end(), {"--saliency-strength", beta});
    auto const result = run_probe(more);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    CHECK(holds(result.out, "2000 test images of synthetic with objects"));
    std::string const table = read_text(scratch.file("x/objects.csv"));
    std::vector<double> numbers;
    std::istringstream line(table.substr(table.find('\n') + 1));
    for (std::string field; std::getline(line, field, ',');) numbers.push_back(std::stod(field));
    REQUIRE(numbers.size() == 11);
    CHECK(numbers[0] == 4);
    CHECK(numbers[2] == 0.25);
    CHECK(numbers[3] / numbers[2] == doctest::Approx(numbers[4]).epsilon(1e-4));
    return std::pair(numbers[5], numbers[6]);
  };
  auto const [low, high] = low_and_high("uniform", "");
  CHECK(low < 1.02);
  CHECK(high > 0.98);
  CHECK(high - low < 0.1);
  CHECK(low_and_high("saliency", "2").first > 1);
}

TEST_CASE("objects of a folder's tests are seen by masks of these images, where there are some") {
  mae_test::temporary_folder const data;
  for (char const* const name : {"images", "masks"}) fs::create_directory(data / name);
  for (int i = 0; i < 10; ++i) {
    std::string name = "p";
    name += std::to_string(i);
    name += ".png";
    write_square(data.file("images/" + name), 40, 220, 12, 8);
    write_square(data.file("masks/" + name), 0, i == 8 ? 0 : 1, 12, 8);  // in the middle; or none
  }
  write_text(data.file("tests.npy"), masks_for(2));
  write_text(data.file("training.npy"), masks_for(8));
  auto const see = [&](char const* masks, std::vector<std::string> more) {
    more.insert(more.end(), {"--data", data.path().string(), "--visible-objects"});
    more.insert(more.end(), {"--mask", "file", "--mask-file", data.file(masks)});
    return run_probe(more);
  };
  auto const seen = see("tests.npy", {"--out", data.file("out")});
  CHECK_MESSAGE(seen.exit_code == 0, seen.err);
  CHECK(holds(seen.out, "1 test images of "));
  CHECK(holds(read_text(data.file("out/objects.csv")),
              "\r\n15.000,1,0.937500,1.000000,1.066667,,,1.000000,1.066667,,\r\n"));
  auto const refused = see("training.npy", {});
  CHECK(refused.exit_code != 0);
  CHECK(holds(refused.err, "has masks for 8 images, and there are 2"));

  write_text(data.file("split.csv"), "image,part\np0.png,test\np1.png,train\n");
  write_text(data.file("one.npy"), masks_for(1));
  auto const split = see("one.npy", {"--split", data.file("split.csv")});
  CHECK_MESSAGE(split.exit_code == 0, split.err);
  CHECK(holds(split.out, "1 test images of "));
  check_usage({"--visible-objects", "--test-part", "5"},
              "--test-part has no meaning with --visible-objects: --split says which are tests");
  check_usage({"--visible", "4", "--split", "x.csv"}, "--split needs --visible-objects");
  check_usage({"--data", "synthetic", "--visible-objects", "--split", "x.csv"},
              "--split is for folders");
}

TEST_CASE("a quotient of means has the interval of a ratio estimate") {
  std::vector<double> const shares{0.2, 0.4, 0.3, 0.5};
  std::vector<double> const chances{0.25, 0.25, 0.25, 0.25};
  auto const found = tools::quotient_of_means(shares, chances);
  CHECK(found.value == doctest::Approx(1.4));
  // Of equal chances: the shares' standard error, sqrt(0.05 / 3 / 4), over a quarter.
  double const error = std::sqrt(0.05 / 3 / 4) / 0.25;
  CHECK(found.low == doctest::Approx(1.4 - 1.959964 * error));
  CHECK(found.high == doctest::Approx(1.4 + 1.959964 * error));
  std::vector<double> const twice{0.5, 0.8, 0.6, 1.0};
  std::vector<double> const half{0.25, 0.4, 0.3, 0.5};
  CHECK(tools::quotient_of_means(twice, half).high == doctest::Approx(2));  // no scatter
  CHECK(std::isnan(tools::quotient_of_means(std::vector{0.5}, std::vector{0.5}).low));
}
