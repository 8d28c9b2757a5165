#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/images/keypoint_table.hpp>
#include <mae/images/label_map.hpp>
#include <mae/images/picture_fit.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace {

std::string const fixtures = MAE_TESTS_DIR "/images/fixtures/";

using values = std::vector<std::uint16_t>;

std::string keypoints_refusal(std::string const& text) {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("k.csv");
  write_text(path, text);
  return refusal_of<mae::format_error>([&] { mae::read_keypoints(path); }).substr(path.size());
}

}  // namespace

TEST_CASE("labels are the numbers that a file stores, of any depth, and a palette's") {
  std::string const folder = MAE_TESTS_DIR "/images/labels_fixtures/";
  for (auto const* const name : {"bits_1.png", "bits_8.png", "bits_16.png", "palette.png"}) {
    CAPTURE(name);
    auto const found = mae::read_label_map(folder + name);
    CHECK(found.shape == mae::map_shape{2, 3});
    std::string const kind(name);
    if (kind == "bits_1.png") CHECK(found.values == values{0, 1, 1, 0, 0, 1});
    if (kind == "bits_8.png") CHECK(found.values == values{0, 1, 2, 200, 254, 255});
    if (kind == "bits_16.png") CHECK(found.values == values{0, 1, 256, 300, 4660, 65535});
    if (kind == "palette.png") CHECK(found.values == values{0, 1, 2, 3, 2, 1});
    CHECK(mae::picture_size(folder + name) == mae::map_shape{2, 3});
  }
}

TEST_CASE("what stores no labels is refused by name") {
  auto const refusal = [](std::string const& name) {
    return refusal_of<mae::format_error>([&] { mae::read_label_map(fixtures + name); });
  };
  CHECK(refusal("rgb.png") == fixtures +
                                  "rgb.png: at byte 0: PNG: labels are one number a pixel, grey or "
                                  "of a palette; this file has colours or transparency");
  CHECK(refusal("photo.jpg") ==
        fixtures +
            "photo.jpg: at byte 0: labels are a PNG file, which loses nothing; this is none");
}

TEST_CASE("labels follow the picture's fit, each pixel the nearest") {
  mae::label_map labels{{4, 6}, {}};
  for (std::uint16_t i = 0; i < 24; ++i) labels.values.push_back(i);
  mae::image_extent const two{.height = 2, .width = 2, .channels = 1};
  // The middle 4 x 4 as 2 x 2: of each 2 x 2 the lower right pixel, beside whose corner the centre
  // lies.
  CHECK(mae::fitted_labels(labels, mae::plan_fit(4, 6, two, {})) == values{8, 10, 20, 22});
  CHECK(mae::fitted_labels(labels, mae::plan_fit(4, 6, two, {.kind = mae::image_fit::stretch})) ==
        values{7, 10, 19, 22});
  CHECK(mae::fitted_labels(labels, mae::plan_fit(4, 6, two, {.shortest_edge = 4})) ==
        values{8, 9, 14, 15});
}

TEST_CASE("a table of points; empty fields and 0 are not visible, other columns are passed over") {
  mae_test::temporary_folder const folder;
  auto const path = folder.file("k.csv");
  write_text(path,
             "image,who,a_x,a_y,b_x,b_y,b_visible\n"
             "1.png,me,1.5,2,3,4,1\n2.png,you,,,5,6,0\n3.png,,0,0,,,\n");
  auto const found = mae::read_keypoints(path);
  CHECK(found.names == std::vector<std::string>{"a", "b"});
  using points = std::vector<mae::keypoint>;
  CHECK(found.pictures.at("1.png") == points{{1.5F, 2, true}, {3, 4, true}});
  CHECK(found.pictures.at("2.png") == points{{}, {}});
  CHECK(found.pictures.at("3.png") == points{{0, 0, true}, {}});

  auto const pairs = folder.file("pairs.csv");
  write_text(pairs, "left,right\nb,a\n");
  CHECK(mae::read_partners(pairs, found.names) == mae::mirror_partners{1, 0});
  write_text(pairs, "left,right\n");
  CHECK(mae::read_partners(pairs, found.names) == mae::mirror_partners{0, 1});
  write_text(pairs, "left,right\na,c\n");
  CHECK(refusal_of<mae::format_error>([&] { mae::read_partners(pairs, found.names); }) ==
        pairs + ": at byte 11: line 2, right: \"c\" is no point");
  write_text(pairs, "left,right\na,a\n");
  CHECK(refusal_of<mae::format_error>([&] { mae::read_partners(pairs, found.names); }) ==
        pairs + ": at byte 11: line 2, right: \"a\" has a partner already");
}

TEST_CASE("tables of points that are none are refused") {
  CHECK(keypoints_refusal("image,a,b\n") ==
        ": at byte 0: no point: columns NAME_x and NAME_y give their places");
  CHECK(keypoints_refusal("image,a_x\n") == ": at byte 0: the table has no column a_y");
  CHECK(keypoints_refusal("name,a_x,a_y\n") == ": at byte 0: the table has no column image");
  CHECK(keypoints_refusal("image,a_x,a_y\n1,2,\n") ==
        ": at byte 14: line 2, a_y: \"\" is one half of a place: say both, or none");
  CHECK(keypoints_refusal("image,a_x,a_y,a_visible\n1,,,1\n") ==
        ": at byte 24: line 2, a_visible: \"1\" is a visible point without a place");
  CHECK(keypoints_refusal("image,a_x,a_y\n1,2,3\n1,2,3\n") ==
        ": at byte 20: line 3, image: \"1\" is there twice");
}
