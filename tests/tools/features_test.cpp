// mae_features as its users run it: a row for every picture.

#include "editable_file.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/types.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
std::string const model = MAE_TESTS_DIR "/interop/fixtures/rgb";  // of 12x12 pixels, 16 wide
std::string const pictures = MAE_TESTS_DIR "/images/fixtures/";
constexpr std::size_t width = 16;

bool holds(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

/// A folder of pictures, and one for what the tool writes.
struct features_of_pictures {
  mae_test::temporary_folder data;
  mae_test::temporary_folder results;
  std::string out = results.file("x.npy");
  std::string table = results.file("x.csv");

  void put(std::string const& name, std::string const& picture = "rgb.png") const {
    fs::create_directories((data / name).parent_path());
    fs::copy(pictures + picture, data / name);
  }
  program_result run(std::vector<std::string> const& more = {}) const {
    return run_on(data.path().string(), more);
  }
  program_result run_on(std::string const& path, std::vector<std::string> const& more = {}) const {
    std::vector<std::string> words{std::string(TOOLS) + "/mae_features", "--model", model};
    words.insert(words.end(), {"--data", path, "--out", out});
    words.insert(words.end(), more.begin(), more.end());
    return run_program(words);
  }
  /// Runs what must succeed; the table's text.
  std::string table_of(std::vector<std::string> const& more = {}) const {
    auto const result = run(more);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    return read_text(table);
  }
  /// The values of the file, row after row.
  std::vector<float> values() const {
    std::string const bytes = read_text(out);
    auto const start = bytes.find('\n') + 1;
    std::vector<float> all((bytes.size() - start) / sizeof(float));
    std::memcpy(all.data(), bytes.data() + start, all.size() * sizeof(float));
    return all;
  }
  std::vector<float> row(std::size_t number) const {
    auto const all = values();
    return {all.begin() + static_cast<std::ptrdiff_t>(number * width),
            all.begin() + static_cast<std::ptrdiff_t>((number + 1) * width)};
  }
  void check_refused(program_result const& result, int exit_code, std::string const& why) const {
    CHECK(result.exit_code == exit_code);
    std::istringstream lines(result.err);
    int refusals = 0;  // beside what the model's file does not say, and is assumed
    for (std::string line; std::getline(lines, line);)
      if (line.find(" does not say ") == std::string::npos && !line.starts_with("assumed: "))
        ++refusals;
    CHECK(refusals == 1);
    CHECK(holds(result.err, why));
  }
};

}  // namespace

TEST_CASE_FIXTURE(features_of_pictures,
                  "every picture has a row, in the order of the paths' bytes") {
  for (auto const* name : {"test/b/1.png", "train/b/2.png", "train/a b/3.png", "val/b/5.png"})
    put(name);
  put("train/a,\"c\"/4.JPG", "photo.jpg");
  put("notes/._6.png");
  CHECK(table_of() ==
        "row,file,class\r\n"
        "0,test/b/1.png,b\r\n"
        "1,train/a b/3.png,a b\r\n"
        "2,\"train/a,\"\"c\"\"/4.JPG\",\"a,\"\"c\"\"\"\r\n"
        "3,train/b/2.png,b\r\n"
        "4,val/b/5.png,b\r\n");
  REQUIRE(values().size() == 5 * width);
  CHECK(row(0) == row(1));  // the same picture
  CHECK(row(0) != row(2));
  CHECK(row(0) == row(4));
  CHECK(table_of({"--part", "test"}) == "row,file,class\r\n0,test/b/1.png,b\r\n");
  CHECK(table_of({"--part", "test", "--test-part", "val"}) ==
        "row,file,class\r\n0,val/b/5.png,b\r\n");
  CHECK(std::ranges::count(table_of({"--part", "train"}), '\n') == 1 + 3);
}

TEST_CASE_FIXTURE(features_of_pictures,
                  "a picture alone, by itself or in a folder, and five of them have features") {
  put("a.png");
  CHECK(run_on(data.file("a.png")).exit_code == 0);
  auto const alone = values();
  CHECK(alone.size() == width);
  CHECK(read_text(table) == "row,file,class\r\n0,a.png,\r\n");
  auto const in_folder = run();
  CHECK(in_folder.exit_code == 0);
  CHECK(holds(in_folder.out, ": 1 picture, no classes"));
  CHECK(in_folder.err.find("tests are on") == std::string::npos);  // nothing is split
  CHECK(values() == alone);
  for (auto const* name : {"b.png", "c.png", "d.png", "e.png"}) put(name);
  CHECK(run().exit_code == 0);
  CHECK(values().size() == 5 * width);
}

TEST_CASE_FIXTURE(features_of_pictures, "of the first N pictures alone is anything decoded") {
  put("a.png");
  put("b.png");
  write_text(data.file("c.png"), "no picture");
  CHECK(table_of({"--images", "2"}) == "row,file,class\r\n0,a.png,\r\n1,b.png,\r\n");
  check_refused(run(), 1, "; --unreadable skip leaves such files out");
  put("d.png");
  CHECK(table_of({"--unreadable", "skip"}) ==
        "row,file,class\r\n0,a.png,\r\n1,b.png,\r\n2,d.png,\r\n");
}

TEST_CASE_FIXTURE(features_of_pictures,
                  "pictures are encoded part after part, to the bits of each alone") {
  constexpr int count = 300;  // a part are 128 on one thread
  auto const name_of = [](int i) { return std::to_string(1000 + i) + ".png"; };
  for (int i = 0; i < count; ++i)
    put(name_of(i), i % 3 == 0 ? "grey.png" : i % 3 == 1 ? "palette.png" : "rgb.png");
  std::vector<std::vector<float>> alone;
  for (int i = 0; i < 3; ++i) {
    CHECK(run_on(data.file(name_of(i))).exit_code == 0);
    alone.push_back(row(0));
  }
  std::string expected = "row,file,class\r\n";
  std::vector<float> values_expected;
  for (int i = 0; i < count; ++i) {
    bool const is_damaged = i == 5 || (i >= 128 && i < 256);  // the second part is none
    if (is_damaged) {
      write_text(data.file(name_of(i)), "no picture");
      continue;
    }
    auto const number = std::ranges::count(expected, '\n') - 1;
    expected += std::to_string(number) + ',' + name_of(i) + ",\r\n";
    auto const& own = alone[static_cast<std::size_t>(i % 3)];
    values_expected.insert(values_expected.end(), own.begin(), own.end());
  }
  CHECK(table_of({"--unreadable", "skip", "--threads", "1"}) == expected);
  CHECK(values() == values_expected);
  CHECK(table_of({"--unreadable", "skip", "--threads", "3"}) == expected);
  CHECK(values() == values_expected);
}

TEST_CASE_FIXTURE(features_of_pictures, "features that are not finite are refused by the picture") {
  put("a.png", "grey.png");
  put("b.png");
  std::string const large = results.file("large.safetensors");
  REQUIRE(run_program({std::string(TOOLS) + "/mae_convert", "--model", model, "--out", large})
              .exit_code == 0);
  editable_file file(large);
  std::vector<float> const huge(width, 3e38F);
  file.tensor("norm.weight").bytes = std::as_bytes(std::span(huge));
  file.save(large);
  auto const refused = run_program({std::string(TOOLS) + "/mae_features",
                                    "--model",
                                    large,
                                    "--data",
                                    data.path().string(),
                                    "--out",
                                    out});
  check_refused(refused, 1, "/a.png: its features are not finite: the checkpoint's weights");
  CHECK_FALSE(fs::exists(out));
  auto const of_set = run_program({std::string(TOOLS) + "/mae_features",
                                   "--model",
                                   large,
                                   "--data",
                                   "synthetic",
                                   "--images",
                                   "2",
                                   "--out",
                                   out});
  check_refused(of_set, 1, "train/0: its features are not finite");
  file.tensor("blocks.0.norm1.weight").bytes = std::as_bytes(std::span(huge));
  file.save(large);
  auto const in_int8 = run_program({std::string(TOOLS) + "/mae_features",
                                    "--model",
                                    large,
                                    "--data",
                                    "synthetic",
                                    "--out",
                                    out,
                                    "--precision",
                                    "int8"});
  check_refused(in_int8,
                1,
                "a value of a layer's input is not finite, which int8 products cannot read; "
                "where it is an image's, --precision fp32 tells of which");
}

TEST_CASE_FIXTURE(
    features_of_pictures,
    "a safetensors file has the table in its metadata, and labels where there are any") {
  put("train/cat/1.png");
  put("train/dog/2.png");
  put("test/3.png");
  std::string const path = results.file("x.safetensors");
  auto const file_of = [&](std::vector<std::string> more) {
    more.insert(more.end(), {"--out", path});
    auto const result = run_program([&] {
      std::vector<std::string> words{std::string(TOOLS) + "/mae_features", "--model", model};
      words.insert(words.end(), {"--data", data.path().string()});
      words.insert(words.end(), more.begin(), more.end());
      return words;
    }());
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    return mae::safetensors_file::load(path);
  };
  auto const file = file_of({});
  CHECK(file.metadata().at("part") == "all");
  CHECK(file.metadata().at("rows") ==
        "row,file,class\r\n0,test/3.png,\r\n1,train/cat/1.png,cat\r\n2,train/dog/2.png,dog\r\n");
  std::vector<std::int64_t> labels(3);
  REQUIRE(file.find("labels")->bytes.size() == sizeof(std::int64_t) * labels.size());
  std::memcpy(
      labels.data(), file.find("labels")->bytes.data(), sizeof(std::int64_t) * labels.size());
  CHECK(labels == std::vector<std::int64_t>{-1, 0, 1});
  CHECK(file_of({"--part", "test"}).find("labels") == nullptr);
  CHECK_FALSE(fs::exists(results / "x.csv"));

  put("train/dog/\xE9.png");  // Latin-1
  auto const result = run({"--images", "9"});
  CHECK_MESSAGE(result.exit_code == 0, result.err);
  CHECK(holds(read_text(table), "\xE9.png"));
}

TEST_CASE_FIXTURE(features_of_pictures,
                  "what cannot be written fails at once, and a failure leaves all as it was") {
  put("a.png");
  write_text(data.file("b.png"), "no picture");
  write_text(out, "the old one");
  write_text(table, "and its table");
  check_refused(run(), 1, "b.png");
  CHECK(read_text(out) == "the old one");
  CHECK(read_text(table) == "and its table");
  CHECK(results.entries() == 2);
  out = results.file("absent/x.npy");
  check_refused(run_on("synthetic"), 1, "absent/x.npy: create: No such file");
  out = results.file("x.txt");
  check_refused(run(), 2, "must end in .safetensors or .npy");
}

TEST_CASE_FIXTURE(features_of_pictures,
                  "synthetic images have rows in their order, train before test") {
  CHECK(run_on("synthetic", {"--images", "3"}).exit_code == 0);
  std::string const three = read_text(table);
  CHECK(three.starts_with("row,file,class\r\n0,train/0,"));
  CHECK(holds(three, "\r\n2,train/2,"));
  CHECK(run_on("synthetic", {"--part", "test", "--images", "1"}).exit_code == 0);
  CHECK(read_text(table).starts_with("row,file,class\r\n0,test/0,"));
}

TEST_CASE(
    "features in int8 are those of the encoder's file in int8, and a file says what it holds") {
  mae_test::temporary_folder const folder;
  auto const made = run_program({std::string(TOOLS) + "/mae_convert",
                                 "--model",
                                 model,
                                 "--out",
                                 folder.file("int8"),
                                 "--to",
                                 "int8"});
  CHECK_MESSAGE(made.exit_code == 0, made.err);
  CHECK(holds(made.out, " in int8\n"));
  auto const features = [&](std::string const& of, std::string const& precision) {
    std::string const out = folder.file("x.safetensors");
    auto const result = run_program({std::string(TOOLS) + "/mae_features",
                                     "--model",
                                     of,
                                     "--data",
                                     "synthetic",
                                     "--images",
                                     "9",
                                     "--out",
                                     out,
                                     "--precision",
                                     precision});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    editable_file file(out);
    CHECK(file.metadata.at("precision") == precision);
    auto const activations = file.metadata.at("activations");
    CHECK((precision == "int8" ? activations == "fp32" || activations == "bf16"
                               : activations == precision));
    return floats_of(file.tensor("features"));
  };
  auto const in_float = features(model, "fp32");
  auto const in_bf16 = features(model, "bf16");
  auto const in_int8 = features(model, "int8");
  CHECK(features(folder.file("int8"), "int8") == in_int8);
  CHECK(in_float != in_int8);
  CHECK(in_float != in_bf16);
  for (std::size_t i = 0; i < in_float.size(); ++i) {
    CHECK(std::abs(in_float[i] - in_int8[i]) < 0.1F);
    CHECK(std::abs(in_float[i] - in_bf16[i]) < 0.1F);
  }
}
