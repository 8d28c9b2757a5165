#include "terminal.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using pretrain::progress;
using pretrain::progress_line;
using pretrain::progress_style;

progress at_step(std::int64_t step) {
  return {.epoch = 2,
          .epochs = 20,
          .step = step,
          .steps = 7800,
          .done = 0.5,
          .loss = 0.51234,
          .baseline = 0.9987,
          .lr = 9.5e-4,
          .images_per_second = 2711.4,
          .seconds_left = 3723};
}

TEST_CASE("a duration is hours, minutes and seconds") {
  CHECK(pretrain::format_duration(0) == "0:00:00");
  CHECK(pretrain::format_duration(59.6) == "0:01:00");
  CHECK(pretrain::format_duration(3723) == "1:02:03");
  CHECK(pretrain::format_duration(360000) == "100:00:00");
  CHECK(pretrain::format_duration(-1) == "-:--:--");
  CHECK(pretrain::format_duration(std::numeric_limits<double>::quiet_NaN()) == "-:--:--");
  CHECK(pretrain::format_duration(std::numeric_limits<double>::infinity()) == "-:--:--");
}

TEST_CASE("a progress line holds all fields, and limits only where there are any") {
  CHECK(pretrain::format_progress(at_step(400)) ==
        "epoch 2/20  step 400/7800  loss 0.5123  baseline 0.9987  lr 9.50e-04  2711 images/s  "
        "left 1:02:03");
  progress contrasted = at_step(400);
  contrasted.compared[0] = 4.02;
  CHECK(pretrain::format_progress(contrasted).find("baseline 0.9987  contrast 4.0200  lr") !=
        std::string::npos);
  progress unlimited = at_step(400);
  unlimited.epochs.reset();
  unlimited.steps.reset();
  CHECK(pretrain::format_progress(unlimited).find("epoch 2  step 400  loss") == 0);
}

TEST_CASE("a bar is filled by the share done, and never overflows") {
  CHECK(pretrain::format_bar(0, 4) == "[....]");
  CHECK(pretrain::format_bar(0.5, 4) == "[##..]");
  CHECK(pretrain::format_bar(7, 4) == "[####]");
  CHECK(pretrain::format_bar(-1, 4) == "[....]");
  CHECK(pretrain::format_bar(std::numeric_limits<double>::quiet_NaN(), 4) == "[....]");
}

TEST_CASE("into a file go plain lines, ten seconds apart, and the last one") {
  std::ostringstream out;
  progress_line line(out, progress_style::lines, 80);
  progress_line::clock::time_point const start;
  line.show(at_step(1), start);
  line.show(at_step(2), start + 9s);
  line.show(at_step(3), start + 10s);
  line.show(at_step(4), start + 11s);
  line.finish();
  line.finish();
  CHECK(out.str() == pretrain::format_progress(at_step(1)) + "\n" +
                         pretrain::format_progress(at_step(3)) + "\n" +
                         pretrain::format_progress(at_step(4)) + "\n");
}

TEST_CASE("on a terminal one line is rewritten, and never wraps") {
  std::ostringstream out;
  progress_line line(out, progress_style::rewritten, 40);
  progress_line::clock::time_point const start;
  line.show(at_step(1), start);
  line.show(at_step(2), start + 50ms);
  line.show(at_step(3), start + 100ms);
  line.finish();
  CHECK(out.str() ==
        "\r[########........] epoch 2/20  step 1/7\x1b[K"
        "\r[########........] epoch 2/20  step 3/7\x1b[K\n");
}

TEST_CASE("a silent line prints nothing") {
  std::ostringstream out;
  progress_line line(out, progress_style::silent, 80);
  line.show(at_step(1));
  line.finish();
  CHECK(out.str().empty());
}

TEST_CASE("two pixels one above the other are one character") {
  pretrain::picture image(1, 3, {1, 2, 3});
  image.at(1, 0) = {4, 5, 6};
  image.at(2, 0) = {7, 8, 9};
  CHECK(pretrain::half_blocks(image) ==
        "\x1b[38;2;1;2;3m\x1b[48;2;4;5;6m\u2580\x1b[0m\n"
        "\x1b[38;2;7;8;9m\x1b[48;2;0;0;0m\u2580\x1b[0m\n");
}

TEST_CASE("a preview fits into the terminal") {
  mae::image_extent const extent = {.height = 32, .width = 32, .channels = 3};
  pretrain::float_image const image = {extent, std::vector<float>(32 * 32 * 3, 0.5F)};
  std::vector<pretrain::reconstruction> const rows = {{image, image, image, image}};
  auto const columns_of = [&](int columns) {
    std::string const text = pretrain::preview(rows, columns);
    std::string const first = text.substr(0, text.find('\n'));
    int count = 0;
    for (auto at = first.find("\u2580"); at != std::string::npos; at = first.find("\u2580", at + 1))
      ++count;
    return count;
  };
  CHECK(columns_of(80) <= 80);
  CHECK(columns_of(80) >= 76);
  CHECK(columns_of(400) == 4 * 32 + 5);
  CHECK(columns_of(3) == 4 + 5);  // one column an image is the least
  CHECK(pretrain::preview({}, 80).empty());
}

}  // namespace
