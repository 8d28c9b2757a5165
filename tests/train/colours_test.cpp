#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/colour_changer.hpp>
#include <mae/data/colour_changes.hpp>
#include <mae/data/rand_augment.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/image_views.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

// Colours of training images, drawn by seed, epoch, image and view.

namespace {

using mae::index_t;
using mae_test::small_config;
using mae_test::small_dataset;

constexpr mae::colour_changes colours{
    .jitter = {.brightness = 0.4, .contrast = 0.4, .saturation = 0.2, .hue = 0.1, .probability = 1},
    .grey = 0.2,
    .blur = {.probability = 0.5},
    .solarise = {.probability = 0.2}};

mae::training_options coloured() {
  return {
      .batch_size = 10, .views = 2, .steps = 4, .lr = 1e-3, .warmup_epochs = 0, .colours = colours};
}

mae_test::small_model<> model_of(int threads) {
  return mae_test::small_model<>({.seed = 5, .backend = mae::eigen_backend<float>(threads)});
}

mae_test::training_state trained(mae::training_options const& options, int threads) {
  auto const images = mae_test::painted_images(20, 1);
  auto model = model_of(threads);
  mae::trainer trainer(model, images, options);
  trainer.run();
  return mae_test::state_of(trainer);
}

template <class Call>
std::string refusal_of(Call const& call) {
  try {
    call();
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("each view has colours of its own, on the crop that it has without") {
  auto const images = mae_test::painted_images(8, 1);
  mae::batch_options const plain{.seed = 3, .augment = mae::augmentation{}};
  auto changing = plain;
  changing.colours = colours;
  mae::image_views crops(images, plain, {});
  mae::image_views views(images, changing, {});
  mae::colour_changer changer(small_config.image, colours);
  auto const copy = [](auto const& pixels) {
    return std::vector<float>(pixels.begin(), pixels.end());
  };
  for (index_t image = 0; image < images.size(); ++image)
    for (std::uint8_t view = 0; view < 2; ++view) {
      auto expected = copy(crops(image, 4, view));
      mae::random_stream random({.seed = 3,
                                 .use = mae::purpose::colour,
                                 .epoch = 4,
                                 .index = static_cast<std::uint64_t>(image),
                                 .view = view});
      changer(random, expected);
      CHECK(copy(views(image, 4, view)) == expected);
      CHECK(views.part().box.top == crops.part().box.top);
    }
  // Where nothing is cropped, views differ by their colours alone, and so do epochs.
  mae::image_views whole(images, {.seed = 3, .colours = colours}, {});
  auto const first = copy(whole(0, 0, 0));
  CHECK(copy(whole(0, 0, 1)) != first);
  CHECK(copy(whole(0, 1, 0)) != first);
  CHECK(copy(whole(0, 0, 0)) == first);
}

TEST_CASE("RandAugment comes after the colours") {
  auto const images = mae_test::painted_images(8, 1);
  mae::batch_options options{.seed = 3, .colours = colours};
  mae::image_views before(images, options, {});
  options.changes.magnitude = 9;
  mae::image_views both(images, options, {});
  mae::image_changer changer(small_config.image, {});
  for (index_t image = 0; image < images.size(); ++image) {
    auto const pixels = before(image, 0);
    mae::random_stream random(
        {.seed = 3, .use = mae::purpose::change, .index = static_cast<std::uint64_t>(image)});
    changer(options.changes, random, pixels);
    auto const found = both(image, 0);
    CHECK(std::ranges::equal(found, pixels));
  }
}

TEST_CASE("colours give the same bits for any number of threads; those that are off, none's") {
  auto const expected = trained(coloured(), 1);
  CHECK(trained(coloured(), 3) == expected);
  auto options = coloured();
  options.colours = {};
  auto const plain = trained(options, 2);
  CHECK(plain != expected);
  options.colours.jitter = {.brightness = 0.4, .probability = 0};
  options.colours.blur.sigma_max = 9;
  options.colours.blur.kernel = 99;
  options.colours.solarise.threshold = 0.1;
  CHECK(trained(options, 2) == plain);
}

TEST_CASE("a training with colours is resumed to the same bits, and not with others") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training.safetensors");
  auto const images = mae_test::painted_images(20, 1);
  auto begun = model_of(2);
  mae::trainer first(begun, images, coloured());
  first.step();
  mae::save_training(file, first);
  auto resumed = model_of(2);
  mae::trainer second(resumed, images, coloured());
  mae::load_training(file, second);
  second.run();
  CHECK(mae_test::state_of(second) == trained(coloured(), 2));

  auto const refusal = [&](auto const& change) {
    auto options = coloured();
    change(options.colours);
    auto model = model_of(1);
    mae::trainer other(model, images, options);
    auto const said = refusal_of([&] { mae::load_training(file, other); });
    return said.substr(said.find(": ") + 2);
  };
  CHECK(refusal([](auto& c) { c.jitter.hue = 0.2; }) ==
        "jitter is 0.4 0.4 0.2 0.1 1 in the file, but 0.4 0.4 0.2 0.2 1 here");
  CHECK(refusal([](auto& c) { c.jitter.probability = 0; }) ==
        "jitter is 0.4 0.4 0.2 0.1 1 in the file, but no here");
  CHECK(refusal([](auto& c) { c.grey = 0; }) == "grey is 0.2 in the file, but 0 here");
  CHECK(refusal([](auto& c) { c.blur.kernel = 5; }) ==
        "blur is 0.5 0.1 2 0 in the file, but 0.5 0.1 2 5 here");
  CHECK(refusal([](auto& c) { c.solarise.threshold = 0.6; }) ==
        "solarise is 0.2 0.5 in the file, but 0.2 0.6 here");
}

TEST_CASE("colours that cannot be are refused before a training begins") {
  auto const images = mae_test::painted_images(20, 1);
  auto model = model_of(1);
  auto const refusal = [&](mae::colour_changes const& changes) {
    auto options = coloured();
    options.colours = changes;
    return refusal_of([&] { mae::trainer(model, images, options); });
  };
  CHECK(refusal({.jitter = {.hue = 0.6}}) == "the jitter of hues must lie in [0, 0.5]");
  CHECK(refusal({.blur = {.probability = 0.5, .kernel = 33}}) ==
        "a blur by 33 pixels is too wide for images of 16x16: set its kernel to 31 at most, or "
        "leave it out");
}
