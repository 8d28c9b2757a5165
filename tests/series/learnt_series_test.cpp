// What a model's file says it has learnt from, and what does not fit it.

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/series.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/time_axis.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

/// Hours from 2020-01-01 plus so many on.
mae::series hours(std::vector<std::string> names, index_t length, index_t begin = 0) {
  mae::series s{.names = std::move(names)};
  for (index_t v = 0; v < s.variables(); ++v)
    for (index_t i = begin; i < begin + length; ++i)
      s.values.push_back(static_cast<double>((i * 37 + 11 * v) % 101));
  s.time.step = {mae::step_unit::hour, 1};
  for (index_t i = begin; i < begin + length; ++i)
    s.time.stamps.push_back(1'577'836'800 + 3600 * i);
  return s;
}
mae::safetensors_metadata described(mae::settings_list const& list) {
  mae::safetensors_metadata entries;
  for (auto const& [name, value] : list) entries[name] = value;
  return entries;
}

TEST_CASE("what was learnt from is written and read") {
  auto const s = hours({"load", "a, \"b\""}, 100);
  auto const learnt = mae::learnt_from(s, 80);
  auto entries = described(mae::describe(learnt));
  CHECK(entries["series_columns"] == "load,\"a, \"\"b\"\"\"");
  CHECK(entries["series_step"] == "1 hour");
  CHECK(entries["series_first"] == "2020-01-01 00:00:00");
  CHECK(entries["series_values"] == "80");
  auto const found = mae::learnt_in("m", entries);
  REQUIRE(found.has_value());
  CHECK(found->columns == s.names);
  CHECK(found->hashes == learnt.hashes);
  CHECK(found->values == 80);
  REQUIRE(found->runs.size() == 10);  // five of 16 values of each
  CHECK(found->runs[1].begin == 16);
  CHECK(found->runs[1].count == 16);
  CHECK(found->runs[9].hash == learnt.runs[9].hash);
  for (auto const* const text :
       {"0+16", "0+16=", "0+16=12;", "70+16=12", "-1+16=12", "0+0=12", "0+16=12,x"}) {
    CAPTURE(text);
    auto other = entries;
    other["series_runs"] = text;
    CHECK_THROWS_WITH_AS(
        mae::learnt_in("m", other), doctest::Contains("series_runs"), mae::format_error);
  }
  CHECK_FALSE(mae::learnt_in("m", {}).has_value());
  entries["series_values"] = "many";
  CHECK_THROWS_AS(mae::learnt_in("m", entries), mae::format_error);
  entries["series_values"] = "80";
  entries["series_standardised"] = "training part";
  CHECK_THROWS_WITH_AS(mae::learnt_in("m", entries),
                       doctest::Contains("series_standardised is 'training part'"),
                       mae::format_error);
}

TEST_CASE("other columns, orders and steps do not fit") {
  auto const learnt = mae::learnt_from(hours({"x", "y"}, 100), 100);
  CHECK(mae::misfit(learnt, hours({"y"}, 50), false).empty());
  CHECK(mae::misfit(learnt, hours({"x", "z"}, 50), false) ==
        "it has learnt from 'x', 'y', not from 'z'");
  CHECK(mae::misfit(learnt, hours({"x", "y"}, 50), true).empty());
  CHECK(mae::misfit(learnt, hours({"y", "x"}, 50), true) ==
        "its pictures show the columns 'x', 'y' together, in this order, and these are 'y', 'x'");
  CHECK_FALSE(mae::misfit(learnt, hours({"x"}, 50), true).empty());
  auto slower = hours({"x"}, 50);
  slower.time.step = {mae::step_unit::minute, 15};
  CHECK(mae::misfit(learnt, slower, false) ==
        "it has learnt from values that are 1 hour apart, and these are 15 minutes apart");
  slower.time = {};
  CHECK(mae::misfit(learnt, slower, false).empty());
}

/// "80", or in doubt "80: why".
std::string seen(mae::learnt_series const& learnt, mae::series const& s) {
  auto const found = mae::values_seen(learnt, s);
  return std::to_string(found.count) + (found.doubt.empty() ? "" : ": ") + found.doubt;
}
mae::series counted(mae::series s) {
  s.time = {};
  return s;
}

constexpr double missing = std::numeric_limits<double>::quiet_NaN();
std::string const others = ": its values at those times are not those that it has learnt";

TEST_CASE("what a model has seen of a series is found by stamps and values") {
  auto const learnt = mae::learnt_from(hours({"x", "y"}, 100), 80);
  CHECK(seen(learnt, hours({"y", "x"}, 120)) == "80");
  CHECK(seen(learnt, hours({"renamed"}, 120)) == "80");
  CHECK(seen(learnt, hours({"x", "y"}, 120, -20)) == "100");
  CHECK(seen(learnt, hours({"x", "y"}, 120, 10)) == "70");  // begins later
  CHECK(seen(learnt, hours({"x", "y"}, 60)) == "60");       // ends before
  CHECK(seen(learnt, hours({"x", "y"}, 120, 80)) == "0");
  CHECK(seen(learnt, hours({"x", "y"}, 60, -100)) == "0");
  CHECK(seen(learnt, hours({"x"}, 120, 70)) ==
        "10: too few of the values that it has learnt are there to know them again");
  auto other = hours({"x"}, 120);
  for (auto& value : other.values) value += 1;
  CHECK(seen(learnt, other) == "80" + others);
  for (auto& stamp : other.time.stamps) stamp += 1800;
  CHECK(seen(learnt, other) ==
        "120: its time stamps lie between those of the values that it has learnt");
  for (auto& stamp : other.time.stamps) stamp -= 3600;
  CHECK(seen(learnt, other).starts_with("120: its time stamps lie between"));
  other.time.step = {mae::step_unit::minute, 30};
  CHECK(seen(learnt, other) ==
        "120: its values are 30 minutes apart, and those that it has learnt 1 hour");
}

TEST_CASE("changed and filled values do not hide that a model has seen the others") {
  auto const learnt = mae::learnt_from(hours({"x"}, 1000), 800);
  auto changed = hours({"x"}, 1000);
  changed.values[3] += 1;
  CHECK(seen(learnt, changed) == "800");
  for (std::size_t i = 0; i < 750; ++i) changed.values[i] += 1;
  CHECK(seen(learnt, changed) == "800");
  for (std::size_t i = 0; i < 800; ++i) changed.values[i] += 1;
  CHECK(seen(learnt, changed) == "800" + others);
  // Holes in every block.
  auto holes = hours({"x"}, 1000);
  for (std::size_t i = 0; i < 1000; i += 30) holes.values[i] = missing;
  auto const from_holes = mae::learnt_from(holes, 800);
  CHECK(from_holes.runs.size() == 16);
  CHECK(seen(from_holes, holes) == "800");
  CHECK(seen(from_holes, hours({"x"}, 1000)) == "800");
  CHECK(seen(from_holes, hours({"x"}, 500, 200)) == "500");
}

TEST_CASE("without time stamps what a model has seen is looked for in every place") {
  auto noise = hours({"x"}, 300);
  for (std::size_t i = 0; i < 300; ++i) noise.values[i] = static_cast<double>(i * i % 9973);
  auto const learnt = mae::learnt_from(counted(noise), 200);
  CHECK(seen(learnt, counted(noise)) == "200");
  CHECK(seen(learnt, noise) == "200");
  auto later = counted(noise);
  later.values.erase(later.values.begin());
  CHECK(seen(learnt, later) == "199");
  later.values.erase(later.values.begin(), later.values.begin() + 150);
  CHECK(seen(learnt, later) == "49");
  later.values.insert(later.values.begin(), 500, 4.0);
  CHECK(seen(learnt, later) == "549");
  auto newer = counted(noise);
  newer.values.erase(newer.values.begin(), newer.values.begin() + 200);
  CHECK(seen(learnt, newer) ==
        "100: without time stamps of both its values are compared in every place, and no part "
        "that it has learnt is there as a whole");
}

TEST_CASE("constant values do not tell what a model has seen") {
  auto flat = hours({"x"}, 200);
  for (auto& value : flat.values) value = 7;
  auto const learnt = mae::learnt_from(flat, 100);
  CHECK(learnt.runs.empty());
  CHECK(seen(learnt, flat) ==
        "100: its values at those times are constant, or not all those that it has learnt");
  auto half = hours({"x"}, 200);  // of which what varies is another's
  auto other = half;
  for (std::size_t i = 0; i < 200; ++i)
    if (i % 40 < 20) half.values[i] = other.values[i] = 0;
  for (std::size_t i = 0; i < 200; ++i)
    if (i % 40 >= 20) other.values[i] += 1;
  CHECK(seen(mae::learnt_from(half, 160), other) == "160" + others);
  CHECK(seen(mae::learnt_from(half, 160), half) == "160");
}

TEST_CASE("files of before have one hash for a column") {
  auto learnt = mae::learnt_from(hours({"x"}, 100), 80);
  auto entries = described(mae::describe(learnt));
  entries.erase("series_runs");
  auto const before = *mae::learnt_in("m", entries);
  CHECK(before.runs.empty());
  CHECK(seen(before, hours({"x"}, 120)) == "80");
  CHECK(seen(before, counted(hours({"x"}, 120))) == "80");
  CHECK(seen(before, hours({"x"}, 60)) ==
        "60: what it has learnt is known again as a whole alone, and is not there as a whole");
  auto changed = hours({"x"}, 120);
  changed.values[3] += 1;
  CHECK(seen(before, changed) ==
        "80: its values at those times are constant, or not all those that it has learnt");
  CHECK(seen(before, counted(changed)).starts_with("120: without time stamps of both"));
}

TEST_CASE("windows that several variables share are read again, and must fit the pictures") {
  mae::window_options const windows{.context = 48,
                                    .horizon = 16,
                                    .period = 8,
                                    .patch = {.height = 4, .width = 2},
                                    .together = mae::variable_rule::rows,
                                    .variables = 3};
  mae::model_config sizes{
      .image = windows.image(), .patch = windows.patch, .encoder = {}, .decoder = {}};
  auto entries = described(mae::describe(windows));
  auto const found = mae::windows_in("m", entries, sizes);
  REQUIRE(found.has_value());
  CHECK(found->together == mae::variable_rule::rows);
  CHECK(found->variables == 3);
  CHECK(found->image() == windows.image());
  entries["series_variables"] = "2";
  CHECK_THROWS_WITH_AS(mae::windows_in("m", entries, sizes),
                       doctest::Contains("make no picture of 24 x 8 pixels"),
                       mae::format_error);
  // A file of before.
  sizes.image.height = 8;
  entries.erase("series_variables");
  entries.erase("series_together");
  CHECK(mae::windows_in("m", entries, sizes)->together == mae::variable_rule::each);
}

}  // namespace
