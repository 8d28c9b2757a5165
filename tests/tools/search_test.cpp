// mae_search, and what it measures, against plain references.

#include "png_file.hpp"
#include "retrieval.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

using mae::index_t;
namespace fs = std::filesystem;
std::string const model = MAE_TESTS_DIR "/tools/attention/model";

std::vector<float> noise(index_t values, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> all(static_cast<std::size_t>(values));
  for (float& value : all) value = normal(random);
  return all;
}

TEST_CASE("the images most like another are those of the greatest cosine, of equals the first") {
  std::vector<float> const gallery{1, 0, 0, 2, -1, 0, 3, 3, 0, 0, 0, 5};  // (6, 2)
  std::vector<float> const query{0, 4};
  auto const found = tools::most_like({gallery.data(), 6, 2}, query, 4);
  REQUIRE(found.size() == 4);
  CHECK(found[0].number == 1);
  CHECK(found[0].cosine == doctest::Approx(1));
  CHECK(found[1].number == 5);
  CHECK(found[2].number == 3);
  CHECK(found[2].cosine == doctest::Approx(std::sqrt(0.5)));
  CHECK(found[3].number == 0);
  CHECK(tools::most_like({gallery.data(), 6, 2}, query, 99, 1).size() == 5);
  CHECK(tools::most_like({gallery.data(), 6, 2}, query, 1, 1)[0].number == 5);
}

TEST_CASE("recall and mean average precision are what their definitions say") {
  constexpr index_t n = 23;
  constexpr index_t width = 3;
  auto const features = noise(n * width, 5);
  std::vector<std::int64_t> labels;
  for (index_t i = 0; i < n; ++i) labels.push_back(i < 3 ? -1 : i == 3 ? 7 : i % 4);
  std::vector<index_t> const ks{1, 4};
  auto const found = tools::measure_retrieval({features.data(), n, width}, labels, ks);

  // By a sort of each row of the table of all cosines.
  auto const cosine = [&](index_t i, index_t j) {
    double product = 0;
    double a = 0;
    double b = 0;
    for (index_t k = 0; k < width; ++k) {
      double const x = features[static_cast<std::size_t>(i * width + k)];
      double const y = features[static_cast<std::size_t>(j * width + k)];
      product += x * y;
      a += x * x;
      b += y * y;
    }
    return product / std::sqrt(a * b);
  };
  double precisions = 0;
  std::vector<double> recall(2);
  index_t queries = 0;
  for (index_t i = 4; i < n; ++i) {  // 7 stands alone
    std::vector<index_t> order;
    for (index_t j = 0; j < n; ++j)
      if (j != i) order.push_back(j);
    std::ranges::sort(order, [&](index_t a, index_t b) { return cosine(i, a) > cosine(i, b); });
    std::vector<std::size_t> ranks;  // of those of its class, from 1
    for (std::size_t place = 0; place < order.size(); ++place)
      if (labels[static_cast<std::size_t>(order[place])] == labels[static_cast<std::size_t>(i)])
        ranks.push_back(place + 1);
    double precision = 0;
    for (std::size_t r = 0; r < ranks.size(); ++r)
      precision += static_cast<double>(r + 1) / static_cast<double>(ranks[r]);
    precisions += precision / static_cast<double>(ranks.size());
    for (std::size_t k = 0; k < 2; ++k)
      recall[k] += ranks.front() <= static_cast<std::size_t>(ks[k]) ? 1 : 0;
    ++queries;
  }
  CHECK(found.queries == queries);
  CHECK(found.mean_average_precision ==
        doctest::Approx(precisions / static_cast<double>(queries)).epsilon(1e-12));
  for (std::size_t k = 0; k < 2; ++k)
    CHECK(found.recall[k] == doctest::Approx(recall[k] / static_cast<double>(queries)));
  std::vector<std::int64_t> const none(n, -1);
  CHECK(tools::measure_retrieval({features.data(), n, width}, none, ks).queries == 0);
}

TEST_CASE(
    "mae_search finds a picture of the gallery itself first, and shows and lists what it found") {
  mae_test::temporary_folder const folder;
  fs::create_directories(folder / "gallery/noise");
  fs::create_directories(folder / "gallery/smooth, wide");
  std::string const pictures = MAE_TESTS_DIR "/tools/fixtures/timm_pictures/train/";
  fs::copy(MAE_TESTS_DIR "/tools/attention/pictures/noise.png", folder / "gallery/noise/a.png");
  for (char const* const name : {"0.png", "1.png"})
    fs::copy(pictures + name, folder / "gallery/smooth, wide" / name);
  auto const out = folder / "out";
  std::vector<std::string> command{std::string(TOOLS) + "/mae_search", "--model", model};
  command.insert(command.end(), {"--gallery", (folder / "gallery").string()});
  auto const alone = run_program(command);
  REQUIRE_MESSAGE(alone.exit_code == 0, alone.err);
  CHECK(alone.out.find("of 2 images of the gallery") != std::string::npos);
  command.insert(command.end(), {"--query", pictures + "1.png", "--out", out.string()});
  command.insert(command.end(), {"--results", "2"});
  auto const result = run_program(command);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);

  std::istringstream table(read_text(out / "results.csv"));
  std::string line;
  std::getline(table, line);
  CHECK(line == "query,rank,file,class,cosine\r");
  std::getline(table, line);
  CHECK(line == "1.png,1,\"smooth, wide/1.png\",\"smooth, wide\",1\r");
  std::getline(table, line);
  CHECK(line.starts_with("1.png,2,"));
  CHECK_FALSE(std::getline(table, line));
  auto const sheet = pretrain::load_png(out / "results.png");
  CHECK(sheet.width() >
        7 * sheet.height());  // query, paper and two results, each twice as wide as high
  command = {std::string(TOOLS) + "/mae_search", "--model", model, "--query", pictures + "1.png"};
  CHECK(run_program(command).exit_code == 2);
}

}  // namespace
