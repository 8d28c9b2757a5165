#include "editable_file.hpp"

#include <mae/core/csv.hpp>
#include <mae/core/error.hpp>
#include <mae/core/text.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

std::string refusal(std::string const& text) {
  return refusal_of<mae::format_error>([&] { mae::csv_table("t.csv", text); });
}

}  // namespace

TEST_CASE("fields between quotes, lines of either ending, empty lines and fields") {
  mae::csv_table const table(
      "t.csv", "\xEF\xBB\xBFname,x\r\n\"a, \"\"b\"\"\",1.5\r\n\r\n\"two\nlines\",\nlast, -2e1 ");
  CHECK(table.names() == std::vector<std::string>{"name", "x"});
  REQUIRE(table.size() == 3);
  CHECK(table.at(0, 0) == "a, \"b\"");
  CHECK(table.number(0, 1) == 1.5);
  CHECK(table.at(1, 0) == "two\nlines");
  CHECK_FALSE(table.number(1, 1).has_value());
  CHECK(table.number(2, table.column("x")) == -20);
  CHECK(table.find("y") == -1);
}

TEST_CASE("what a field is written as reads back as itself") {
  for (std::string const text : {"plain", "a,b", "\"", "a\r\nb", ""}) {
    mae::csv_table const table("t.csv", "one,two\n" + mae::csv_field(text) + ",x\n");
    CHECK(table.at(0, 0) == text);
  }
}

TEST_CASE("a table that is none is refused, with its line") {
  CHECK(refusal("") == "t.csv: at byte 0: a table without a line of names");
  CHECK(refusal("a,b\n1,2\n\n3\n") == "t.csv: at byte 9: line 4 has 1 fields, the first line 2");
  CHECK(refusal("a,b,a\n") == "t.csv: at byte 0: the column a is there twice");
  CHECK(refusal("a\nx\"y\n") == "t.csv: at byte 2: line 2: a quote within a field");
  CHECK(refusal("a\n\"x\n") == "t.csv: at byte 2: line 2: a quote that is not closed");
  CHECK(refusal("a\n\"x\"y\n") == "t.csv: at byte 2: line 2: text after a quoted field");
  mae::csv_table const table("t.csv", "a\nfive\ninf\n0x10\n");
  for (int row = 0; row < 3; ++row)
    CHECK_THROWS_AS(static_cast<void>(table.number(row, 0)), mae::format_error);
  CHECK(refusal_of<mae::format_error>([&] { static_cast<void>(table.number(0, 0)); }) ==
        "t.csv: at byte 2: line 2, a: \"five\" is no number");
  CHECK(refusal_of<mae::format_error>([&] { static_cast<void>(table.column("b")); }) ==
        "t.csv: at byte 0: the table has no column b");
}
