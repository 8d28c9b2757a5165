#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/resize.hpp>
#include <mae/data/resized_dataset.hpp>
#include <mae/data/subset.hpp>
#include <mae/data/synthetic.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

constexpr mae::image_extent extent_of_all{.height = 2, .width = 3, .channels = 1};

struct images {
  std::vector<std::uint8_t> pixels = std::vector<std::uint8_t>(600, 7);
  mae::image_format format{.extent = extent_of_all};
  mae::image_labels labels{.classes = std::vector<std::int32_t>(100, 1), .num_classes = 3};
};

std::uint64_t print_of(images const& of) {
  return mae::fingerprint(mae::memory_dataset<std::uint8_t>(of.pixels, of.format, of.labels));
}

/// A user's own dataset, which says nothing of itself and counts what is read.
struct lazy_images {
  index_t count = 1000;
  index_t different = -1;  // the image that is another
  index_t other_label = -1;
  mutable index_t reads = 0;

  mae::image_extent extent() const { return extent_of_all; }
  index_t size() const { return count; }
  double pixel_scale() const { return 1; }
  index_t label(index_t index) const { return index == other_label ? 1 : 0; }
  index_t num_classes() const { return 2; }
  void read(index_t index, std::span<float> pixels) const {
    ++reads;
    for (float& pixel : pixels) pixel = index == different ? 1.0F : 0.5F;
  }
};
static_assert(mae::Dataset<lazy_images>);
static_assert(!mae::Fingerprinted<lazy_images>);
static_assert(mae::Fingerprinted<mae::memory_dataset<float>>);

}  // namespace

TEST_CASE("images in memory are told apart by any byte, label, count, extent and order") {
  std::uint64_t const usual = print_of({});
  CHECK(print_of({}) == usual);
  std::set<std::uint64_t> prints{usual};
  std::vector<std::function<void(images&)>> const changes{
      [](images& of) { of.pixels.front() = 8; },
      [](images& of) { of.pixels.back() = 8; },
      [](images& of) { of.pixels[299] = 6; },
      [](images& of) { of.labels.classes.back() = 2; },
      [](images& of) { of.labels.num_classes = 4; },
      [](images& of) { of.labels = {}; },
      [](images& of) { of.pixels.resize(594), of.labels.classes.resize(99); },
      [](images& of) { of.format.extent = {.height = 3, .width = 2, .channels = 1}; },
      [](images& of) { of.format.order = mae::pixel_order::planar; },
      [](images& of) { of.format.pixel_scale = 1; }};
  for (auto const& change : changes) {
    images changed;
    change(changed);
    CHECK(prints.insert(print_of(changed)).second);
  }
}

TEST_CASE("the same images in another array have the same fingerprint") {
  images const of;
  auto const view = mae::memory_dataset<std::uint8_t>::view(of.pixels, of.format, of.labels);
  CHECK(mae::fingerprint(view) == print_of(of));
  CHECK(mae::fingerprint(mae::resized_dataset(view)) == print_of(of));
}

TEST_CASE("parts and resampled images are told apart") {
  lazy_images const all;
  auto const whole = mae::fingerprint(all);
  index_t const reads = all.reads;
  CHECK(reads == 64);
  std::set<std::uint64_t> prints{whole};
  CHECK(prints.insert(mae::fingerprint(mae::subset(all, 0, 500))).second);
  CHECK(prints.insert(mae::fingerprint(mae::subset(all, 1, 500))).second);
  CHECK(prints.insert(mae::fingerprint(mae::subset(all, 1, 501))).second);
  for (auto const kind : {mae::interpolation::bicubic, mae::interpolation::bilinear})
    CHECK(prints
              .insert(mae::fingerprint(
                  mae::resized_dataset(all, {.height = 4, .width = 3, .channels = 1}, kind)))
              .second);
  CHECK(all.reads == 4 * reads);  // of the parts; the copies counted for themselves
}

TEST_CASE("of a dataset of a user's 64 images are looked at, and every label") {
  auto const usual = mae::fingerprint(lazy_images{});
  CHECK(mae::fingerprint(lazy_images{}) == usual);
  CHECK(mae::fingerprint(lazy_images{.different = 0}) != usual);
  CHECK(mae::fingerprint(lazy_images{.different = 1000 * 63 / 64}) != usual);
  CHECK(mae::fingerprint(lazy_images{.different = 1}) == usual);
  CHECK(mae::fingerprint(lazy_images{.other_label = 999}) != usual);
  lazy_images const few{.count = 5};
  mae::fingerprint(few);
  CHECK(few.reads == 5);
}

TEST_CASE("made-up images are told apart by the rule that makes them") {
  auto const print = [](index_t size, std::uint64_t seed, index_t side) {
    return mae::fingerprint(
        mae::synthetic_dataset(size, seed, {.height = side, .width = side, .channels = 3}));
  };
  CHECK(print(10, 1, 32) == print(10, 1, 32));
  std::set<std::uint64_t> const prints{
      print(10, 1, 32), print(11, 1, 32), print(10, 2, 32), print(10, 1, 16)};
  CHECK(prints.size() == 4);
}

TEST_CASE("the fingerprint is a promise: files hold it") {
  CHECK(print_of({}) == 15323056936317040582U);
}
