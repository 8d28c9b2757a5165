#include "small_training.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/normalise.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/sample.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/training_batch.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae::matrix_view;
using mae_test::small_config;
using mae_test::small_dataset;

using batch_type = mae::training_batch<float, 1>;
using indices = std::vector<mae::image_index>;

/// A user's objective: the mean of each channel.
struct mean_colour {
  constexpr index_t target_width(mae::model_config const& config) const {
    return config.image.channels;
  }
  template <class T>
  void target(mae::model_config const& config,
              matrix_view<T const> patches,
              std::span<mae::patch_index const> rows,
              matrix_view<T> targets) const {
    index_t const channels = config.image.channels;
    for (std::size_t r = 0; r < rows.size(); ++r)
      for (index_t channel = 0; channel < channels; ++channel) {
        T sum = 0;
        for (index_t i = channel; i < patches.cols; i += channels) sum += patches(rows[r], i);
        targets(static_cast<index_t>(r), channel) = sum / static_cast<T>(patches.cols / channels);
      }
  }
};
static_assert(mae::Objective<mean_colour>);

using painting = mae::network_parts<mae::painter>;
template <class Objective>
using labels_of = std::tuple<mae::target_labels<Objective>>;

template <class Objective>
painting parts_of(Objective const& objective) {
  return mae::painter_parts(small_config, objective.target_width(small_config));
}
template <class Objective>
labels_of<Objective> labels(Objective const& objective) {
  return {mae::target_labels<Objective>(objective)};
}

/// Twenty images, ragged masks, and a loader over them.
template <class Objective = mae::normalised_pixels>
class loading {
 public:
  explicit loading(mae::batch_options const& options, int threads = 2)
      : threads_(threads),
        statistics_(mae::channel_statistics(images_, threads_)),
        loader_(images_,
                mask_,
                parts_of(objective_),
                labels(objective_),
                statistics_,
                options,
                threads_) {}

  batch_type load(indices const& numbers, mae::training_moment const& moment = {}) {
    batch_type batch;
    loader_.load(numbers, moment, batch);
    return batch;
  }
  void load(indices const& numbers, batch_type& batch) { loader_.load(numbers, {}, batch); }

  small_dataset const& images() const { return images_; }
  mae::pixel_statistics const& statistics() const { return statistics_; }

 private:
  small_dataset images_ = mae_test::painted_images(20, 1);
  mae::random_ratio_mask mask_{{.low = 0.3, .high = 0.9}};
  Objective objective_;
  mae::thread_pool threads_;
  mae::pixel_statistics statistics_;
  mae::batch_loader<small_dataset, mae::random_ratio_mask, painting, labels_of<Objective>, float>
      loader_;
};

std::vector<float> values_of(matrix_view<float const> view) {
  return {view.data, view.data + view.size()};
}

/// Whether image `i` of one batch is image `k` of the other: pixels, mask and targets.
bool same_image(batch_type const& a, index_t i, batch_type const& b, index_t k) {
  return values_of(a.patches_of(i, i + 1)) == values_of(b.patches_of(k, k + 1)) &&
         std::ranges::equal(a.plan.visible(i), b.plan.visible(k)) &&
         std::ranges::equal(a.plan.target(i), b.plan.target(k)) &&
         values_of(a.labels[0].of(i, i + 1)) == values_of(b.labels[0].of(k, k + 1));
}

bool same_mask(batch_type const& a, batch_type const& b) {
  return std::ranges::equal(a.plan.visible(0), b.plan.visible(0));
}
bool same_view(batch_type const& a, batch_type const& b) {
  return values_of(a.patches_of(0, 1)) == values_of(b.patches_of(0, 1));
}

constexpr mae::batch_options varied{.seed = 7, .augment = mae::augmentation{}};
constexpr mae::batch_options as_they_are{.seed = 7};

}  // namespace

TEST_CASE("an image has the same view, mask and targets in batches of any size and order") {
  loading source(varied, 2);
  loading other(varied, 3);
  auto const all = source.load({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  auto const some = other.load({7, 3, 7});
  CHECK(same_image(some, 0, all, 7));
  CHECK(same_image(some, 1, all, 3));
  CHECK(same_image(some, 2, all, 7));
  CHECK_FALSE(same_image(all, 3, all, 7));
  CHECK(same_image(source.load({5}, {.step = 99, .progress = 0.5}), 0, all, 5));
}

TEST_CASE("views and masks change with the epoch and the seed; held-out masks are others") {
  loading source(varied);
  auto const reference = source.load({4}, {.epoch = 1});
  auto const later = source.load({4}, {.epoch = 2});
  CHECK_FALSE(same_view(reference, later));
  CHECK_FALSE(same_mask(reference, later));

  auto options = varied;
  options.seed = 8;
  auto const reseeded = loading(options).load({4}, {.epoch = 1});
  CHECK_FALSE(same_view(reference, reseeded));
  CHECK_FALSE(same_mask(reference, reseeded));

  options = varied;
  options.mask_purpose = mae::purpose::heldout_mask;
  auto const held_out = loading(options).load({4}, {.epoch = 1});
  CHECK(same_view(reference, held_out));
  CHECK_FALSE(same_mask(reference, held_out));
}

TEST_CASE("without augmentation patches are the normalised image, in the order of patchify") {
  loading source(as_they_are);
  auto const batch = source.load({11, 2});
  std::vector<float> image(static_cast<std::size_t>(small_config.image.values()));
  std::vector<float> patches(image.size());
  source.images().read(2, image);
  mae::patchify(
      std::span<float const>(image),
      small_config.image,
      small_config.patch,
      matrix_view<float>(patches.data(), small_config.num_patches(), small_config.patch_values()));
  mae::normalise_pixels(patches, source.statistics());
  CHECK(values_of(batch.patches_of(1, 2)) == patches);
  CHECK(batch.patch_values == 48);
  CHECK(batch.images() == 2);
}

TEST_CASE("targets stand image after image, and the loss of zero is their mean square") {
  auto const check = [](auto source, index_t width, auto const& objective) {
    auto const batch = source.load({3, 1, 4, 15, 9});
    auto const& targets_of_batch = batch.labels[0];
    REQUIRE(targets_of_batch.width == width);
    CHECK(targets_of_batch.offsets.front() == 0);
    double zero_loss = 0;
    for (index_t i = 0; i < batch.images(); ++i) {
      auto const rows = batch.plan.target(i);
      auto const targets = targets_of_batch.of(i, i + 1);
      REQUIRE(targets.rows == std::ssize(rows));
      REQUIRE(targets.cols == width);
      CHECK(targets.data == targets_of_batch.of(0, batch.images())
                                .row(targets_of_batch.offsets[static_cast<std::size_t>(i)])
                                .data());
      std::vector<float> expected(static_cast<std::size_t>(targets.size()));
      objective.target(small_config,
                       batch.patches_of(i, i + 1),
                       rows,
                       matrix_view<float>(expected.data(), targets.rows, width));
      CHECK(values_of(targets) == expected);
      for (float const value : expected)
        zero_loss += static_cast<double>(value) * value / static_cast<double>(width);
    }
    CHECK(targets_of_batch.counted == batch.plan.total().target);
    CHECK(targets_of_batch.zero_loss == doctest::Approx(zero_loss).epsilon(1e-12));
  };
  check(loading<mae::normalised_pixels>(varied), 48, mae::normalised_pixels{});
  check(loading<mae::pixels>(varied), 48, mae::pixels{});
  check(loading<mean_colour>(varied), 3, mean_colour{});
}

TEST_CASE("a batch may be filled anew with more or fewer images") {
  loading source(varied);
  auto const expected = source.load({1, 2, 3});
  batch_type batch;
  source.load({4, 5, 6, 7, 8}, batch);
  source.load({1, 2, 3}, batch);
  CHECK(batch.images() == 3);
  CHECK(batch.labels[0].zero_loss == expected.labels[0].zero_loss);
  CHECK(batch.labels[0].offsets == expected.labels[0].offsets);
  for (index_t i = 0; i < 3; ++i) CHECK(same_image(batch, i, expected, i));
  source.load({9, 8, 7, 6, 5, 4, 3}, batch);
  CHECK(same_image(batch, 6, expected, 2));
}

TEST_CASE("a mask policy's mistake is thrown to the caller, from whatever thread it was made in") {
  struct blind_mask {
    index_t max_visible(index_t patches) const { return patches; }
    mae::mask_counts counts(mae::mask_context const& image, mae::random_stream&) const {
      return {.visible = image.dataset_index == 6 ? 0 : 1, .target = 1};
    }
    void score(mae::mask_context const&, mae::random_stream& random, std::span<float> out) const {
      mae::score_noise(random, out);
    }
  };
  auto const images = mae_test::painted_images(20, 1);
  blind_mask const mask;
  mae::pixels const objective;
  mae::thread_pool threads(3);
  mae::batch_loader<small_dataset, blind_mask, painting, labels_of<mae::pixels>, float> loader(
      images,
      mask,
      parts_of(objective),
      labels(objective),
      mae::channel_statistics(images, threads),
      as_they_are,
      threads);
  batch_type batch;
  CHECK_THROWS_AS(loader.load(indices{4, 5, 6, 7}, {}, batch), mae::config_error);
  CHECK_NOTHROW(loader.load(indices{4, 5, 7}, {}, batch));
}
