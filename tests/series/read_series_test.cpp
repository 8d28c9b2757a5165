// Series from files: what is read, and what is refused with which words.

#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/series.hpp>
#include <mae/series/time_axis.hpp>
#include <mae/series/time_stamp.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace {

using mae::index_t;

mae::series read(std::string const& text, mae::read_series_options const& options = {}) {
  mae_test::temporary_folder const folder;
  write_text(folder.file("s.csv"), text);
  return mae::read_series(folder.file("s.csv"), options);
}

/// What a file is refused with, from its line on.
std::string refusal(std::string const& text, mae::read_series_options const& options = {}) {
  try {
    read(text, options);
  } catch (mae::error const& error) {
    std::string const said = error.what();
    auto const name = said.find("s.csv: ");
    CHECK(name != std::string::npos);
    auto line = said.find("line ", name);
    if (line != std::string::npos && said[line + 5] == 'o') line = std::string::npos;
    return said.substr(line == std::string::npos ? name : line);
  }
  return "read";
}

std::string with_stamps(std::vector<std::string> const& stamps) {
  std::string text = "date,x\n";
  for (auto const& stamp : stamps) (text += stamp) += ",1\n";
  return text;
}

mae::time_axis axis_of(std::vector<std::string> const& stamps) {
  return read(with_stamps(stamps)).time;
}

TEST_CASE("a series is read by columns, with what is missing") {
  auto const all = read(
      "\xEF\xBB\xBF"
      "date, load,\"a, \"\"b\"\"\",OT\r\n"
      "2016-07-01 00:00:00,1.5,2,3e2\r\n"
      "\r\n"
      "2016-07-01 01:00:00,, NA ,-4\r\n"
      "2016-07-01 02:00:00,\"7\",NaN,0");
  CHECK(all.names == std::vector<std::string>{"load", "a, \"b\"", "OT"});
  CHECK(all.length() == 3);
  CHECK(all.variable(2)[0] == 300);
  CHECK(all.variable(0)[2] == 7);
  CHECK(std::isnan(all.variable(0)[1]));
  CHECK(std::isnan(all.variable(1)[2]));
  CHECK(all.time.step == mae::series_step{mae::step_unit::hour, 1});
  CHECK(mae::stamps_after(all.time, all.length(), 22).back() == "2016-07-02 00:00:00");

  auto const some = read("t,x,y\n1,2,3\n2,3,4\n", {.columns = {"y", "x"}});
  CHECK(some.names == std::vector<std::string>{"y", "x"});
  CHECK(some.values == std::vector<double>{3, 4, 2, 3});
  CHECK_FALSE(some.time.has_stamps());
  CHECK(mae::stamps_after(some.time, some.length(), 2) == std::vector<std::string>{"2", "3"});
}

TEST_CASE("steps are found by seconds, months and business days") {
  auto const month_ends = axis_of({"2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30"});
  CHECK(month_ends.step == mae::series_step{mae::step_unit::month, 1});
  CHECK(mae::stamps_after(month_ends, 4, 10).back() == "2021-02-28");
  auto const firsts = axis_of({"2019-10-01", "2020-01-01", "2020-04-01"});
  CHECK(firsts.step == mae::series_step{mae::step_unit::quarter, 1});
  CHECK(mae::stamps_after(firsts, 3, 2).back() == "2020-10-01");
  auto const weeks = axis_of({"2020/1/1", "2020/1/8", "2020/1/15"});
  CHECK(weeks.step == mae::series_step{mae::step_unit::week, 1});
  CHECK(mae::stamps_after(weeks, 3, 3).back() == "2020/2/5");
  auto const business = axis_of({"2026-11-26", "2026-11-27", "2026-11-30", "2026-12-01"});
  CHECK(business.step == mae::series_step{mae::step_unit::business_day, 1});
  CHECK(mae::stamps_after(business, 4, 4).back() == "2026-12-07");
  auto const quarters =
      axis_of({"2020-01-01T00:00+01:00", "2020-01-01T00:15+01:00", "2020-01-01T00:30+01:00"});
  CHECK(quarters.step == mae::series_step{mae::step_unit::minute, 15});
  CHECK(mae::stamps_after(quarters, 3, 2).back() == "2020-01-01T01:00+01:00");
  auto const years = axis_of({"1999-07-01", "2000-07-01", "2001-07-01"});
  CHECK(years.step == mae::series_step{mae::step_unit::year, 1});
}

TEST_CASE("gaps are refused, or missing values") {
  auto const text = with_stamps({"2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06"});
  CHECK(refusal(text) ==
        "line 4, column 'date': after 2020-01-02 comes 2020-01-05, but values are 1 day apart: "
        "--gaps missing takes what lies between for missing values (gap_rule::missing in a "
        "program)");
  auto const filled = read(text, {.gaps = mae::gap_rule::missing});
  CHECK(filled.length() == 6);
  CHECK(std::isnan(filled.variable(0)[3]));
  CHECK(filled.variable(0)[4] == 1);
  CHECK(mae::stamp_of(filled.time, 3) == "2020-01-04");
}

TEST_CASE("what is no series is refused by file, line and column") {
  CHECK(refusal("") == "s.csv: at byte 0: the file is empty: it has no line of names");
  CHECK(refusal("date,x\n") == "line 1: the table has names and no values");
  CHECK(refusal("x,y,x\n1,2,3\n") == "line 1: the column 'x' is there twice");
  CHECK(refusal("x,y,z\n1,2,3\n1,2\n") == "line 3 has 2 fields, the line of names 3");
  CHECK(refusal("x,y\n1,5,2\n") ==
        "line 2 has 3 fields, the line of names 2: are decimals written with a comma? Write them "
        "with a point");
  CHECK(refusal("x;y\n1,5;2\n").starts_with("line 1: the fields are separated by ';'"));
  CHECK(refusal("x,y\n\"1,5\",2\n") ==
        "line 2, column 'x': '1,5' has a decimal comma: write it with a point");
  CHECK(refusal("x,y\n1,2\n3,4kW\n") ==
        "line 3, column 'y': '4kW' is no number; a missing value is an empty field, NA or NaN");
  CHECK(refusal("x\n1\ninf\n").starts_with("line 3, column 'x': 'inf' is no number"));
  CHECK(refusal("x,y\n1,\n2,NA\n") == "s.csv: at byte 0: the column 'y' has no value at all");
  CHECK(refusal("x,y\n1,2\n", {.columns = {"z"}}) == "s.csv: there is no column 'z'; it has x, y");
  CHECK(refusal("x\n\"1\n").starts_with("line 2: a quote that is not closed"));
}

TEST_CASE("time stamps that do not go on are refused") {
  CHECK(refusal(with_stamps({"2020-01-01", "2020-01-02", "2020-01-02"}))
            .starts_with("line 4, column 'date': '2020-01-02' stands there twice"));
  CHECK(refusal(with_stamps({"2020-01-02", "2020-01-01"})) ==
        "line 3, column 'date': '2020-01-01' is before the stamp of the line above: sort the rows "
        "by time");
  CHECK(refusal(with_stamps({"2020-01-01 00:00Z", "2020-01-01 01:00"})) ==
        "line 3, column 'date': '2020-01-01 01:00' is of no zone, the stamps before it of the zone "
        "Z: write all stamps in one zone");
  CHECK(refusal(with_stamps({"2020-01-01 00:00+01:00", "2020-01-01 01:00+02:00"}))
            .find("of the zone +02:00") != std::string::npos);
  CHECK(refusal(with_stamps({"2020-01-01", "yesterday"}))
            .starts_with("line 3, column 'date': 'yesterday' is no time stamp"));
  CHECK(refusal(with_stamps({"2020-02-28", "2020-02-30"})).find("no time stamp") !=
        std::string::npos);
  CHECK(refusal(with_stamps({"2020-01-01 00:00",
                             "2020-01-01 01:00",
                             "2020-01-01 02:00",
                             "2020-01-01 02:30",
                             "2020-01-01 03:00",
                             "2020-01-01 04:00"})) ==
        "line 5, column 'date': 2020-01-01 02:30 is no whole number of steps after 2020-01-01 "
        "02:00; most values are 1 hour apart");
}

TEST_CASE("stamps that cannot be read are not passed over where their column is not asked for") {
  std::string const text = "when,x\n01.07.2016 00:00,1\n01.07.2016 01:00,2\n";
  CHECK(refusal(text, {.columns = {"x"}})
            .starts_with("line 2, column 'when': '01.07.2016 00:00' is no number, nor are the "
                         "column's stamps read: write all of them as 2016-07-01"));
  CHECK(refusal(text, {.columns = {"x"}, .time_column = "when"}).find("is no time stamp") !=
        std::string::npos);
  auto const counted = read(text, {.columns = {"x"}, .counts_values = true});
  CHECK_FALSE(counted.time.has_stamps());
  CHECK(counted.values == std::vector<double>{1, 2});
  CHECK(refusal("when,x\n,1\n2016-07-01,2\n", {.columns = {"x"}})
            .starts_with("line 3, column 'when': '2016-07-01' is no number"));
  CHECK(read("n,x\n1,5\n2,6\n", {.columns = {"x"}}).values == std::vector<double>{5, 6});
}

TEST_CASE("an empty line of a table of one column is a missing value") {
  auto const one = read("x\n1\n\n\r\n4\n\n\n");
  CHECK(one.length() == 4);  // those at the end are none
  CHECK(std::isnan(one.values[1]));
  CHECK(std::isnan(one.values[2]));
  CHECK(one.values[3] == 4);
  CHECK(std::isnan(read("x\n\n2\n").values[0]));
  CHECK(refusal("x,y\n1,2\n\n3,4\n").starts_with("line 4: the line before it is empty"));
  CHECK(read("x,y\n\n1,2\n3,4\n\n").length() == 2);
}

TEST_CASE("a mistyped year is no gap") {
  std::string const text =
      "date,x\n2016-01-01 00:00:00,1\n2016-01-01 01:00:00,1\n"
      "2106-01-01 02:00:00,1\n";
  CHECK(refusal(text, {.gaps = mae::gap_rule::missing}) ==
        "line 4, column 'date': after 2016-01-01 01:00:00 comes 2106-01-01 02:00:00, and with what "
        "lies between more than ten values would be missing for each of the 3 that are there: is "
        "the year mistyped?");
}

TEST_CASE("frequencies have today's names and those of before") {
  using mae::parse_step;
  using mae::seasons_of;
  for (auto const* const name : {"h", "H"})
    CHECK(seasons_of(parse_step(name)) == std::vector<index_t>{24, 168});
  for (auto const* const name : {"ME", "M", "MS"})
    CHECK(seasons_of(parse_step(name)) == std::vector<index_t>{12, 6, 3});
  CHECK(seasons_of(parse_step("15min")) == std::vector<index_t>{96, 672});
  CHECK(seasons_of(parse_step("15T")) == std::vector<index_t>{96, 672});
  CHECK(seasons_of(parse_step("QE-DEC")) == std::vector<index_t>{4, 2});
  CHECK(seasons_of(parse_step("W-SUN")) == std::vector<index_t>{52, 4});
  CHECK(seasons_of(parse_step("30s")) == std::vector<index_t>{120});
  CHECK(seasons_of(parse_step("YE")).empty());
  CHECK(seasons_of(parse_step("5h")).empty());
  CHECK_THROWS_AS(parse_step("fortnight"), mae::config_error);
}

}  // namespace
