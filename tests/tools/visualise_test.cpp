// mae_visualise and what it draws from: attention is that of timm (make_attention_fixture.py).

#include "attention_view.hpp"
#include "editable_file.hpp"
#include "heat.hpp"
#include "image_map.hpp"
#include "named_images.hpp"
#include "png_file.hpp"
#include "principal_axes.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "tsne.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
std::string const fixture = MAE_TESTS_DIR "/tools/attention/";

/// The fixture's picture as its encoder looks at it, once for all test cases.
tools::attention_of_image const& seen() {
  static tools::attention_of_image const attention = [] {
    tools::common_options o;
    auto const threads = std::make_shared<mae::thread_pool>(1);
    auto const model = mae::read_pretrained(fixture + "model");
    auto const set = tools::load_named_images(o, fixture + "pictures", model, 0, *threads);
    return tools::attention_viewer(model, threads).look(set.images, 0);
  }();
  return attention;
}

void check_close(std::vector<float> const& found, char const* name) {
  auto const file = mae::safetensors_file::load(fixture + "expected.safetensors");
  auto const* const tensor = file.find(name);
  REQUIRE(tensor != nullptr);
  auto const expected = floats_of(*tensor);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-5).scale(1));
}

std::vector<float> noise(index_t values, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> all(static_cast<std::size_t>(values));
  for (float& value : all) value = normal(random);
  return all;
}

program_result visualise(std::vector<std::string> more) {
  more.insert(more.begin(), {std::string(TOOLS) + "/mae_visualise", "--model", fixture + "model"});
  return run_program(more);
}

TEST_CASE("attention, tokens and rollout are those of timm") {
  CHECK(seen().blocks == 2);
  CHECK(seen().heads == 3);
  CHECK(seen().tokens == 9);
  check_close(seen().probabilities, "probabilities");
  check_close(seen().encoded, "tokens");
  check_close(tools::attention_rollout(seen()), "rollout");
}

TEST_CASE("the class token's attention is the first row of the last block's heads") {
  auto const mean = tools::mean_class_attention(seen());
  REQUIRE(mean.size() == 8);
  for (std::size_t patch = 0; patch < 8; ++patch) {
    float sum = 0;
    for (index_t head = 0; head < 3; ++head) {
      float const own = tools::class_attention(seen(), head)[patch];
      CHECK(own == seen().of_head(1, head)[patch + 1]);
      sum += own;
    }
    CHECK(mean[patch] == doctest::Approx(sum / 3));
  }
}

/// A flat patch beside each that is none, of the fixture's extent.
std::vector<std::uint8_t> dense_and_flat_patches() {
  std::mt19937 random(4);
  std::vector<std::uint8_t> pixels(std::size_t{16} * 32 * 3, 128);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    if (i / 3 % 32 / 8 % 2 == 0) pixels[i] = static_cast<std::uint8_t>(random() % 256);
  return pixels;
}

/// What an encoder looks at whose tokens are told how dense their patches are. Its first block
/// changes no token, and the second one's heads are the same: both look at the same tokens.
tools::attention_of_image seen_where_density_is_told(float how_loud) {
  mae_test::temporary_folder const folder;
  std::string const plain = folder.file("plain.safetensors");
  REQUIRE(run_program(
              {std::string(TOOLS) + "/mae_convert", "--model", fixture + "model", "--out", plain})
              .exit_code == 0);
  editable_file file(plain);
  std::vector<float> const nothing(std::size_t{24} * 96);
  for (std::string const name : {"attn.proj.", "mlp.fc2."})
    for (std::string const kind : {"weight", "bias"}) {
      auto& bytes = file.tensor("blocks.0." + name + kind).bytes;
      bytes = std::as_bytes(std::span(nothing)).first(bytes.size());
    }
  for (std::string const name : {"norm1.", "attn.qkv."})
    for (std::string const kind : {"weight", "bias"})
      file.tensor("blocks.1." + name + kind).bytes = file.tensor("blocks.0." + name + kind).bytes;
  auto told = noise(index_t{2} * 24, 8);
  for (float& value : told) value *= how_loud;
  file.tensors.push_back({.name = "density_token",
                          .type = mae::dtype::f32,
                          .shape = {2, 24},
                          .bytes = std::as_bytes(std::span(std::as_const(told)))});
  file.metadata["density_token"] = "2";
  file.metadata["density_token_at"] = "visible";
  file.metadata["density_token_measure"] = "variance";
  file.metadata["density_token_bounds"] = "-5";
  file.save(folder.file("told.safetensors"));

  auto const model = mae::read_pretrained(folder.file("told.safetensors"));
  auto const pixels = dense_and_flat_patches();
  pretrain::image_set const images(
      mae::memory_dataset<std::uint8_t>::view(pixels, {.extent = model.sizes.image}));
  return tools::attention_viewer(model, std::make_shared<mae::thread_pool>(1)).look(images, 0);
}

TEST_CASE(
    "what the first block looks at is told the patches' density, as the encoder's tokens are") {
  auto const quiet = seen_where_density_is_told(0);
  auto const loud = seen_where_density_is_told(1);
  float most = 0;
  for (index_t head = 0; head < 3; ++head)
    for (std::size_t i = 0; i < 81; ++i) {
      CHECK(loud.of_head(0, head)[i] == doctest::Approx(loud.of_head(1, head)[i]).epsilon(1e-5));
      most = std::max(most, std::abs(loud.of_head(1, head)[i] - quiet.of_head(1, head)[i]));
    }
  CHECK(most > 0.05F);  // or nothing is told
}

TEST_CASE("a patch is as like itself as can be, and likeness goes both ways") {
  auto const to_five = tools::similarity_to_patch(seen(), 5);
  CHECK(to_five[5] == doctest::Approx(1));
  CHECK(*std::ranges::max_element(to_five) <= 1.00001F);
  CHECK(to_five[2] == doctest::Approx(tools::similarity_to_patch(seen(), 2)[5]));
}

TEST_CASE("axes are those of the greatest variance, whatever the rows' mean, and of a known sign") {
  // Along (3, 4) / 5 three times as far as across it, around (10, -7).
  std::vector<float> rows;
  for (float const along : {-3.0F, 3.0F})
    for (float const across : {-1.0F, 1.0F})
      rows.insert(rows.end(),
                  {10 + 0.6F * along - 0.8F * across, -7 + 0.8F * along + 0.6F * across});
  auto const found = tools::find_principal_axes({rows.data(), 4, 2}, 3);
  CHECK(found.shares[0] == doctest::Approx(0.9));
  CHECK(found.shares[1] == doctest::Approx(0.1));
  CHECK(found.shares[2] == 0);
  std::vector<float> const expected{-3, 1, 0, -3, -1, 0, 3, 1, 0, 3, -1, 0};
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(found.coordinates[i] == doctest::Approx(expected[i]).scale(1).epsilon(1e-5));
}

TEST_CASE("every point attends to as many neighbours as the perplexity says") {
  constexpr index_t n = 30;
  auto const points = noise(n * 3, 1);
  std::vector<double> squares(n * n);
  for (index_t i = 0; i < n; ++i)
    for (index_t j = 0; j < n; ++j)
      for (index_t k = 0; k < 3; ++k)
        squares[static_cast<std::size_t>(i * n + j)] +=
            std::pow(points[static_cast<std::size_t>(i * 3 + k)] -
                         points[static_cast<std::size_t>(j * 3 + k)],
                     2);
  auto const p = tools::tsne_affinities(squares, n, 7);
  for (index_t i = 0; i < n; ++i) {
    double entropy = 0;
    double sum = 0;
    for (index_t j = 0; j < n; ++j) {
      double const share = p[static_cast<std::size_t>(i * n + j)];
      sum += share;
      if (share > 0) entropy -= share * std::log(share);
    }
    CHECK(p[static_cast<std::size_t>(i * n + i)] == 0);
    CHECK(sum == doctest::Approx(1));
    CHECK(std::exp(entropy) == doctest::Approx(7).epsilon(1e-4));
  }
}

TEST_CASE(
    "t-SNE keeps neighbours together, is the same every time, and takes few or equal points") {
  constexpr index_t n = 60;
  constexpr index_t width = 10;
  auto rows = noise(n * width, 3);
  for (index_t i = 0; i < n; ++i)  // three clouds, far apart
    rows[static_cast<std::size_t>(i * width + i % 3)] += 30;
  auto const places = tools::place_by_tsne({rows.data(), n, width});
  CHECK(places == tools::place_by_tsne({rows.data(), n, width}));
  for (index_t i = 0; i < n; ++i) {
    index_t nearest = -1;
    double least = 1e300;
    for (index_t j = 0; j < n; ++j) {
      auto const apart = [&](index_t axis) {
        return static_cast<double>(places[static_cast<std::size_t>(2 * i + axis)]) -
               static_cast<double>(places[static_cast<std::size_t>(2 * j + axis)]);
      };
      double const square = apart(0) * apart(0) + apart(1) * apart(1);
      if (j != i && square < least) least = square, nearest = j;
    }
    CHECK(nearest % 3 == i % 3);
  }
  CHECK(tools::place_by_tsne({rows.data(), 3, width}).size() == 6);
  std::vector<float> const equal(50, 1.0F);
  for (float const value : tools::place_by_tsne({equal.data(), 10, 5})) CHECK(std::isfinite(value));
}

TEST_CASE("heat rises from dark blue to yellow, patch by patch, over grey") {
  pretrain::float_image const white{{.height = 2, .width = 4, .channels = 1},
                                    std::vector<float>(8, 1.0F)};
  std::vector<float> const values{-2, 6};
  auto const drawn = pretrain::draw_heat(white, {.height = 2, .width = 2}, values);
  REQUIRE(drawn.values.size() == 24);
  CHECK(drawn.values[0] == doctest::Approx(0.35 + 0.65 * 0.267));
  CHECK(drawn.values[3 * 2] == doctest::Approx(0.35 + 0.65 * 0.993));
  CHECK(drawn.values[3 * 7 + 2] == doctest::Approx(0.35 + 0.65 * 0.144));
  std::vector<float> const equal{1, 1};
  CHECK(pretrain::draw_heat(white, {.height = 2, .width = 2}, equal).values[0] ==
        doctest::Approx(0.35 + 0.65 * 0.267));
}

TEST_CASE("numbers are evenly spread") {
  CHECK(tools::spread(10, 3) == std::vector<index_t>{0, 3, 6});
  CHECK(tools::spread(2, 3) == std::vector<index_t>{0, 1});
  CHECK(tools::spread(3, 0) == std::vector<index_t>{0, 1, 2});
}

TEST_CASE("mae_visualise draws a page, pictures, maps and what the projector takes") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "out";
  auto const result = visualise({"--data",
                                 "synthetic",
                                 "--out",
                                 out.string(),
                                 "--images",
                                 "2",
                                 "--map-images",
                                 "5",
                                 "--projector",
                                 "--patch",
                                 "1,3"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  auto const views = pretrain::load_png(out / "views.png");
  CHECK(views.width() >
        8 * views.height() / 2);  // two rows of eight pictures, twice as wide as high
  for (char const* const map : {"map_pca.svg", "map_tsne.svg"}) {
    std::string const svg = read_text(out / map);
    std::size_t images = 0;
    for (auto at = svg.find("<image"); at != std::string::npos; at = svg.find("<image", at + 1))
      ++images;
    CHECK(images == 5);
  }
  std::string const page = read_text(out / "visualise.html");
  CHECK(page.find("href=\"http") == std::string::npos);
  std::string const tensors = read_text(out / "projector/tensors.tsv");
  CHECK(std::ranges::count(tensors, '\n') == 5);
  CHECK(std::ranges::count(tensors, '\t') == 5 * 23);
  CHECK(read_text(out / "projector/metadata.tsv").starts_with("file\tclass\ntest/0\t"));
  auto const sprite = pretrain::load_png(out / "projector/sprite.png");
  CHECK(sprite.width() == 3 * 32);
  CHECK(sprite.height() == 3 * 16);
}

TEST_CASE("mae_visualise refuses what is not there") {
  mae_test::temporary_folder const folder;
  auto const check = [&](std::vector<std::string> more, int exit_code, char const* why) {
    auto const result = visualise(std::move(more));
    CHECK(result.exit_code == exit_code);
    CHECK_MESSAGE(result.err.find(why) != std::string::npos, result.err);
  };
  std::string const data = fixture + "pictures";
  check({"--data", data}, 2, "--out names the folder");
  check({"--data", data, "--out", folder.file("a"), "--patch", "2,0"}, 2, "2 rows of 4 patches");
  check({"--data", data, "--out", folder.file("a"), "--patch", "1"}, 2, "a row and a column");
  check({"--data", data, "--out", folder.file("a")}, 1, "a map needs three images");
}

}  // namespace
