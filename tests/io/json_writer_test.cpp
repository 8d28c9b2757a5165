#include <mae/io/json_reader.hpp>
#include <mae/io/json_writer.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

TEST_CASE("an object's members stand in their order") {
  mae::json_object object;
  object.add("name", "a").add("count", 3).add("share", 0.25).add("yes", true);
  object.add("list", std::vector<double>{1, 0.5}).add("inner", mae::json_object().add("x", -1));
  CHECK(object.line() ==
        R"({"name":"a","count":3,"share":0.25,"yes":true,"list":[1.0, 0.5],"inner":{"x":-1}})");
  CHECK(mae::json_object().add("a", 1).add("b", 2).lines() == "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
  CHECK(mae::json_object().line() == "{}");
}

TEST_CASE("numbers that are none are null, others are read back as they were") {
  auto const text = [](auto value) { return mae::json_object().add("x", value).line(); };
  CHECK(text(std::numeric_limits<double>::infinity()) == R"({"x":null})");
  CHECK(text(std::numeric_limits<double>::quiet_NaN()) == R"({"x":null})");
  CHECK(text(std::optional<double>()) == R"({"x":null})");
  CHECK(text(std::optional(1e-12)) == R"({"x":1e-12})");
  CHECK(text(0.1) == R"({"x":0.1})");
}

TEST_CASE("a floating-point number that is whole stays one for readers with strict types") {
  auto const text = [](double value) { return mae::json_object().add("x", value).line(); };
  CHECK(text(0) == R"({"x":0.0})");
  CHECK(text(-0.0) == R"({"x":-0.0})");
  CHECK(text(1) == R"({"x":1.0})");
  CHECK(text(-250) == R"({"x":-250.0})");
  CHECK(text(1e22) == R"({"x":1e+22})");
  CHECK(mae::json_object().add("x", 1).line() == R"({"x":1})");
}

TEST_CASE("strings are escaped, and what is not UTF-8 is replaced") {
  CHECK(mae::json_string("a\"b\\c\n\x1F") == R"("a\"b\\c\u000a\u001f")");
  CHECK(mae::json_string("\xC3\xA9") == "\"\xC3\xA9\"");
  CHECK(mae::json_string("a\xFF") == "\"a\xEF\xBF\xBD\"");
  std::string const text = "tab\t, quote \", umlaut \xC3\xBC";
  std::string const quoted = mae::json_string(text);
  CHECK(mae::json_reader("text", quoted, 0).string() == text);
}
