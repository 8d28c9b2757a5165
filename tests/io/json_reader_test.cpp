#include <mae/io/json_reader.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string read_string(std::string_view text) {
  mae::json_reader reader("f", text, 100);
  std::string content = reader.string();
  reader.finish();
  return content;
}

std::uint64_t read_number(std::string_view text) {
  mae::json_reader reader("f", text, 100);
  std::uint64_t const value = reader.unsigned_integer();
  reader.finish();
  return value;
}

/// The offset at which `read` refuses `text`, which lies at byte 100; -1 when it does not.
template <class Read>
std::int64_t refused_at(Read read, std::string_view text) {
  try {
    read(text);
  } catch (mae::format_error const& e) {
    CHECK(e.file() == "f");
    return static_cast<std::int64_t>(e.offset());
  }
  return -1;
}

double read_double(std::string_view text) {
  mae::json_reader reader("f", text, 100);
  double const value = reader.number();
  reader.finish();
  return value;
}

void skip_value(std::string_view text) {
  mae::json_reader reader("f", text, 100);
  reader.skip();
  reader.finish_text();
}

}  // namespace

TEST_CASE("strings are decoded") {
  CHECK(read_string(R"("")").empty());
  CHECK(read_string(" \t\r\n\"blocks.0\"   ") == "blocks.0");
  CHECK(read_string(R"("\"\\\/\b\f\n\r\t")") == "\"\\/\b\f\n\r\t");
  CHECK(read_string(R"("\u0041\u00e9\u20AC\ud83d\uDE00")") == "A\u00e9\u20ac\U0001F600");
  CHECK(read_string("\"\u00e9\u20ac\U0001F600\x7f\"") == "\u00e9\u20ac\U0001F600\x7f");
  CHECK(read_string("\"\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80\"") ==
        "\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80");
}

TEST_CASE("strings that are not strict JSON are refused where they go wrong") {
  CHECK(refused_at(read_string, "") == 100);
  CHECK(refused_at(read_string, "'a'") == 100);
  CHECK(refused_at(read_string, "\"ab") == 103);
  CHECK(refused_at(read_string, "\"a\nb\"") == 102);
  CHECK(refused_at(read_string, {"\"a\0b\"", 5}) == 102);
  CHECK(refused_at(read_string, R"("\u0000")") == 101);
  CHECK(refused_at(read_string, R"("\x41")") == 101);
  CHECK(refused_at(read_string, R"("\u12G4")") == 101);
  CHECK(refused_at(read_string, R"("\u12)") == 105);
  CHECK(refused_at(read_string, "\"\\") == 102);
  CHECK(refused_at(read_string, R"("\ud83d")") == 101);
  CHECK(refused_at(read_string, R"("\ud83d\u0041")") == 101);
  CHECK(refused_at(read_string, R"("\ude00\ud83d")") == 101);
  CHECK(refused_at(read_string, "\"a\"\t") == 103);
}

TEST_CASE("strings that are not UTF-8 are refused") {
  for (std::string const bytes : {"\x80",
                                  "\xbf",
                                  "\xc0\x80",
                                  "\xc1\xbf",
                                  "\xc3",
                                  "\xc3(",
                                  "\xe0\x9f\xbf",
                                  "\xe2\x82",
                                  "\xe2\x82(",
                                  "\xed\xa0\x80",
                                  "\xf0\x8f\xbf\xbf",
                                  "\xf0\x9f\x98",
                                  "\xf4\x90\x80\x80",
                                  "\xf5\x80\x80\x80",
                                  "\xff"}) {
    CAPTURE(bytes);
    CHECK(refused_at(read_string, "\"" + bytes + "\"") == 101);
  }
}

TEST_CASE("numbers are unsigned integers of 64 bits") {
  CHECK(read_number("0") == 0);
  CHECK(read_number(" 18446744073709551615 ") == 18446744073709551615U);
  CHECK(refused_at(read_number, "18446744073709551616") == 100);
  CHECK(refused_at(read_number, "99999999999999999999999999999999") == 100);
  for (char const* text : {"-1", "-0", "+1", ".5", "NaN", "Infinity", "true", "null", "01", "00"})
    CHECK(refused_at(read_number, text) == 100);
  for (char const* text : {"1.0", "1e3", "1E3", "0x10", "1_0"})
    CHECK(refused_at(read_number, text) == 101);
}

TEST_CASE("numbers with a fraction are those of JSON") {
  CHECK(read_double("0") == 0);
  CHECK(read_double("-0.5") == -0.5);
  CHECK(read_double("1e-12") == 1e-12);
  CHECK(read_double("12.25E+2") == 1225);
  for (char const* text :
       {"+1", ".5", "-", "NaN", "inf", "-Infinity", "true", "", "1.", "1.e3", "2e", "2e+"})
    CHECK(refused_at(read_double, text) == 100);
  for (char const* text : {"1e400", "-1e400", "1e-400"})
    CHECK(refused_at(read_double, text) == 100);
  for (char const* text : {"01", "00", "0x10"}) CHECK(refused_at(read_double, text) == 101);
}

TEST_CASE("values of any kind are passed over") {
  for (char const* text : {"0",
                           "-1.5e-400",
                           "true",
                           "false",
                           " null ",
                           R"("]}\"")",
                           "[]",
                           "{}",
                           "[ [ ] , { } ]",
                           R"({"a":[1,{"b":null},"c"],"d":{"e":{}}})"})
    CHECK(refused_at(skip_value, text) == -1);
}

TEST_CASE("values that are no JSON are not passed over") {
  CHECK(refused_at(skip_value, "") == 100);
  CHECK(refused_at(skip_value, "nul") == 100);
  CHECK(refused_at(skip_value, "01") == 101);
  CHECK(refused_at(skip_value, "[1 2]") == 103);
  CHECK(refused_at(skip_value, "[1,]") == 103);
  CHECK(refused_at(skip_value, "[,1]") == 101);
  CHECK(refused_at(skip_value, "[1:2]") == 102);
  CHECK(refused_at(skip_value, "[1}") == 102);
  CHECK(refused_at(skip_value, "{1:2}") == 101);
  CHECK(refused_at(skip_value, R"({"a"})") == 104);
  CHECK(refused_at(skip_value, R"({"a",1})") == 104);
  CHECK(refused_at(skip_value, R"({"a":1,})") == 107);
  CHECK(refused_at(skip_value, R"({"a":1]})") == 106);
  CHECK(refused_at(skip_value, "[[1]") == 104);
  CHECK(refused_at(skip_value, std::string(1'000'000, '[')) == 1'000'100);
}

TEST_CASE("objects and arrays are walked in order") {
  mae::json_reader reader("f", R"( { "a" : [ ] , "b":[1 ,2],"c":{} } )", 100);
  std::vector<std::string> keys;
  std::vector<std::uint64_t> offsets;
  std::vector<std::uint64_t> numbers;
  reader.object([&](std::string const& key, std::uint64_t at) {
    keys.push_back(key);
    offsets.push_back(at);
    if (key == "c")
      reader.object([](std::string const&, std::uint64_t) {});
    else
      reader.array([&] { numbers.push_back(reader.unsigned_integer()); });
  });
  reader.finish();
  CHECK(keys == std::vector<std::string>{"a", "b", "c"});
  CHECK(offsets == std::vector<std::uint64_t>{103, 115, 126});
  CHECK(numbers == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("broken objects and arrays are refused where they go wrong") {
  auto const read_object = [](std::string_view text) {
    mae::json_reader reader("f", text, 100);
    reader.object([&](std::string const&, std::uint64_t) {
      reader.array([&] { reader.unsigned_integer(); });
    });
  };
  CHECK(refused_at(read_object, R"({"a":[1,2]})") == -1);
  CHECK(refused_at(read_object, "[]") == 100);
  CHECK(refused_at(read_object, "{") == 101);
  CHECK(refused_at(read_object, "{,}") == 101);
  CHECK(refused_at(read_object, R"({"a":[1],})") == 109);
  CHECK(refused_at(read_object, R"({"a":[1,]})") == 108);
  CHECK(refused_at(read_object, R"({"a":[1 2]})") == 108);
  CHECK(refused_at(read_object, R"({"a" [1]})") == 105);
  CHECK(refused_at(read_object, R"({"a":[1]"b":[2]})") == 108);
  CHECK(refused_at(read_object, R"({a:[1]})") == 101);
  CHECK(refused_at(read_object, R"({"a":[[1]]})") == 106);
  CHECK(refused_at(read_object, R"({/**/"a":[1]})") == 101);
}
