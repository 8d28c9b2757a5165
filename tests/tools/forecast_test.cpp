// mae_forecast as its users run it.

#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "training_words.hpp"

#include <mae/core/types.hpp>
#include <mae/series/read_series.hpp>
#include <mae/series/series.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using words = std::vector<std::string>;

bool says(std::string const& text, std::string const& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

/// Hours of two seasons, of which some values are missing.
std::string hours(index_t length, index_t missing_from = -1, index_t missing_to = -1) {
  std::string text = "when,load,flat\n";
  for (index_t i = 0; i < length; ++i) {
    index_t const day = i / 24;
    auto const two = [](index_t number) {
      return (number < 10 ? "0" : "") + std::to_string(number);
    };
    text += "2021-" + two(day / 28 + 1) + "-" + two(day % 28 + 1) + "T" + two(i % 24) + ":00Z,";
    auto const t = static_cast<double>(i);
    if (i < missing_from || i >= missing_to)
      text += std::to_string(20 + 5 * std::sin(t * 0.2617993878) + 3 * std::sin(t / 31));
    text += ",7\n";
  }
  return text;
}
/// Days 1 to 28 of January alone go on without a gap.
constexpr index_t month = 28 * 24;

struct forecast_of_hours {
  mae_test::temporary_folder folder;
  std::string data = folder.file("series.csv");
  std::string out = folder.file("out.csv");

  program_result run(words const& more) const {
    words all{std::string(TOOLS) + "/mae_forecast", "--data", data, "--out", out};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  }
  /// By the fixtures' model of pictures.
  program_result run_pictures(words more) const {
    std::string const model = MAE_TESTS_DIR "/series/fixtures/visionts_model.safetensors";
    more.insert(more.end(), {"--model", model, "--heads", "3", "--decoder-heads", "2"});
    return run(more);
  }
};

TEST_CASE("mae_forecast writes what comes, with time stamps like the file's, and a chart") {
  forecast_of_hours const it;
  write_text(it.data, hours(month));
  auto const plot = it.folder.file("plot.svg");
  auto const result =
      it.run_pictures({"--horizon", "30", "--backtest", "4", "--plot", plot, "--context", "240"});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  CHECK(says(result.out, "period 24 ('load'): the values are 1 hour apart, and repeat"));
  CHECK(says(result.out, "backtest: 4 windows"));
  CHECK(says(result.out, "last period"));
  CHECK(says(result.out, "linear"));
  CHECK(says(result.err, "'flat' is 7 in all of its context, and is forecast to stay"));
  auto const said = mae::read_series(it.out);
  CHECK(said.names == words{"load", "flat"});
  CHECK(said.length() == 30);
  CHECK(said.variable(1)[29] == 7);
  CHECK(read_text(it.out).starts_with("when,load,flat\r\n2021-01-29T00:00Z,"));
  CHECK(says(read_text(plot), "truth"));
  auto const part = it.run_pictures(
      {"--horizon", "30", "--backtest", "4", "--context", "240", "--training-rows", "300"});
  CHECK(part.exit_code == 0);
  CHECK(says(part.out, "errors in deviations of the first 300 values, MASE"));
}

TEST_CASE("mae_forecast trains a model of windows, and goes on with it") {
  forecast_of_hours const it;
  write_text(it.data, hours(month, 200, 230));
  auto const model = it.folder.file("model.safetensors");
  words const train{"--train", "--steps",  "12",   "--horizon", "20",  "--context",
                    "96",      "--column", "load", "--save",    model, "--backtest",
                    "5",       "--stride", "2",    "--threads", "2",   "--batch-size",
                    "16",      "--patch",  "12x2"};
  auto const trained = it.run(train);
  REQUIRE_MESSAGE(trained.exit_code == 0, trained.err);
  CHECK(says(trained.out, "windows of 96 + 48 values, patches of 12 phases x 2 periods: 12 steps"));
  auto const said = read_text(it.out);
  auto const again = it.run({"--model", model, "--horizon", "20", "--column", "load"});
  REQUIRE_MESSAGE(again.exit_code == 0, again.err);
  CHECK(read_text(it.out) == said);
  REQUIRE(it.run(train).exit_code == 0);  // the same seed: the same bits
  CHECK(read_text(it.out) == said);

  // Its file says what it has learnt from: not from the last five windows, but those before.
  words const by_errors{
      "--model", model, "--horizon", "20", "--quantiles", "0.1,0.9", "--backtest", "3"};
  auto const leaking = it.run(by_errors);
  CHECK(leaking.exit_code == 1);
  CHECK(says(leaking.err, "it has learnt from this series up to 2021-01-27T19:00Z, and the first"));
  CHECK(says(leaking.out, "columns 'load', which the model has learnt from"));
  auto const apart = it.run(
      {"--train",  "--steps",      "12",     "--horizon", "20",         "--context",   "96",
       "--column", "load",         "--save", model,       "--backtest", "3",           "--threads",
       "2",        "--batch-size", "16",     "--patch",   "12x2",       "--quantiles", "0.1,0.9"});
  REQUIRE_MESSAGE(apart.exit_code == 0, apart.err);
  auto const quantiles = it.run(by_errors);
  REQUIRE_MESSAGE(quantiles.exit_code == 0, quantiles.err);
  CHECK_FALSE(says(quantiles.err, "assumed"));
  CHECK(says(quantiles.out, "quantiles by the errors of 64 windows before those that are graded"));
  CHECK(says(quantiles.out, "coverage"));
  auto const band = mae::read_series(it.out);
  CHECK(band.names == words{"load", "load q0.1", "load q0.9"});
  CHECK(band.variable(1)[5] < band.variable(2)[5]);

  auto const filled = it.run({"--model", model, "--impute", "--column", "load"});
  REQUIRE_MESSAGE(filled.exit_code == 0, filled.err);
  CHECK(says(filled.out, "'load': filled 30 of 30 missing values"));
  auto const given = mae::read_series(it.data);
  auto const whole = mae::read_series(it.out);
  for (index_t i = 0; i < month; ++i) {
    auto const at = static_cast<std::size_t>(i);
    if (i >= 200 && i < 230)
      REQUIRE(std::isfinite(whole.values[at]));
    else
      REQUIRE(whole.values[at] == given.values[at]);
  }
  auto const scored = it.run({"--model", model, "--anomalies", "--column", "load"});
  REQUIRE_MESSAGE(scored.exit_code == 0, scored.err);
  CHECK(mae::read_series(it.out).names == words{"load", "load score"});
}

TEST_CASE("mae_forecast trains nothing that it cannot write") {
  forecast_of_hours it;
  write_text(it.data, hours(month));
  auto const nowhere = it.folder.file("no/folder");
  auto const refuses = [&](words const& more) {
    words all{"--train", "--steps", "1000000", "--horizon", "24"};
    all.insert(all.end(), more.begin(), more.end());
    auto const result = it.run(all);
    CHECK(result.exit_code == 1);
    CHECK(says(result.err, nowhere));
    CHECK_FALSE(says(result.out, "training on"));
  };
  refuses({"--plot", nowhere});
  refuses({"--save", nowhere});
  it.out = nowhere;
  refuses({});
}

TEST_CASE("mae_forecast holds a model to what it has learnt from") {
  forecast_of_hours const it;
  write_text(it.data, hours(month));
  auto const model = it.folder.file("model.safetensors");
  words const train{"--train",
                    "--steps",
                    "2",
                    "--horizon",
                    "24",
                    "--context",
                    "96",
                    "--save",
                    model,
                    "--period",
                    "24",
                    "--batch-size",
                    "8",
                    "--column",
                    "load"};
  auto const trained = it.run(train);
  REQUIRE_MESSAGE(trained.exit_code == 0, trained.err);
  words const use{"--model", model, "--horizon", "24"};
  auto const with = [&](words const& more) {
    words all = use;
    all.insert(all.end(), more.begin(), more.end());
    return it.run(all);
  };
  auto const other = with({"--column", "flat"});
  CHECK(other.exit_code == 1);
  CHECK(says(other.err, "it has learnt from 'load', not from 'flat'"));
  CHECK(says(other.err, "--transfer takes the model all the same"));
  auto const taken = with({"--column", "flat", "--transfer"});
  CHECK(taken.exit_code == 0);
  CHECK(says(taken.err, "transfer: it has learnt from 'load', not from 'flat'"));
  auto const contrast = with({"--contrast", "0.3"});
  CHECK(contrast.exit_code == 1);
  CHECK(says(contrast.err, "are of models of pictures"));
  std::string quarters = "when,load\n";  // every second quarter of an hour
  for (index_t i = 0; i < 200; ++i)
    quarters += "2021-01-0" + std::to_string(1 + i / 48) + "T" + (i % 48 < 20 ? "0" : "") +
                std::to_string(i % 48 / 2) + (i % 2 == 0 ? ":00Z," : ":30Z,") +
                std::to_string(i % 7) + "\n";
  write_text(it.data, quarters);
  auto const slower = with({});
  CHECK(slower.exit_code == 1);
  CHECK(says(slower.err, "values that are 1 hour apart, and these are 30 minutes apart"));
  // What does not move at all cannot be learnt from, and is counted.
  write_text(it.data, hours(month));
  auto constant = train;
  constant.back() = "load,flat";
  auto const both = it.run(constant);
  REQUIRE_MESSAGE(both.exit_code == 0, both.err);
  CHECK(says(both.out, "left out: 553 windows whose context is constant"));
}

/// The lines of a table, without their time stamps where wanted.
words lines_of(std::string const& text, bool has_stamps = true) {
  words lines;
  for (std::size_t begin = 0; begin < text.size();) {
    auto const end = text.find('\n', begin);
    auto const from = has_stamps ? begin : text.find(',', begin) + 1;
    lines.push_back(text.substr(from, end + 1 - from));
    begin = end + 1;
  }
  return lines;
}
std::string joined(words const& lines, std::size_t first, std::size_t last) {
  std::string text = lines[0];
  for (std::size_t i = first + 1; i < last + 1; ++i) text += lines[i];
  return text;
}

TEST_CASE("mae_forecast grades no model on what it has learnt, also where the file has changed") {
  forecast_of_hours const it;
  auto const whole = hours(month, 200, 212);
  write_text(it.data, whole);
  auto const model = it.folder.file("model.safetensors");
  auto const trained = it.run({"--train",
                               "--steps",
                               "2",
                               "--horizon",
                               "24",
                               "--context",
                               "96",
                               "--save",
                               model,
                               "--period",
                               "24",
                               "--batch-size",
                               "8",
                               "--column",
                               "load"});
  REQUIRE_MESSAGE(trained.exit_code == 0, trained.err);
  auto const graded = [&] {
    return it.run({"--model", model, "--horizon", "24", "--backtest", "3", "--column", "load"});
  };
  auto const is_refused = [&](std::string const& until) {
    auto const result = graded();
    CHECK(result.exit_code == 1);
    CHECK(says(result.err, "it has learnt from this series up to " + until + ", and the first"));
  };
  std::string const end = "2021-01-28T23:00Z";
  is_refused(end);
  REQUIRE(it.run({"--model", model, "--impute", "--column", "load"}).exit_code == 0);
  write_text(it.data, read_text(it.out));  // filled
  is_refused(end);
  auto changed = whole;
  changed.replace(changed.find("Z,2") + 2, 1, "3");
  REQUIRE(changed != whole);
  write_text(it.data, changed);
  is_refused(end);
  auto const lines = lines_of(whole);
  write_text(it.data, joined(lines, 0, 600));
  is_refused("2021-01-25T23:00Z");
  write_text(it.data, joined(lines, 100, month));
  is_refused(end);
  write_text(it.data, joined(lines_of(whole, false), 1, month));
  is_refused("670");

  auto others = lines;  // another series of the same times
  for (std::size_t i = 1; i < others.size(); ++i) others[i].insert(others[i].find(',') + 1, "4");
  write_text(it.data, joined(others, 0, month));
  auto const doubted = graded();
  CHECK(doubted.exit_code == 0);
  CHECK(says(doubted.err,
             "assumed: the model has learnt from none of the windows that are graded, or that "
             "quantiles come from, though the series does not tell: its values at those times are "
             "not those that it has learnt; --train keeps them apart"));
  for (auto& line : others) line.replace(0, line.starts_with("2021") ? 4 : 0, "2022");
  others[0] = lines[0];
  write_text(it.data, joined(others, 0, month));
  auto const newer = graded();
  CHECK(newer.exit_code == 0);
  CHECK_FALSE(says(newer.err, "assumed"));
}

/// WQL and coverage, as the table of a backtest has them.
std::string quantile_grades(std::string const& out, std::string const& row) {
  constexpr std::size_t name_and_errors = 16 + 3 * 10;
  constexpr std::size_t two = 2 * 10;
  auto const begin = out.find("\n" + row);
  REQUIRE(begin != std::string::npos);
  return out.substr(begin + 1 + name_and_errors, two);
}

TEST_CASE("mae_forecast grades the quantiles of all on the same values") {
  forecast_of_hours const it;
  write_text(it.data, hours(month));
  words train{"--train", "--steps", "2", "--horizon", "24", "--context", "96", "--period", "24"};
  train.insert(train.end(), {"--batch-size", "8", "--backtest", "2", "--quantiles", "0.1,0.9"});
  train.insert(train.end(), {"--quantiles-by", "learnt", "--column", "load,flat"});
  auto const both = it.run(train);
  REQUIRE_MESSAGE(both.exit_code == 0, both.err);  // a model knows no quantiles of 'flat'
  CHECK(says(both.out, "WQL and coverage are of the 48 of 96 values for which all rows"));
  train.back() = "load";
  auto const one = it.run(train);
  REQUIRE_MESSAGE(one.exit_code == 0, one.err);
  CHECK_FALSE(says(one.out, "WQL and coverage are of"));
  for (std::string const row : {"last value", "last period", "linear"}) {
    CAPTURE(row);
    CHECK(quantile_grades(both.out, row) == quantile_grades(one.out, row));
    CHECK(quantile_grades(one.out, row).find("0.") != std::string::npos);
  }
}

TEST_CASE("mae_forecast finds the period in the rows that it may learn from") {
  forecast_of_hours const it;
  auto lines = lines_of(hours(month));
  unsigned noise = 1;
  for (std::size_t i = 1; i < 300; ++i) {
    noise = noise * 1'664'525U + 1'013'904'223U;
    lines[i] = lines[i].substr(0, lines[i].find(',') + 1) + std::to_string(noise >> 16U) + ",7\n";
  }
  for (std::size_t i = 300; i < lines.size(); ++i)
    lines[i] = lines[i].substr(0, lines[i].find(',') + 1) +
               std::to_string(200'000 * std::sin(static_cast<double>(i) * 0.2617993878)) + ",7\n";
  write_text(it.data, joined(lines, 0, month));
  words const all{"--horizon", "24", "--backtest", "3", "--context", "96", "--column", "load"};
  CHECK(says(it.run_pictures(all).out, "period 24 ('load')"));
  auto part = all;
  part.insert(part.end(), {"--training-rows", "299"});
  auto const result = it.run_pictures(part);
  CHECK(says(result.out, "period "));
  CHECK_FALSE(says(result.out, "period 24 "));
}

TEST_CASE("mae_forecast shows variables together, and learns quantiles") {
  forecast_of_hours const it;
  std::string text = "when,load,more\n";
  auto const lines = hours(month, 200, 212);
  for (std::size_t begin = lines.find('\n') + 1, i = 0; begin < lines.size(); ++i) {
    auto const end = lines.find('\n', begin);
    text += lines.substr(begin, lines.rfind(',', end) - begin) + "," +
            std::to_string(std::sin(static_cast<double>(i) / 5)) + "\n";
    begin = end + 1;
  }
  write_text(it.data, text);
  for (std::string const rule : {"rows", "channels"}) {
    CAPTURE(rule);
    auto const model = it.folder.file(rule + ".safetensors");
    auto const trained =
        it.run({"--train", "--steps",     "6",       "--horizon",      "30",    "--context",
                "96",      "--save",      model,     "--period",       "24",    "--batch-size",
                "8",       "--backtest",  "2",       "--stride",       "5",     "--variables",
                rule,      "--quantiles", "0.1,0.9", "--quantiles-by", "learnt"});
    REQUIRE_MESSAGE(trained.exit_code == 0, trained.err);
    CHECK(says(trained.out, "quantiles as the model has learnt them"));
    CHECK(says(trained.out, "coverage"));
    auto const said = read_text(it.out);
    CHECK(said.starts_with("when,load,load q0.1,load q0.9,more,more q0.1,more q0.9\r\n"));
    auto const band = mae::read_series(it.out);
    for (std::size_t h = 0; h < 30; ++h) {
      REQUIRE(band.variable(1)[h] <= band.variable(0)[h]);
      REQUIRE(band.variable(5)[h] >= band.variable(3)[h]);
    }
    auto const again = it.run({"--model", model, "--horizon", "30", "--quantiles", "0.1,0.9"});
    REQUIRE_MESSAGE(again.exit_code == 0, again.err);
    CHECK(says(again.out, "quantiles as the model has learnt them"));
    CHECK(read_text(it.out) == said);
    auto const turned = it.run({"--model", model, "--horizon", "30", "--column", "more,load"});
    CHECK(turned.exit_code == 1);
    CHECK(says(turned.err, "its pictures show the columns 'load', 'more' together, in this order"));
    auto const unknown = it.run(
        {"--model", model, "--horizon", "30", "--quantiles", "0.2", "--quantiles-by", "learnt"});
    CHECK(unknown.exit_code == 1);
    CHECK(says(unknown.err, "it has learnt the quantiles 0.1, 0.5, 0.9, not 0.2"));
    auto const filled = it.run({"--model", model, "--impute"});
    REQUIRE_MESSAGE(filled.exit_code == 0, filled.err);
    CHECK(says(filled.out, "'load', 'more': filled 12 of 12 missing values"));
    CHECK(it.run({"--model", model, "--anomalies"}).exit_code == 0);
    CHECK(mae::read_series(it.out).names == words{"load", "load score", "more", "more score"});
  }
}

TEST_CASE("mae_forecast says in a line what it cannot do") {
  forecast_of_hours const it;
  write_text(it.data, hours(month));
  auto const refused = [&](program_result const& result, int code, std::string const& why) {
    CHECK(result.exit_code == code);
    CHECK(says(result.err, why));
  };
  refused(it.run({"--horizon", "5"}), 2, "--model names a checkpoint, or --train trains a model");
  refused(it.run_pictures({}), 2, "--horizon says how many values to forecast");
  refused(it.run_pictures({"--train", "--horizon", "5"}), 2, "not both");
  refused(
      it.run_pictures({"--impute", "--backtest", "3"}), 2, "--backtest is of forecasts, not of");
  refused(
      it.run_pictures({"--horizon", "5", "--stride", "3"}), 2, "is of the windows of --backtest");
  refused(
      it.run_pictures({"--horizon", "5", "--lr", "0.1"}), 2, "is of a model that --train trains");
  refused(
      it.run_pictures({"--horizon", "5", "--quantiles-by", "learnt"}), 2, "which are not given");
  refused(it.run({"--train", "--horizon", "5", "--as-visionts"}), 2, "is of a model of pictures");
  refused(
      it.run({"--train", "--horizon", "5", "--heads", "3"}), 2, "is of a model that --model opens");
  refused(
      it.run_pictures(
          {"--horizon", "5", "--context", "240", "--quantiles", "0.5", "--quantiles-by", "learnt"}),
      1,
      "it has learnt no quantiles, not 0.5");
  refused(it.run_pictures({"--horizon", "100", "--context", "240", "--quantiles", "0.5"}),
          1,
          "the quantiles' own backtest of 64 windows");
  refused(
      it.run_pictures({"--horizon", "600", "--context", "24", "--period", "24", "--as-visionts"}),
      1,
      "a horizon of 600 values needs 25 periods of 24 beside the context");
  CHECK(it.run_pictures({"--horizon",
                         "600",
                         "--context",
                         "24",
                         "--period",
                         "24",
                         "--as-visionts",
                         "--long-horizon",
                         "steps"})
            .exit_code == 0);
  refused(it.run_pictures({"--horizon", "5", "--column", "load,OT"}),
          1,
          "there is no column 'OT'; it has when, load, flat");
  refused(it.run_pictures({"--horizon", "5", "--context", "100", "--period", "200"}),
          1,
          "the period, 200 values, is longer than the context, 100");
  refused(it.run_pictures({"--horizon", "5", "--context", "1000"}), 1, "has 672 values");
  refused(it.run_pictures({"--horizon", "5", "--backtest", "200"}), 1, "is too short");
  refused(
      it.run_pictures(
          {"--horizon", "600", "--context", "24", "--period", "24", "--long-horizon", "refuse"}),
      1,
      "a horizon of 600 values needs 25 periods of 24 beside the context");
  refused(it.run({"--model", MAE_TESTS_DIR "/interop/fixtures/rgb", "--horizon", "5"}),
          1,
          "a forecast needs one that predicts pixels as they are");
  refused(it.run_pictures({"--horizon", "5", "--context", "240", "--transfer"}),
          1,
          "--transfer is of models that --train has trained");
  words const alone{"--horizon", "5", "--column", "load", "--variables", "rows"};
  auto trained = alone;
  trained.insert(trained.end(), {"--train", "--steps", "1"});
  std::string const one =
      "--variables says how several columns share a picture, and the series has one, 'load'";
  refused(it.run(trained), 1, one);
  refused(it.run_pictures(alone), 1, one);
  write_text(it.data, hours(month, 500, month));
  refused(it.run_pictures({"--horizon", "5", "--context", "120", "--period", "24"}),
          1,
          "'load': all 120 values of its context are missing");
  refused(
      it.run_pictures({"--horizon", "5", "--context", "120", "--period", "24", "--backtest", "2"}),
      1,
      "'load': all 120 values of its context before 2021-01-28T14:00Z are missing");
  write_text(it.data, "when,load\n2021-01-01,1\n2021-01-02,2\n2021-01-02,3\n");
  refused(
      it.run_pictures({"--horizon", "5"}), 1, "line 4, column 'when': '2021-01-02' stands there");
}

TEST_CASE("mae_forecast says which decoder it needs") {
  forecast_of_hours const it;
  write_text(it.data, hours(month));
  auto const out = it.folder.file("crossing");
  words const flags{"--decoder",
                    "cross",
                    "--objective",
                    "pixels",
                    "--batch-size",
                    "8",
                    "--heldout-images",
                    "8",
                    "--warmup-epochs",
                    "0"};
  REQUIRE(run_program(training_words("synthetic", "micro8", 1, out, flags)).exit_code == 0);
  auto const result = it.run({"--model", out + "/model.safetensors", "--horizon", "5"});
  CHECK(result.exit_code == 1);
  CHECK(
      says(result.err, "its decoder is one by cross-attention, by which nothing is forecast here"));
  CHECK(result.err.find("(--decoder,") == std::string::npos);
}

}  // namespace
