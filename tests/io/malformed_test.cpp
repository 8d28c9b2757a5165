#include "allocation_peak.hpp"
#include "safetensors_bytes.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <utility>

// Malformed safetensors, requirement R11: each is refused with a typed error that names the file
// and the place, within a second, in no more memory than the file's own and 64 MB.

namespace {

using mae::safetensors_file;

constexpr std::size_t memory_bound = 64'000'000;

#ifdef __has_feature
[[maybe_unused]] constexpr bool clang_instruments =
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool clang_instruments = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
constexpr bool slowed = true;
#else
constexpr bool slowed = clang_instruments;
#endif
/// Of processor time, which other programs on the machine do not lengthen. The requirement is about
/// optimised builds; sanitizers and -O0 take several times as long.
constexpr double seconds_bound = slowed ? 10.0 : 1.0;

/// Runs `load` and checks what it may cost.
template <class Load>
void within_bounds(std::size_t file_bytes, Load load) {
  allocation_peak const peak;
  std::clock_t const start = std::clock();
  load();
  CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC <= seconds_bound);
  CHECK(peak.bytes() <= file_bytes + memory_bound);
}

/// `bytes` as a file is refused at `offset` with a message that holds `reason`.
void refused(std::string const& bytes,
             std::uint64_t offset,
             std::string const& reason,
             mae::safetensors_options options = {}) {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("bad.safetensors");
  write_text(path, bytes);
  std::string message;
  std::uint64_t found = 0;
  std::string file;
  within_bounds(bytes.size(), [&] {
    try {
      safetensors_file::load(path, options);
    } catch (mae::format_error const& e) {
      message = e.what();
      found = e.offset();
      file = e.file();
    }
  });
  CAPTURE(message);
  CHECK(message.find(reason) != std::string::npos);
  CHECK(found == offset);
  CHECK(file == path);
  CHECK_THROWS_AS(safetensors_file::parse("memory", buffer_of(bytes), options), mae::format_error);
}

/// A header with one tensor of four bytes in which `from` has been replaced by `to`.
std::string edited(std::string const& from, std::string const& to) {
  std::string header = R"({"t":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}})";
  auto const at = header.find(from);
  REQUIRE(at != std::string::npos);
  return framed(header.replace(at, from.size(), to), "wxyz");
}

std::string repeated(std::string const& text, std::size_t count) {
  std::string all;
  all.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("the case that the malformed ones are made from loads") {
  CHECK(safetensors_file::parse("f", buffer_of(edited("U8", "U8"))).tensors().size() == 1);
}

TEST_CASE("malformed framing is refused") {
  SUBCASE("0 bytes") {
    refused("", 0, "shorter than 8");
  }
  SUBCASE("1 to 7 bytes") {
    for (std::size_t size = 1; size < 8; ++size)
      refused(std::string(size, '\1'), size, "shorter than 8");
  }
  SUBCASE("header length 0") {
    refused(std::string(8, '\0'), 0, "empty");
  }
  SUBCASE("header length 0, data") {
    refused(framed("", "{}"), 0, "empty");
  }
  SUBCASE("header length one beyond the file") {
    std::string bytes = framed("{}");
    ++bytes[0];
    refused(bytes, 0, "longer than the file");
  }
  SUBCASE("header length over the cap") {
    refused(framed("{}" + std::string(16'000'000, ' ')), 0, "cap");
    refused(framed("{}   "), 0, "cap", {.header_cap = 4});
  }
  SUBCASE("header length over the format's cap, ours raised") {
    std::string bytes = framed("{}");
    for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<char>(100'000'001U >> 8 * i & 0xFF);
    refused(bytes, 0, "cap", {.header_cap = ~std::uint64_t{0}});
  }
  SUBCASE("header length 2^64 - 1") {
    refused(std::string(8, '\xff') + "{}", 0, "cap", {.header_cap = ~std::uint64_t{0}});
  }
  SUBCASE("header cut at every byte") {
    std::string const header = edited("U8", "U8").substr(8, 56);
    for (std::size_t size = 1; size + 1 < header.size(); ++size) {
      std::string const cut = header.substr(0, size);
      CAPTURE(cut);
      CHECK_THROWS_AS(safetensors_file::parse("f", buffer_of(framed(cut, "wxyz"))),
                      mae::format_error);
    }
    refused(framed(header.substr(0, 20)), 28, "ends in the middle");
  }
  SUBCASE("trailing bytes") {
    refused(edited("U8", "U8") + "!", 8 + 55 + 4, "no tensor");
  }
  SUBCASE("trailing bytes without a tensor") {
    refused(framed("{}", "x"), 10, "no tensor");
  }
  SUBCASE("data short by 1") {
    std::string bytes = edited("U8", "U8");
    bytes.pop_back();
    refused(bytes, 9, "beyond the end");
  }
}

TEST_CASE("malformed text is refused") {
  SUBCASE("not UTF-8") {
    refused(edited("\"t\"", "\"\xc3(\""), 10, "UTF-8");
  }
  SUBCASE("not UTF-8 in metadata") {
    refused(framed("{\"__metadata__\":{\"k\":\"\xff\"}}"), 8 + 22, "UTF-8");
  }
  SUBCASE("a byte order mark") {
    refused(framed("\xef\xbb\xbf{}"), 8, "begin with '{'");
  }
  SUBCASE("NUL padding") {
    refused(framed(std::string("{}\0\0", 4)), 10, "only spaces");
  }
  SUBCASE("a NUL in the middle") {
    refused(framed(std::string("{\0}", 3)), 9, "expected");
  }
  SUBCASE("not JSON") {
    refused(framed("hello"), 8, "begin with '{'");
  }
  SUBCASE("not JSON after the brace") {
    refused(framed("{hello}"), 9, "expected");
  }
  SUBCASE("an array as root") {
    refused(framed("[]"), 8, "begin with '{'");
  }
  SUBCASE("a string as root") {
    refused(framed("\"{}\""), 8, "begin with '{'");
  }
  SUBCASE("trailing garbage") {
    refused(framed("{} x"), 11, "only spaces");
  }
  SUBCASE("a second object") {
    refused(framed("{}{}"), 10, "only spaces");
  }
  SUBCASE("trailing line feed") {
    refused(framed("{}\n"), 10, "only spaces");
  }
  SUBCASE("trailing tab") {
    refused(framed("{}\t"), 10, "only spaces");
  }
  SUBCASE("white space before the brace") {
    for (char const* space : {" ", "\n", "\t", "\r"})
      refused(framed(space + std::string("{}")), 8, "begin with '{'");
  }
  SUBCASE("a block comment") {
    refused(framed("{/* */}"), 9, "expected");
  }
  SUBCASE("a line comment") {
    refused(framed("{}//"), 10, "only spaces");
  }
  SUBCASE("a trailing comma") {
    refused(edited("]}}", "]},}"), 8 + 55, "expected '\"'");
  }
  SUBCASE("single quotes") {
    refused(edited("\"t\"", "'t'"), 9, "expected '\"'");
  }
  SUBCASE("a control character") {
    refused(edited("\"t\"", "\"\x01\""), 10, "control");
  }
  SUBCASE("half a surrogate pair") {
    refused(edited("\"t\"", R"("\ud800")"), 10, "surrogate");
  }
  SUBCASE("NaN") {
    refused(edited("[2,2]", "[2,NaN]"), 8 + 30, "unsigned");
  }
  SUBCASE("Infinity") {
    refused(edited("[2,2]", "[2,Infinity]"), 8 + 30, "unsigned");
  }
  SUBCASE("null as a tensor") {
    refused(framed(R"({"t":null})"), 13, "expected '{'");
  }
  SUBCASE("arrays nested 1,000,000 deep as a tensor") {
    refused(framed("{\"t\":" + std::string(1'000'000, '[')), 13, "expected '{'");
  }
  SUBCASE("arrays nested 1,000,000 deep in a shape") {
    refused(edited("[2,2]", std::string(1'000'000, '[') + std::string(1'000'000, ']')),
            8 + 28,
            "unsigned");
  }
  SUBCASE("objects nested 1,000,000 deep") {
    refused(framed(repeated("{\"t\":", 1'000'000)), 14, "unknown field");
  }
}

TEST_CASE("malformed keys and metadata are refused") {
  SUBCASE("two tensors of one name") {
    refused(framed("{" + u8_tensor("t", 0, 1) + "," + u8_tensor("t", 1, 2) + "}", "xy"),
            8 + 2 + u8_tensor("t", 0, 1).size(),
            "two tensors are named 't'");
  }
  SUBCASE("two names that an escape makes equal") {
    refused(framed("{" + u8_tensor("t", 0, 1) + "," + u8_tensor("\\u0074", 1, 2) + "}", "xy"),
            8 + 2 + u8_tensor("t", 0, 1).size(),
            "two tensors are named 't'");
  }
  SUBCASE("two names far apart") {
    std::string header = "{" + u8_tensor("first", 0, 1);
    for (int i = 0; i < 100; ++i) header.append(",").append(u8_tensor(std::to_string(i), 1, 1));
    std::uint64_t const at = 8 + header.size() + 1;
    refused(framed(header + "," + u8_tensor("first", 1, 1) + "}", "x"), at, "'first'");
  }
  SUBCASE("two dtypes") {
    refused(edited("\"shape\"", R"("dtype":"U8","shape")"), 27, "two fields 'dtype'");
  }
  SUBCASE("two shapes, one escaped") {
    refused(edited("\"data", R"("sh\u0061pe":[2,2],"data)"), 41, "two fields 'shape'");
  }
  SUBCASE("two data_offsets") {
    refused(edited("\"shape\"", R"("data_offsets":[0,4],"shape")"), 62, "two fields");
  }
  SUBCASE("two __metadata__") {
    refused(framed(R"({"__metadata__":{},"__metadata__":{}})"), 8 + 19, "twice");
  }
  SUBCASE("two __metadata__, one escaped") {
    refused(framed(R"({"__metadata__":{},"\u005f_metadata__":{}})"), 8 + 19, "twice");
  }
  SUBCASE("an empty name") {
    refused(edited("\"t\"", "\"\""), 9, "empty name");
  }
  SUBCASE("a NUL in a name") {
    refused(edited("\"t\"", R"("\u0000")"), 10, "U+0000");
  }
  SUBCASE("two metadata entries of one key") {
    refused(framed(R"({"__metadata__":{"k":"a","k":"b"}})"), 8 + 25, "two entries 'k'");
  }
  SUBCASE("metadata that are no object") {
    refused(framed(R"({"__metadata__":"x"})"), 8 + 16, "expected '{'");
  }
  SUBCASE("metadata with a value that is no string") {
    for (char const* value : {"1", "null", "true", "{}", "[]", "1.5"})
      refused(framed(std::string(R"({"__metadata__":{"k":)") + value + "}}"), 8 + 21, "expected");
  }
  SUBCASE("more metadata than 65,536") {
    std::string header = R"({"__metadata__":{"0":"")";
    for (int i = 1; i < 65'536; ++i)
      header.append(",\"").append(std::to_string(i)).append("\":\"\"");
    CHECK_NOTHROW(safetensors_file::parse("f", buffer_of(framed(header + "}}"))));
    std::uint64_t const at = 8 + header.size() + 1;
    refused(framed(header + R"(,"x":""}})"), at, "too many");
  }
}

TEST_CASE("malformed hashes are refused") {
  SUBCASE("a wrong one") {
    refused(framed(R"({"__metadata__":{"mae.hash":"0123456789abcdef"}})"), 8 + 29, "changed");
  }
  SUBCASE("an empty one") {
    refused(framed(R"({"__metadata__":{"mae.hash":""}})"), 8 + 29, "16 digits");
  }
  SUBCASE("a lost one") {
    refused(framed(R"({"__metadata__":{"mae.format":"1"}})"), 8, "lost");
  }
  SUBCASE("of a later format, by its number") {
    refused(framed(R"({"__metadata__":{"mae.format":"2"}})"), 8, "mae.format is '2'");
    refused(framed(R"({"__metadata__":{"mae.format":"12","mae.hash":"?"}})"), 8, "'12', and this");
    refused(framed(R"({"__metadata__":{"mae.format":""}})"), 8, "later version");
  }
  SUBCASE("an escaped one") {
    refused(framed(R"({"__metadata__":{"mae.hash":"\u0030000000000000000"}})"), 8 + 29, "changed");
  }
}

TEST_CASE("malformed types and fields are refused") {
  SUBCASE("unknown dtype") {
    refused(edited("U8", "U9"), 8 + 14, "unknown dtype 'U9'");
  }
  SUBCASE("lower-case dtype") {
    refused(edited("U8", "u8"), 8 + 14, "unknown dtype 'u8'");
  }
  SUBCASE("a dtype that would spoil a terminal") {
    refused(edited("U8", R"(\u001b[2J\u009b)"), 8 + 14, "unknown dtype '?[2J");
  }
  SUBCASE("dtype as a number") {
    refused(edited("\"U8\"", "8"), 8 + 14, "expected '\"'");
  }
  SUBCASE("missing dtype") {
    refused(edited(R"("dtype":"U8",)", ""), 9, "lacks");
  }
  SUBCASE("missing shape") {
    refused(edited(R"("shape":[2,2],)", ""), 9, "lacks");
  }
  SUBCASE("missing data_offsets") {
    refused(edited(R"(,"data_offsets":[0,4])", ""), 9, "lacks");
  }
  SUBCASE("an empty tensor") {
    refused(framed(R"({"t":{}})"), 9, "lacks");
  }
  SUBCASE("an extra field") {
    refused(edited("[0,4]}", R"([0,4],"x":1})"), 8 + 54, "unknown field 'x'");
  }
  SUBCASE("shape as a float") {
    refused(edited("[2,2]", "[2.0,2]"), 8 + 29, "expected ']'");
  }
  SUBCASE("shape with an exponent") {
    refused(edited("[2,2]", "[2e0,2]"), 8 + 29, "expected");
  }
  SUBCASE("negative shape") {
    refused(edited("[2,2]", "[-2,-2]"), 8 + 28, "unsigned");
  }
  SUBCASE("shape 2^64") {
    refused(edited("[2,2]", "[18446744073709551616]"), 8 + 28, "64 bits");
  }
  SUBCASE("shape 2^63") {
    refused(edited("[2,2]", "[9223372036854775808]"), 8 + 28, "63 bits");
  }
  SUBCASE("shape as a string") {
    refused(edited("[2,2]", "\"4\""), 8 + 27, "expected '['");
  }
  SUBCASE("an extent as a string") {
    refused(edited("[2,2]", "[\"4\"]"), 8 + 28, "unsigned");
  }
  SUBCASE("shape as a number") {
    refused(edited("[2,2]", "4"), 8 + 27, "expected '['");
  }
  SUBCASE("a leading zero") {
    refused(edited("[2,2]", "[04]"), 8 + 28, "leading zero");
  }
  SUBCASE("17 extents") {
    refused(edited("[2,2]", "[4" + repeated(",1", 16) + "]"), 8 + 28 + 32, "16 extents");
  }
  SUBCASE("no offsets") {
    refused(edited("[0,4]", "[]"), 8 + 48, "two numbers");
  }
  SUBCASE("one offset") {
    refused(edited("[0,4]", "[4]"), 8 + 48, "two numbers");
  }
  SUBCASE("three offsets") {
    refused(edited("[0,4]", "[0,4,4]"), 8 + 48, "two numbers");
  }
  SUBCASE("a negative offset") {
    refused(edited("[0,4]", "[-0,4]"), 8 + 49, "unsigned");
  }
  SUBCASE("an offset as a float") {
    refused(edited("[0,4]", "[0,4.0]"), 8 + 52, "expected");
  }
  SUBCASE("an offset 2^64") {
    refused(edited("[0,4]", "[0,18446744073709551616]"), 8 + 51, "64 bits");
  }
}

TEST_CASE("sizes that overflow are refused") {
  SUBCASE("product of the shape, 2^64") {
    refused(edited("[2,2]", "[4294967296,4294967296]"), 9, "exceeds 64 bits");
  }
  SUBCASE("product of the shape, before a zero") {
    refused(edited("[2,2]", "[4294967296,4294967296,0]"), 9, "exceeds 64 bits");
  }
  SUBCASE("product of the shape, 2^64 + 4 would wrap to 4") {
    refused(edited("[2,2]", "[4,4611686018427387905]"), 9, "exceeds 64 bits");
  }
  SUBCASE("bytes, 2^64 + 8 would wrap to 8") {
    refused(framed(R"({"t":{"dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8]}})",
                   "12345678"),
            9,
            "exceeds 64 bits");
  }
}

TEST_CASE("malformed layouts are refused") {
  auto const two = [](std::string const& first, std::string const& second) {
    return framed("{" + first + "," + second + "}", "wxyz");
  };
  std::string const a = u8_tensor("a", 0, 2);
  std::uint64_t const second = 8 + 2 + a.size();
  SUBCASE("begin after end") {
    refused(edited("[0,4]", "[4,0]"), 9, "end before");
  }
  SUBCASE("end beyond the data") {
    refused(edited("[0,4]", "[0,5]"), 9, "beyond the end");
  }
  SUBCASE("end 2^64 - 1") {
    refused(edited("[0,4]", "[0,18446744073709551615]"), 9, "beyond the end");
  }
  SUBCASE("overlap by one") {
    refused(two(a, u8_tensor("b", 1, 4)), second, "overlap");
  }
  SUBCASE("the same bytes twice") {
    refused(framed("{" + a + "," + u8_tensor("b", 0, 2) + "}", "xy"), second, "overlap");
  }
  SUBCASE("an empty tensor inside another") {
    refused(two(u8_tensor("a", 0, 4), u8_tensor("b", 2, 2)), second, "overlap");
  }
  SUBCASE("a hole") {
    refused(two(a, u8_tensor("b", 3, 4)), second, "after a hole");
  }
  SUBCASE("not from 0") {
    refused(framed("{" + u8_tensor("a", 1, 4) + "}", "wxyz"), 9, "after a hole");
  }
  SUBCASE("an empty tensor beyond the others") {
    refused(framed("{" + a + "," + u8_tensor("b", 3, 3) + "}", "xy"), second, "beyond the end");
  }
  SUBCASE("span shorter than shape times dtype") {
    refused(edited("U8", "I16"), 9, "do not fit");
  }
  SUBCASE("span longer than shape times dtype") {
    refused(edited("[2,2]", "[2,1]"), 9, "do not fit");
  }
  SUBCASE("span of a scalar") {
    refused(edited("[2,2]", "[]"), 9, "do not fit");
  }
}

TEST_CASE("the worst headers cost no more than 64 MB and a second") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("worst.safetensors");
  auto const loads = [&](std::string const& header) {
    std::string const bytes = framed(header);
    REQUIRE(header.size() <= 16'000'000);
    REQUIRE(header.size() > 15'900'000);
    write_text(path, bytes);
    within_bounds(bytes.size(), [&] { CHECK_NOTHROW(safetensors_file::load(path)); });
  };
  auto const tensors_of = [](std::string const& name_tail, std::string const& shape) {
    std::string header = "{";
    for (std::uint32_t i = 0;; ++i) {
      std::string name;
      for (std::uint32_t rest = i; name.empty() || rest != 0; rest /= 64)
        name += "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[rest % 64];
      std::string const member = "\"" + name + name_tail + R"(":{"dtype":"U8","shape":)" + shape +
                                 R"(,"data_offsets":[0,0]})";
      if (header.size() + member.size() + 2 > 16'000'000) return header + "}";
      if (i != 0) header += ',';
      header += member;
    }
  };
  SUBCASE("tensors of rank 1") {
    loads(tensors_of("", "[0]"));
  }
  SUBCASE("tensors of rank 16") {
    loads(tensors_of("", "[" + repeated("0,", 15) + "0]"));
  }
  SUBCASE("tensors of names too long to be stored inline") {
    loads(tensors_of("0123456789ab", "[0]"));
    loads(tensors_of("0123456789ab", "[" + repeated("0,", 15) + "0]"));
  }
  SUBCASE("one long name") {
    loads("{" + u8_tensor(std::string(15'999'000, 'n'), 0, 0) + "}");
  }
  SUBCASE("one long name of escapes") {
    loads("{" + u8_tensor(repeated("\\t", 7'999'000), 0, 0) + "}");
  }
  SUBCASE("one long metadata value, then refused") {
    refused(framed(R"({"__metadata__":{"k":")" + std::string(15'999'000, 'v')),
            8 + 22 + 15'999'000,
            "ends in the middle");
  }
  SUBCASE("spaces alone") {
    loads("{}" + std::string(15'999'990, ' '));
  }
}

TEST_CASE("a header is refused before the data behind it are read, or memory is taken for them") {
  constexpr std::uint64_t four_gigabytes = std::uint64_t{1} << 32;
  constexpr std::size_t little = 100'000;
  for (auto const& [text, reason] :
       {std::pair("{}", "no tensor"),
        std::pair(R"({"t":{"dtype":"U9","shape":[2],"data_offsets":[0,2]}})", "unknown dtype"),
        std::pair(R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", "no tensor"),
        std::pair(R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})", "a hole"),
        std::pair("hello", "begin with '{'")}) {
    std::string const header = text;
    CAPTURE(header);
    mae_test::temporary_folder const folder;
    std::string const path = folder.file("sparse.safetensors");
    write_text(path, framed(header));
    std::filesystem::resize_file(path, four_gigabytes);
    std::string message;
    allocation_peak const peak;
    std::clock_t const start = std::clock();
    try {
      safetensors_file::load(path);
    } catch (mae::format_error const& e) {
      message = e.what();
    }
    CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC <= 0.1);
    CHECK(peak.bytes() <= little);
    CHECK(message.find(reason) != std::string::npos);
  }
}
