// What a model's file says it has learnt from, and what does not fit it.

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/series/learnt_series.hpp>
#include <mae/series/series.hpp>
#include <mae/series/series_model.hpp>
#include <mae/series/time_axis.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
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

TEST_CASE("what a model has seen of a series is found by stamps and values") {
  auto const learnt = mae::learnt_from(hours({"x", "y"}, 100), 80);
  using seen = std::optional<index_t>;
  CHECK(mae::values_seen(learnt, hours({"y", "x"}, 120)) == seen(80));
  CHECK(mae::values_seen(learnt, hours({"x", "y"}, 120, -20)) == seen(100));
  CHECK(mae::values_seen(learnt, hours({"x", "y"}, 120, 10)) == seen());  // begins later
  CHECK(mae::values_seen(learnt, hours({"x", "y"}, 120, 80)) == seen(0));
  CHECK(mae::values_seen(learnt, hours({"x", "y"}, 60)) == seen());  // ends before
  CHECK(mae::values_seen(learnt, hours({"x", "y"}, 60, -100)) == seen(0));
  auto other = hours({"x"}, 120);
  other.values[3] += 1;
  CHECK(mae::values_seen(learnt, other) == seen(0));
  auto counted = hours({"x"}, 120);
  counted.time = {};
  CHECK(mae::values_seen(learnt, counted) == seen(80));
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
