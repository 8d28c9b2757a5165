#include "page.hpp"

#include "figure.hpp"
#include "markup.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "training_report.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

std::span<std::byte const> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::size_t occurrences(std::string const& text, std::string const& words) {
  std::size_t count = 0;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

/// Rows of pictures of one patch, whose only pixel is `value`.
std::vector<pretrain::reconstruction> painted(float value) {
  pretrain::float_image const image{{.height = 1, .width = 1, .channels = 1}, {value}};
  return {{image, image, image, image}};
}

TEST_CASE("base64 is that of RFC 4648, and comes back; what it never made is nothing") {
  for (auto const& [bytes, text] : {std::pair("", ""),
                                    std::pair("f", "Zg=="),
                                    std::pair("fo", "Zm8="),
                                    std::pair("foo", "Zm9v"),
                                    std::pair("foob", "Zm9vYg=="),
                                    std::pair("fooba", "Zm9vYmE="),
                                    std::pair("foobar", "Zm9vYmFy"),
                                    std::pair("\xFF\xFE\xFD", "//79")}) {
    CHECK(pretrain::base64(bytes_of(bytes)) == text);
    auto const back = pretrain::bytes_of_base64(text);
    REQUIRE(back);
    CHECK(std::string(bytes) ==
          std::string(reinterpret_cast<char const*>(back->data()), back->size()));
  }
  for (char const* const wrong : {"Z", "Zg=", "Zg==Zg==", "Z===", "Zm9!", "===="})
    CHECK_FALSE(pretrain::bytes_of_base64(wrong));
}

TEST_CASE("a page escapes whatever it is given, wherever it puts it") {
  std::string const bad = "<img src='x' onerror=\"a&b\">\x1b\xff";
  pretrain::page shown{.kind = bad, .title = bad, .status = bad};
  pretrain::page_section section{.title = bad, .text = bad};
  section.numbers = {{bad, bad, bad}};
  section.figures = {
      {bad, bad, bad, {{bad, bad, pretrain::series_style::line_with_points, {{0, 1}}}, {}}}};
  section.strips = {{bad, bad, {std::byte{1}}, 2, bad}};
  section.entries = {{bad, bad}};
  section.tables = {{bad, {bad}, {{bad, bad}}}};
  shown.sections = {section};
  std::string const html = render_html(shown);
  CHECK(occurrences(html, "onerror") >= 20);
  CHECK(occurrences(html, "onerror=&quot;a&amp;b&quot;&gt;??") == occurrences(html, "onerror"));
  CHECK(occurrences(html, "<img") == 1);
  CHECK(html.find("src='") == std::string::npos);
}

TEST_CASE("a page asks for nothing outside it, and is loaded anew while it is written alone") {
  pretrain::page shown{.kind = "k", .title = "t", .status = "s"};
  shown.sections = {{.title = "x", .strips = {{"a", "b", {std::byte{7}}, 0, "3 1.5"}}}};
  std::string const html = render_html(shown);
  CHECK(html.starts_with("<!doctype html>\n"));
  for (char const* const outside : {"http:", "https:", "url(", "@import", "<script", "refresh"})
    CHECK(html.find(outside) == std::string::npos);
  CHECK(occurrences(html, "src=\"") == occurrences(html, "src=\"data:image/png;base64,"));
  shown.is_running = true;
  CHECK(render_html(shown).find("http-equiv=\"refresh\"") != std::string::npos);
}

TEST_CASE("a figure draws what is finite, and says in words what it shows") {
  double const nothing = std::nan("");
  pretrain::chart const drawn{
      "Loss",
      "epoch",
      "error",
      {{"training", "", pretrain::series_style::line_with_points, {{0, 2}, {1, nothing}, {2, 0.5}}},
       {"other", "", pretrain::series_style::dashed, {}}}};
  std::string const svg = pretrain::render_figure(drawn);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(occurrences(svg, "<circle") == 2);
  CHECK(svg.find("Loss (error by epoch); training from 2 to 0.5; other: nothing yet") !=
        std::string::npos);
  CHECK(pretrain::number_text(0.45214, 3) == "0.452");
  CHECK(pretrain::number_text(std::numeric_limits<double>::infinity(), 3) == "-");
}

TEST_CASE(
    "a report keeps twelve pictures at most, the first and the last among them, and a resume "
    "finds those of its own past") {
  mae_test::temporary_folder const scratch;
  auto const file = scratch / "report.html";
  pretrain::options const settings;
  pretrain::run_summary const summary;
  pretrain::training_history const history;
  pretrain::training_report report(file);
  for (int step = 0; step <= 30; ++step) {
    report.add(step, step / 10.0, painted(static_cast<float>(step) / 31));
    report.write({settings, summary, history, 30, true});
    auto const strips = pretrain::strips_of(read_text(file));
    REQUIRE(!strips.empty());
    CHECK(strips.size() <= 12);
    CHECK(strips.front().mark == "0 0");
    CHECK(strips.back().mark.starts_with(std::to_string(step) + ' '));
  }
  auto const before = pretrain::strips_of(read_text(file));

  pretrain::training_report resumed(file, 20);
  resumed.add(21, 2.1, painted(0));
  resumed.write({settings, summary, history, 30, false});
  auto const after = pretrain::strips_of(read_text(file));
  REQUIRE(after.size() > 2);
  CHECK(after.back().mark == "21 2.1");
  for (std::size_t i = 0; i + 1 < after.size(); ++i) {
    CHECK(after[i].mark == before[i].mark);
    CHECK(after[i].png == before[i].png);
    CHECK(std::stoi(after[i].mark) <= 20);
  }
  CHECK(read_text(file).find("refresh") == std::string::npos);

  pretrain::training_report fresh(file);
  fresh.add(0, 0, painted(0));
  fresh.write({settings, summary, history, 30, false});
  CHECK(pretrain::strips_of(read_text(file)).size() == 1);
}

TEST_CASE("a report says how held-out images are seen, and draws their distance") {
  mae_test::temporary_folder const scratch;
  auto const file = scratch / "report.html";
  pretrain::options settings;
  pretrain::training_history history;
  history.training.push_back({.step = 1, .epoch = 1, .loss = 0.8});
  history.training[0].compared[3] = 0.4;
  auto const written = [&] {
    pretrain::training_report(file).write({settings, {}, history, 30, false});
    return read_text(file);
  };
  CHECK(written().find("not trained on, under one fixed mask.") != std::string::npos);
  CHECK(written().find("; held-out from") == std::string::npos);
  history.heldout.push_back({.step = 1, .epoch = 1, .loss = 0.9, .baseline = 1});
  history.heldout[0].compared[3] = 0.5;
  settings.mask = pretrain::mask_choice::none;
  CHECK(written().find("not trained on, whole, each with one fixed noise.") != std::string::npos);
  CHECK(written().find("perceptual from 0.4 to 0.4; held-out from 0.5 to 0.5") !=
        std::string::npos);
}

TEST_CASE("a report of a file that is none, or is torn, begins without pictures") {
  mae_test::temporary_folder const scratch;
  CHECK_NOTHROW(pretrain::training_report(scratch / "none.html", 5));
  CHECK(pretrain::strips_of("<img data-mark=\"1 1\" alt=\"\" src=\"data:image/png;base64,Zm9")
            .empty());
  CHECK(pretrain::strips_of("<img data-mark=\"1 1\" src=\"data:image/png;base64,Zm!v\">").empty());
}

}  // namespace
