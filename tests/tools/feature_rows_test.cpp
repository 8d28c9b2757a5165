#include "feature_rows.hpp"

#include <doctest/doctest.h>

#include <vector>

TEST_CASE("a table has a line for each row, and quotes what would break it") {
  std::vector<tools::feature_row> const rows{
      {.file = "cat/1.png", .class_name = "cat", .label = 0},
      {.file = "a, b/\"x\".png", .class_name = "a, b", .label = 1},
      {.file = "two\nlines\r.png"},
      {.file = "with space/ü.png", .class_name = "with space", .label = 2}};
  CHECK(tools::to_csv(rows) ==
        "row,file,class\r\n"
        "0,cat/1.png,cat\r\n"
        "1,\"a, b/\"\"x\"\".png\",\"a, b\"\r\n"
        "2,\"two\nlines\r.png\",\r\n"
        "3,with space/ü.png,with space\r\n");
  CHECK(tools::to_csv(std::span<tools::feature_row const>{}) == "row,file,class\r\n");
}
