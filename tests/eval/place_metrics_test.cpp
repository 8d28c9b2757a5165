#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/eval/instances.hpp>
#include <mae/eval/keypoint_metrics.hpp>
#include <mae/eval/place_predictions.hpp>
#include <mae/eval/segmentation_metrics.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace {

using bytes = std::vector<std::uint8_t>;
using labels = std::vector<std::uint16_t>;

mae::instance_matches matches(labels const& truth, labels const& found) {
  mae::instance_matches all;
  all.add(std::span<std::uint16_t const>(truth), std::span<std::uint16_t const>(found));
  return all;
}

/// `size` pixels of 1, then of 0, of 100.
labels first(std::size_t size, std::uint16_t value = 1) {
  labels row(100);
  for (std::size_t i = 0; i < size; ++i) row[i] = value;
  return row;
}

}  // namespace

TEST_CASE("overlaps of classes, by hand") {
  mae::pixel_confusion found(4);
  found.add(bytes{0, 0, 0, 1, 1, 2, 255, 255}, bytes{0, 0, 1, 1, 2, 1, 0, 3});
  CHECK(found.pixels() == 6);
  CHECK(found.accuracy() == 0.5);
  CHECK(found.iou(0).value() == doctest::Approx(2.0 / 3));
  CHECK(found.iou(1).value() == doctest::Approx(1.0 / 4));
  CHECK(found.iou(2).value() == 0);
  CHECK_FALSE(found.iou(3).has_value());  // nowhere, and only said where nothing is known
  CHECK(found.mean_iou() == doctest::Approx((2.0 / 3 + 1.0 / 4) / 3));
  CHECK(found.foreground_iou().value() == doctest::Approx(3.0 / 4));
  CHECK_FALSE(mae::pixel_confusion(2).foreground_iou().has_value());
}

TEST_CASE("connected parts, of four neighbours, without those that are too small") {
  // clang-format off
  bytes const mask{1, 1, 0, 2,
                   0, 0, 1, 0,
                   3, 0, 1, 255};
  std::vector<std::uint32_t> const parts{1, 1, 0, 2,
                                         0, 0, 3, 0,
                                         4, 0, 3, 0};
  std::vector<std::uint32_t> const large{1, 1, 0, 0,
                                         0, 0, 2, 0,
                                         0, 0, 2, 0};
  // clang-format on
  CHECK(mae::connected_components(mask, {3, 4}) == parts);
  CHECK(mae::connected_components(mask, {3, 4}, 2) == large);
}

TEST_CASE("instances match where they overlap enough") {
  auto const same = matches(first(50), first(50, 7));
  CHECK(same.f1() == 1);
  CHECK(same.mean_average_precision() == 1);

  auto const most = matches(first(100), first(80));  // IoU 0.8, exactly on a threshold
  CHECK(most.f1(6) == 1);
  CHECK(most.f1(7) == 0);
  CHECK(most.mean_average_precision() == doctest::Approx(0.7));

  CHECK(matches(first(100), first(49)).f1() == 0);
  CHECK(matches(first(100), first(50)).f1() == 1);

  auto const invented = matches(first(0), first(10));
  CHECK(invented.f1() == 0);
  CHECK(invented.average_precision() == 0);
  CHECK(matches(first(0), first(0)).f1() == 1);

  labels halves = first(100);
  for (std::size_t i = 50; i < 100; ++i) halves[i] = 2;
  auto const split = matches(first(100), halves);  // both halves overlap by one half: one counts
  CHECK(split.f1() == doctest::Approx(2.0 / 3));
  CHECK(split.average_precision() == doctest::Approx(0.5));
}

TEST_CASE("distances of points, and the share that is near enough") {
  mae::keypoint_errors errors(3);
  std::vector<mae::keypoint> const truth{{0, 0, true}, {100, 40, true}, {7, 7, false}};
  errors.add(truth, std::vector<mae::found_keypoint>{{3, 4, 1}, {100, 49, 1}, {0, 90, 1}});
  CHECK(errors.points() == 2);
  CHECK(errors.mean() == 7);
  CHECK(errors.median() == 9);
  CHECK(errors.pck_5() == 0.5);
  CHECK(errors.pck_10() == 1);
  CHECK(errors.mean_of_each()[1] == 9);
  CHECK(std::isnan(errors.mean_of_each()[2]));
  // One point alone has no box to be measured by.
  errors.add(std::vector<mae::keypoint>{{1, 1, true}, {}, {}},
             std::vector<mae::found_keypoint>{{2, 1, 1}, {}, {}});
  CHECK(errors.points() == 3);
  CHECK(errors.pck_5() == 0.5);
}

TEST_CASE("a point is found between cells") {
  mae::map_shape const shape{6, 8};
  std::vector<double> map(2 * 48);  // two maps side by side, the second is looked at
  double const x = 4.3;
  double const y = 2.8;
  for (mae::index_t row = 0; row < 6; ++row)
    for (mae::index_t column = 0; column < 8; ++column) {
      double const right = static_cast<double>(column) + 0.5 - x;
      double const down = static_cast<double>(row) + 0.5 - y;
      map[static_cast<std::size_t>(2 * (8 * row + column) + 1)] =
          -(right * right + down * down) / (2 * 0.7 * 0.7);
    }
  auto const found = mae::find_peak(map.data() + 1, 2, shape, 3);
  CHECK(found.x == doctest::Approx(x).epsilon(0.01));
  CHECK(found.y == doctest::Approx(y).epsilon(0.01));
  CHECK(found.confidence > 0.95);
  std::vector<double> const nothing(48);
  CHECK(mae::find_peak(nothing.data(), 1, shape, 0).confidence == doctest::Approx(1.0 / 48));
}
