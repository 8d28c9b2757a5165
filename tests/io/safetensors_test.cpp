#include "safetensors_bytes.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/random.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::dtype;
using mae::safetensors_file;

/// A file as `save_safetensors` writes it, with its tensors' bytes.
struct sample {
  std::array<float, 6> weights{0.0F, -0.0F, 1.5F, -2.25F, 1e-40F, 3e38F};
  std::array<std::uint8_t, 3> bytes{7, 0, 255};
  mae::safetensors_metadata metadata{
      {"step", "12"}, {"", "an empty key"}, {"quoted \"\\\n\x01 \u20ac", "\u00e9\U0001F600\t"}};
  std::vector<mae::tensor_entry> tensors{
      {"z.weight", dtype::f32, {2, 3}, std::as_bytes(std::span(weights))},
      {"a \"odd\" \u20ac", dtype::u8, {3}, std::as_bytes(std::span(bytes))},
      {"none", dtype::f64, {4, 0}, {}},
      {"scalar", dtype::bf16, {}, std::as_bytes(std::span(bytes)).first(2)}};

  void save(std::string const& path) const { mae::save_safetensors(path, tensors, metadata); }
};

safetensors_file parse(std::string const& bytes) {
  return safetensors_file::parse("f", buffer_of(bytes));
}

void check_equal(safetensors_file const& file, sample const& expected) {
  CHECK(file.hashed());
  CHECK(file.metadata() == expected.metadata);
  REQUIRE(file.tensors().size() == expected.tensors.size());
  for (std::size_t i = 0; i < expected.tensors.size(); ++i) {
    mae::tensor_entry const& wanted = expected.tensors[i];
    mae::tensor_entry const& found = file.tensors()[i];
    CHECK(found.name == wanted.name);
    CHECK(found.type == wanted.type);
    CHECK(found.shape == wanted.shape);
    CHECK(text_of(found.bytes) == text_of(wanted.bytes));
    CHECK(file.find(wanted.name) == &found);
  }
}

}  // namespace

TEST_CASE("what was saved is loaded") {
  mae_test::temporary_folder const folder;
  sample const expected;
  expected.save(folder.file("a"));
  check_equal(safetensors_file::load(folder.file("a")), expected);
  expected.save(folder.file("b"));
  CHECK(read_text(folder.file("a")) == read_text(folder.file("b")));
  CHECK(folder.entries() == 2);
  mae::save_safetensors(folder.file("a"), {});
  auto const empty = safetensors_file::load(folder.file("a"));
  CHECK(empty.tensors().empty());
  CHECK(empty.metadata().empty());
  CHECK(empty.hashed());
}

TEST_CASE("a saved header is aligned to 8 bytes, and a moved file keeps its tensors") {
  mae_test::temporary_folder const folder;
  sample expected;
  for (int length = 0; length < 9; ++length) {
    expected.metadata["padding"] = std::string(static_cast<std::size_t>(length), 'x');
    expected.save(folder.file("a"));
    auto first = safetensors_file::load(folder.file("a"));
    auto const moved = std::move(first);
    check_equal(moved, expected);
    CHECK(reinterpret_cast<std::uintptr_t>(moved.tensors()[0].bytes.data()) % 8 == 0);
  }
}

TEST_CASE("find gives nullptr for a name that is not there") {
  auto const file =
      parse(framed("{" + u8_tensor("b", 0, 1) + "," + u8_tensor("a", 1, 3) + "}", "xyz"));
  REQUIRE(file.find("a") != nullptr);
  CHECK(text_of(file.find("a")->bytes) == "yz");
  CHECK(text_of(file.find("b")->bytes) == "x");
  for (char const* name : {"", "A", "aa", "c", "__metadata__"}) CHECK(file.find(name) == nullptr);
}

TEST_CASE("every dtype of the format is known by name and size") {
  std::array<std::pair<char const*, std::size_t>, 15> const all{{{"BOOL", 1},
                                                                 {"U8", 1},
                                                                 {"I8", 1},
                                                                 {"F8_E5M2", 1},
                                                                 {"F8_E4M3", 1},
                                                                 {"I16", 2},
                                                                 {"U16", 2},
                                                                 {"F16", 2},
                                                                 {"BF16", 2},
                                                                 {"I32", 4},
                                                                 {"U32", 4},
                                                                 {"F32", 4},
                                                                 {"F64", 8},
                                                                 {"I64", 8},
                                                                 {"U64", 8}}};
  for (auto const& known : all) {
    CAPTURE(known.first);
    auto const type = mae::dtype_of(known.first);
    REQUIRE(type.has_value());
    CHECK(mae::dtype_name(*type) == known.first);
    CHECK(mae::dtype_bytes(*type) == known.second);
  }
  CHECK_FALSE(mae::dtype_of("f32").has_value());
  CHECK_FALSE(mae::dtype_of("").has_value());
}

TEST_CASE("valid files of other programs load") {
  SUBCASE("no tensors") {
    auto const file = parse(framed("{}"));
    CHECK(file.tensors().empty());
    CHECK_FALSE(file.hashed());
  }
  SUBCASE("a scalar") {
    auto const file =
        parse(framed(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", "1234"));
    CHECK(file.tensors()[0].shape.empty());
    CHECK(text_of(file.tensors()[0].bytes) == "1234");
  }
  SUBCASE("a zero extent, also between others and beside a huge one") {
    auto const file = parse(framed("{" + u8_tensor("a", 0, 2) +
                                       R"(,"n":{"dtype":"F64","shape":[0,9223372036854775807],)"
                                       R"("data_offsets":[2,2]},)" +
                                       u8_tensor("b", 2, 3) + "}",
                                   "xyz"));
    CHECK(file.find("n")->bytes.empty());
    CHECK(file.find("n")->shape == std::vector<mae::index_t>{0, 9223372036854775807});
  }
  SUBCASE("names and data in different orders") {
    auto const file = parse(framed(
        "{" + u8_tensor("z", 2, 3) + "," + u8_tensor("m", 0, 1) + "," + u8_tensor("a", 1, 2) + "}",
        "xyz"));
    CHECK(file.tensors()[0].name == "z");
    CHECK(text_of(file.find("z")->bytes) == "z");
    CHECK(text_of(file.find("m")->bytes) == "x");
    CHECK(text_of(file.find("a")->bytes) == "y");
  }
  SUBCASE("trailing spaces") {
    CHECK(parse(framed("{}      ")).tensors().empty());
  }
  SUBCASE("white space inside") {
    CHECK(parse(framed("{ \n\t\r\"a\" : {\"shape\" : [ 1 , 1 ], \"data_offsets\":[0, 1],"
                       "\"dtype\":\"BOOL\"} }",
                       "x"))
              .tensors()
              .size() == 1);
  }
  SUBCASE("metadata, also without our hash, and escapes") {
    auto const file = parse(framed(R"({"__metadata__":{"format":"pt","k\u00e9":"\u20ac"}})"));
    CHECK(file.metadata() == mae::safetensors_metadata{{"format", "pt"}, {"k\u00e9", "\u20ac"}});
    CHECK_FALSE(file.hashed());
  }
  SUBCASE("empty metadata") {
    CHECK(parse(framed(R"({"__metadata__":{}})")).metadata().empty());
  }
}

TEST_CASE("any flipped bit is found") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  sample const expected;
  expected.save(path);
  std::string const intact = read_text(path);
  mae::random_stream random({.seed = 1, .use = mae::purpose::synthetic});
  auto const refuses = [&](std::size_t bit) {
    std::string flipped = intact;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    CAPTURE(bit);
    CHECK_THROWS_AS(parse(flipped), mae::format_error);
  };
  SUBCASE("every single bit of a small file") {
    for (std::size_t bit = 0; bit < 8 * intact.size(); ++bit) refuses(bit);
  }
  SUBCASE("1,000 random ones, on the disk") {
    for (int i = 0; i < 1000; ++i) {
      std::string flipped = intact;
      std::size_t const bit = random.below(8 * intact.size());
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      write_text(path, flipped);
      CHECK_THROWS_AS(safetensors_file::load(path), mae::format_error);
    }
  }
  SUBCASE("in data of spaces, which look like the header's padding") {
    std::string const spaces(64, ' ');
    mae::tensor_entry const tensor{
        "t", dtype::u8, {64}, std::as_bytes(std::span<char const>(spaces))};
    mae::save_safetensors(path, {&tensor, 1});
    std::string const bytes = read_text(path);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      CHECK_THROWS_AS(parse(flipped), mae::format_error);
    }
  }
}

TEST_CASE("a file that could not be loaded again is not written") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("a");
  sample good;
  good.save(path);
  auto const refuses = [&](std::vector<mae::tensor_entry> const& tensors,
                           mae::safetensors_metadata const& metadata = {}) {
    CHECK_THROWS_AS(mae::save_safetensors(path, tensors, metadata), mae::config_error);
    check_equal(safetensors_file::load(path), good);
    CHECK(folder.entries() == 1);
  };
  auto const one = std::as_bytes(std::span(good.bytes)).first(1);
  SUBCASE("empty name") {
    refuses({{"", dtype::u8, {1}, one}});
  }
  SUBCASE("reserved name") {
    refuses({{"__metadata__", dtype::u8, {1}, one}});
  }
  SUBCASE("equal names") {
    refuses({{"a", dtype::u8, {1}, one}, {"a", dtype::u8, {1}, one}});
  }
  SUBCASE("a name that is not UTF-8") {
    refuses({{"\xff", dtype::u8, {1}, one}});
  }
  SUBCASE("a name with a NUL") {
    refuses({{std::string("a\0b", 3), dtype::u8, {1}, one}});
  }
  SUBCASE("bytes of another shape") {
    refuses({{"a", dtype::u8, {2}, one}});
  }
  SUBCASE("bytes of another dtype") {
    refuses({{"a", dtype::f32, {1}, one}});
  }
  SUBCASE("a negative extent") {
    refuses({{"a", dtype::u8, {-1}, one}});
  }
  SUBCASE("an overflowing shape") {
    refuses({{"a", dtype::u8, {mae::index_t{1} << 32, mae::index_t{1} << 32, 0}, {}}});
  }
  SUBCASE("17 extents") {
    refuses({{"a", dtype::u8, std::vector<mae::index_t>(17, 1), one}});
  }
  SUBCASE("our metadata keys") {
    refuses({}, {{"mae.hash", "0"}});
    refuses({}, {{"mae.format", "1"}});
  }
  SUBCASE("metadata that are not UTF-8") {
    refuses({}, {{"k", "\xc3("}});
  }
  SUBCASE("a header over the cap") {
    refuses({}, {{"k", std::string(16'000'000, 'x')}});
  }
  SUBCASE("too many metadata") {
    mae::safetensors_metadata many;
    for (int i = 0; i < 65'535; ++i) many.emplace(std::to_string(i), "");
    refuses({}, many);
  }
}

TEST_CASE("the largest metadata that are written load") {
  mae_test::temporary_folder const folder;
  mae::safetensors_metadata many;
  for (int i = 0; i < 65'534; ++i) many.emplace(std::to_string(i), "");
  mae::save_safetensors(folder.file("a"), {}, many);
  CHECK(safetensors_file::load(folder.file("a")).metadata() == many);
}
