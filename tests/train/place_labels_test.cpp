// Labels of places in a training: they follow what the network sees.

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/annotation.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/eval/place_predictions.hpp>
#include <mae/eval/segmentation_metrics.hpp>
#include <mae/head/keypoints.hpp>
#include <mae/head/segmenter.hpp>
#include <mae/mask/none.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using mae::index_t;

constexpr mae::model_config config{
    .image = {.height = 24, .width = 32, .channels = 1},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 1, .width = 16, .heads = 2},
    .decoder = {.depth = 1, .width = 16, .heads = 2},
};

/// Where a point of each image is, left of the middle.
constexpr mae::keypoint spot_of(index_t image) {
  return {
      static_cast<float>(5 + image % 7) + 0.5F, static_cast<float>(6 + image % 11) + 0.5F, true};
}

/// Images that show their own labels: the pixels above a line that descends to the right are 1, and
/// so is the mask; in the other set all is black but for a spot around a point.
class telling_images {
 public:
  explicit telling_images(bool spots) : spots_(spots) {}

  mae::image_extent extent() const { return config.image; }
  index_t size() const { return 40; }
  double pixel_scale() const { return 1; }
  index_t label(index_t /*image*/) const { return -1; }
  index_t num_classes() const { return 0; }
  void read(index_t image, std::span<float> pixels) const {
    for (index_t y = 0; y < 24; ++y)
      for (index_t x = 0; x < 32; ++x)
        pixels[static_cast<std::size_t>(32 * y + x)] =
            spots_ ? spot(image, x, y) : static_cast<float>(is_above(image, x, y));
  }
  void annotate(index_t image, mae::annotation& to) const {
    to.mask.clear();
    for (index_t y = 0; y < 24; ++y)
      for (index_t x = 0; x < 32; ++x)
        to.mask.push_back(static_cast<std::uint8_t>(is_above(image, x, y)));
    // The second point is the first's partner, at the same height right of the middle.
    auto other = spot_of(image);
    other.x = 32 - 3;
    to.points = {spot_of(image), other};
  }

 private:
  static bool is_above(index_t image, index_t x, index_t y) { return 2 * y < x + image % 9; }
  static float spot(index_t image, index_t x, index_t y) {
    auto const at = spot_of(image);
    float const away =
        std::hypot(static_cast<float>(x) + 0.5F - at.x, static_cast<float>(y) + 0.5F - at.y);
    return std::max(0.0F, 1.0F - away / 4);
  }

  bool spots_;
};
static_assert(mae::AnnotatedDataset<telling_images>);

using parts_type = mae::network_parts<mae::segmenter, mae::keypoints>;
using heads_type = std::tuple<mae::segmenter, mae::keypoints>;
using loader_type = mae::batch_loader<telling_images, mae::no_mask, parts_type, heads_type, float>;

parts_type both_heads() {
  return mae::fitted(
      parts_type{config,
                 1e-6,
                 {mae::segmenter{.classes = 2}, mae::keypoints{.points = 2, .partners = {1, 0}}}});
}

/// All images in varied views, of several epochs: each(pixels (H, W), labels of both heads).
template <class Each>
void for_each_view(telling_images const& images, Each const& each) {
  mae::thread_pool threads(2);
  mae::no_mask const mask;
  auto const parts = both_heads();
  loader_type loader(
      images,
      mask,
      parts,
      parts.heads,
      {.mean = {0}, .deviation = {1}},
      {.seed = 3,
       .augment = mae::augmentation{.crop_min = 0.3, .kind = mae::interpolation::bilinear}},
      threads);
  std::vector<mae::image_index> numbers;
  for (mae::image_index i = 0; i < images.size(); ++i) numbers.push_back(i);
  mae::training_batch<float, 2> batch;
  std::vector<float> pixels(static_cast<std::size_t>(config.image.values()));
  for (index_t epoch = 0; epoch < 3; ++epoch) {
    loader.load(numbers, {.epoch = epoch}, batch);
    for (index_t i = 0; i < images.size(); ++i) {
      mae::unpatchify(
          batch.patches_of(i, i + 1), config.image, config.patch, std::span<float>(pixels));
      each(i, pixels, batch.labels_of(i, i + 1));
    }
  }
}

/// Figures of one class, on the background.
class figures : public mae::synthetic_dataset {
 public:
  using synthetic_dataset::synthetic_dataset;
  void annotate(index_t image, mae::annotation& to) const {
    synthetic_dataset::annotate(image, to);
    for (auto& value : to.mask) value = value > 0 ? 1 : 0;
  }
};

using exact = mae::eigen_backend<float>;
template <class B>
using place_model = mae::headed_encoder<config, mae::no_mask, B, mae::segmenter, mae::keypoints>;

template <class B>
typename place_model<B>::parts parts_on(int threads) {
  return {
      .heads = {mae::segmenter{.classes = 2},
                mae::keypoints{.points = 5, .partners = mae::synthetic_dataset::point_partners()}},
      .head_weights = {1, 0.2},
      .backend = B(std::make_shared<mae::thread_pool>(threads))};
}

template <class B>
std::vector<float> trained_values(int threads, index_t accumulate) {
  figures const images(50, 1, config.image);
  place_model<B> model(parts_on<B>(threads));
  mae::trainer trainer(
      model,
      images,
      mae::training_options{.batch_size = 24 / accumulate, .accumulate = accumulate, .steps = 4});
  while (trainer.progress().step < 4) static_cast<void>(trainer.step());
  auto const values = model.parameters().values();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("a mask's labels are the classes of the pixels that the network sees") {
  telling_images const images(false);
  index_t agreeing = 0;
  index_t counted = 0;
  index_t ones = 0;
  for_each_view(images, [&](index_t /*image*/, auto const& pixels, auto const& labels) {
    for (index_t i = 0; i < std::ssize(pixels); ++i) {
      float const value = pixels[static_cast<std::size_t>(i)];
      if (std::abs(value - 0.5F) < 0.3F) continue;  // beside the line
      ++counted;
      ones += value > 0.5F ? 1 : 0;
      agreeing += labels[0].data[i] == (value > 0.5F ? 1.0F : 0.0F) ? 1 : 0;
    }
  });
  CHECK(counted > 60'000);
  CHECK((ones > counted / 5 && ones < 4 * counted / 5));
  CHECK(agreeing > counted - counted / 500);
}

TEST_CASE("a point's label is where its spot is seen, and its partner's where it is mirrored") {
  telling_images const images(true);
  index_t mirrored = 0;
  index_t seen = 0;
  for_each_view(images, [&](index_t /*image*/, auto const& pixels, auto const& labels) {
    auto const brightest = std::ranges::max_element(pixels) - pixels.begin();
    if (pixels[static_cast<std::size_t>(brightest)] < 0.8F) return;  // cut off
    auto const x = static_cast<float>(brightest % 32) + 0.5F;
    auto const y = static_cast<float>(brightest / 32) + 0.5F;
    // Of the two labels one is the spot's: in a mirror image that of the partner.
    auto const distance = [&](index_t j) {
      if (labels[1](j, 2) == 0) return 1e9F;
      return std::hypot(labels[1](j, 0) - x, labels[1](j, 1) - y);
    };
    ++seen;
    CHECK(std::min(distance(0), distance(1)) < 2.0F);  // as much as the crop enlarges a pixel
    if (distance(1) < distance(0)) ++mirrored;
  });
  CHECK(seen > 60);
  CHECK((mirrored > seen / 4 && mirrored < 3 * seen / 4));
}

TEST_CASE("two heads of places learn, with the same bits for any threads and accumulation") {
  auto const one = trained_values<exact>(1, 1);
  CHECK(trained_values<exact>(3, 1) == one);
  auto const parts = trained_values<exact>(2, 2);
  double difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    difference = std::max(difference, std::abs(static_cast<double>(one[i] - parts[i])));
  CHECK(difference < 1e-4);
  using half = mae::eigen_backend<mae::bfloat16>;
  CHECK(trained_values<half>(1, 1) == trained_values<half>(3, 1));
}

TEST_CASE("a training finds figures and their middles in images that it has not seen") {
  figures const images(400, 1, config.image);
  figures const others(60, 2, config.image);
  place_model<exact> model(parts_on<exact>(2));
  mae::trainer trainer(
      model,
      images,
      mae::training_options{
          .batch_size = 16, .epochs = 6, .lr = 4e-3, .augment = {.crop_min = 0.5}});
  CHECK(trainer.run());
  auto const heldout = mae::evaluate_heldout(model, others);
  CHECK(heldout.loss < 0.8 * heldout.baseline);

  auto const masks = mae::predicted_masks<0>(model, others);
  auto const points = mae::predicted_keypoints<1>(model, others);
  mae::pixel_confusion found(2);
  mae::annotation said;
  double error = 0;
  double of_middle = 0;
  for (index_t i = 0; i < others.size(); ++i) {
    others.annotate(i, said);
    found.add(said.mask, std::span(masks).subspan(static_cast<std::size_t>(i * 24 * 32), 24 * 32));
    auto const& truth = said.points.front();
    auto const& own = points[static_cast<std::size_t>(5 * i)];
    error += std::hypot(own.x - truth.x, own.y - truth.y);
    of_middle += std::hypot(16 - truth.x, 12 - truth.y);
  }
  MESSAGE("foreground IoU ",
          found.foreground_iou().value(),
          ", middles within ",
          error / 60,
          " pixels (the image's middle: ",
          of_middle / 60,
          ")");
  CHECK(found.foreground_iou().value() > 0.4);
  CHECK(error < 0.8 * of_middle);
}

TEST_CASE("labels of places that a dataset does not have are refused") {
  class plain {
   public:
    mae::image_extent extent() const { return config.image; }
    index_t size() const { return 4; }
    double pixel_scale() const { return 1; }
    index_t label(index_t /*image*/) const { return -1; }
    index_t num_classes() const { return 0; }
    void read(index_t image, std::span<float> pixels) const {
      std::ranges::fill(pixels, static_cast<float>(image));
    }
  };
  plain const images;
  place_model<exact> model(parts_on<exact>(1));
  mae::trainer trainer(
      model, images, mae::training_options{.batch_size = 4, .steps = 1, .warmup_epochs = 0});
  CHECK_THROWS_WITH_AS(static_cast<void>(trainer.step()),
                       "a segmenter learns from masks: its dataset must annotate its images",
                       mae::config_error);
}
