#include "descent.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/head/contrast.hpp>
#include <mae/head/painter.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/objective/objective.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/batch_options.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradients_of.hpp>
#include <mae/train/image_views.hpp>
#include <mae/train/kept_shards.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>
#include <mae/train/training_batch.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// Several views of an image are samples of one step; contrast compares them.

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;
using exact = mae::eigen_backend<double>;

struct one_sample_a_shard : exact {
  using exact::exact;
  static constexpr mae::shard_limits shards{.rows = 1, .sums = 4};
};

mae::contrast small_contrast(index_t views = 2) {
  return {.views = views, .projection = {.hidden = 20, .outputs = 8}};
}

/// A painter and contrast, with ragged masks.
template <class B>
using painting_and_contrast = mae::
    autoencoder<small_config, mae::random_ratio_mask, B, mae::normalised_pixels, mae::contrast>;

template <class B>
painting_and_contrast<B> painting_with_contrast(B backend, index_t views = 2) {
  return painting_and_contrast<B>({.seed = 5,
                                   .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
                                   .backend = std::move(backend),
                                   .heads = {small_contrast(views)},
                                   .head_weights = {1, 0.3}});
}

mae::training_options two_views(index_t batch, index_t accumulate = 1) {
  return {.batch_size = batch,
          .accumulate = accumulate,
          .views = 2,
          .steps = 3,
          .lr = 1e-3,
          .warmup_epochs = 0};
}

template <class Model, class E>
mae_test::training_state train(Model& model,
                               labelled_images const& images,
                               mae::training_options const& options,
                               E exchange) {
  mae::trainer trainer(model, images, options, mae::adamw{}, exchange);
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

TEST_CASE("an image's first view is that of a training with one, others are cut and masked anew") {
  using batch_type = mae::training_batch<float, 1>;
  using labels = std::tuple<mae::target_labels<mae::normalised_pixels>>;
  mae::normalised_pixels const objective;
  mae::random_ratio_mask const mask({.low = 0.3, .high = 0.9});
  labelled_images const images(12);
  mae::thread_pool threads(2);
  mae::batch_loader<labelled_images,
                    mae::random_ratio_mask,
                    mae::network_parts<mae::painter>,
                    labels,
                    float>
      loader(images,
             mask,
             mae::painter_parts(small_config, objective.target_width(small_config)),
             labels{mae::target_labels<mae::normalised_pixels>(objective)},
             mae::channel_statistics(images, threads),
             {.seed = 3, .augment = mae::augmentation{}},
             threads);
  std::vector<mae::image_index> const numbers{7, 0, 11};
  batch_type one, two, part;
  loader.load({numbers, 0, 3}, {.epoch = 4}, one);
  loader.load({numbers, 0, 6, 2}, {.epoch = 4}, two);
  REQUIRE(two.images() == 6);
  auto const same = [](batch_type const& a, index_t i, batch_type const& b, index_t j) {
    auto const x = a.patches_of(i, i + 1);
    auto const y = b.patches_of(j, j + 1);
    return std::equal(x.data, x.data + x.size(), y.data) &&
           std::ranges::equal(a.plan.visible(i), b.plan.visible(j));
  };
  for (index_t i = 0; i < 3; ++i) {
    CHECK(same(one, i, two, 2 * i));
    CHECK(!same(one, i, two, 2 * i + 1));
  }
  loader.load({numbers, 3, 5, 2}, {.epoch = 4}, part);  // as a process that has these alone
  CHECK(same(part, 0, two, 3));
  CHECK(same(part, 1, two, 4));
}

TEST_CASE("a share of the hidden patches is drawn evenly, and masks are what they were") {
  using labels = std::tuple<mae::target_labels<mae::normalised_pixels>>;
  mae::normalised_pixels const objective;
  mae::uniform_mask<mae::ratio{3, 4}> const mask;
  labelled_images const images(50);
  mae::thread_pool threads(2);
  auto const planned = [&](mae::batch_options const& options, index_t views) {
    mae::batch_loader<labelled_images,
                      mae::uniform_mask<mae::ratio{3, 4}>,
                      mae::network_parts<mae::painter>,
                      labels,
                      float>
        loader(images,
               mask,
               mae::painter_parts(small_config, objective.target_width(small_config)),
               labels{mae::target_labels<mae::normalised_pixels>(objective)},
               mae::channel_statistics(images, threads),
               options,
               threads);
    std::vector<mae::image_index> numbers(50);
    std::iota(numbers.begin(), numbers.end(), mae::image_index{0});
    mae::training_batch<float, 1> batch;
    loader.load({numbers, 0, 50 * views, views}, {}, batch);
    return std::pair{batch.plan, batch.labels[0].counted};
  };
  auto const [all, all_counted] = planned({.seed = 4}, 2);
  auto const [half, half_counted] = planned({.seed = 4, .predicted_share = 0.5}, 2);
  auto const [first, first_counted] =
      planned({.seed = 4, .painted_views = 1, .predicted_share = 0.5}, 2);
  CHECK(all_counted == 1200);
  CHECK(half_counted == 600);
  CHECK(first_counted == 300);
  std::vector<double> by_rank(12, 0.0);
  for (index_t i = 0; i < 100; ++i) {
    CHECK(std::ranges::equal(all.visible(i), half.visible(i)));
    CHECK(std::ranges::equal(all.visible(i), first.visible(i)));
    CHECK(std::ranges::includes(all.target(i), half.target(i)));
    CHECK(
        std::ranges::equal(first.target(i), i % 2 == 0 ? half.target(i) : half.target(i).first(0)));
    for (auto const patch : half.target(i))
      ++by_rank[static_cast<std::size_t>(std::ranges::find(all.target(i), patch) -
                                         all.target(i).begin())];
  }
  for (double const count : by_rank) CHECK(count == doctest::Approx(50).epsilon(0.4));  // 4 sigma
}

TEST_CASE("the gradient of a painter and contrast is that of the reported loss") {
  labelled_images const images(60);
  auto model = painting_with_contrast(exact(2));
  mae_test::check_gradient(model, images, 30, 1, 2);
  mae_test::check_gradient(model, images, 30, 2, 2);
  auto three = painting_with_contrast(exact(2), 3);
  mae_test::check_gradient(three, images, 20, 1, 3);
}

TEST_CASE("the gradient where one view is painted, in part, is that of the reported loss") {
  labelled_images const images(60);
  auto model = painting_with_contrast(exact(2));
  mae_test::check_gradient(model, images, 30, 1, 2, {.painted_views = 1, .predicted_share = 0.5});
  auto three = painting_with_contrast(exact(2), 3);
  mae_test::check_gradient(three, images, 20, 2, 3, {.painted_views = 2});
  // Every sample a shard of its own: of half of them there is nothing to paint.
  auto alone = painting_with_contrast(one_sample_a_shard(2));
  mae_test::check_gradient(alone, images, 30, 1, 2, {.painted_views = 1});
}

TEST_CASE("only what is painted has a loss") {
  labelled_images const images(60);
  auto model = painting_with_contrast(exact(2));
  mae::trainer all(model, images, two_views(30));
  auto const counted = [](auto& trainer) { return trainer.step().heads[0].counted; };
  double const targets = counted(all);
  auto of_one = two_views(30);
  of_one.painted_views = 1;
  mae::trainer one(model, images, of_one);
  double const of_first = counted(one);
  CHECK(of_first > 0.3 * targets);
  CHECK(of_first < 0.7 * targets);
}

TEST_CASE("contrast over accumulated batches and shards is that over all images of the step") {
  labelled_images const images(180);
  auto model = painting_with_contrast(exact(2));
  auto const expected = mae_test::descend(model, images, 180, 1, 2);
  for (index_t const accumulate : {3, 9}) {
    auto const found = mae_test::descend(model, images, 180 / accumulate, accumulate, 2);
    CHECK(found.loss == doctest::Approx(expected.loss).epsilon(1e-12));
    CHECK(mae_test::largest_difference(found.gradient, expected.gradient) <= 1e-10);
  }
}

TEST_CASE("views give the same bits for any number of threads and processes") {
  labelled_images const images(180);
  auto const check = [&]<class Operand>(Operand, index_t batch, index_t accumulate) {
    using backend = mae::eigen_backend<Operand>;
    auto const train_on = [&](int threads, auto exchange) {
      auto model = painting_with_contrast(backend(threads));
      return train(model, images, two_views(batch, accumulate), exchange);
    };
    auto const expected = train_on(1, mae::alone{});
    for (int const threads : {2, 3, 8}) CHECK(train_on(threads, mae::alone{}) == expected);
    auto const run = [&](auto exchange) { return train_on(1, exchange); };
    for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
  };
  check(float{}, 90, 1);
  check(mae::bfloat16{}, 45, 2);
}

TEST_CASE("one painted view gives the same bits for any threads and processes, and recorded") {
  labelled_images const images(180);
  auto options = two_views(45, 2);
  options.painted_views = 1;
  options.predicted_share = 0.6;
  auto const train_on = [&](auto backend, auto exchange) {
    auto model = painting_with_contrast(backend);
    return train(model, images, options, exchange);
  };
  using fp32 = mae::eigen_backend<float>;
  auto const expected = train_on(fp32(1), mae::alone{});
  CHECK(train_on(fp32(3), mae::alone{}) == expected);
  CHECK(train_on(mae_test::replaying_backend<float>(1), mae::alone{}) == expected);
  auto const run = [&](auto exchange) { return train_on(fp32(1), exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
}

namespace {

/// The bits of a step's gradient, with so many bytes for what is kept of it.
template <class Operand>
auto gradient_bits(index_t keep_bytes) {
  static labelled_images const images(90);
  using backend = mae::eigen_backend<Operand>;
  using network = typename painting_and_contrast<backend>::network_type;
  auto model = painting_with_contrast(backend(3));
  mae::thread_pool threads(2);
  model.set_statistics(mae::channel_statistics(images, threads));
  mae::batch_loader<labelled_images,
                    mae::random_ratio_mask,
                    typename network::parts_type,
                    decltype(model.label_makers()),
                    float>
      loader(images,
             model.mask(),
             model.sizes(),
             model.label_makers(),
             model.statistics(),
             {.seed = 3, .augment = mae::augmentation{}, .drop_path = 0.2, .painted_views = 1},
             threads);
  std::vector<mae::image_index> numbers(90);
  std::iota(numbers.begin(), numbers.end(), mae::image_index{0});
  mae::training_batch<float, 2> batch;
  loader.load({numbers, 0, 180, 2}, {}, batch);
  mae::alone here;
  auto sum =
      mae::gradients_of(model, 180, here, {.adds_once = keep_bytes > 0, .keep_bytes = keep_bytes});
  mae::coupled_samples<float, typename network::parts_type> coupled(model.sizes(), 180);
  for (int step = 0; step < 3; ++step) {
    sum.clear();
    coupled.clear();
    sum.embed(model.weights(), batch, 0, coupled, {0b11});
    sum.share({.active = {0b11}, .factors = {1, 0.7}});
    coupled.couple(model.sizes(), {0b11}, {}, here);
    sum.add(model.weights(), batch, 0, &coupled);
    sum.reduce(here);
  }
  return mae_test::bits_of(sum.values());
}

}  // namespace

TEST_CASE("what is kept of a step leaves the bits of what is computed twice") {
  constexpr index_t enough = index_t{1} << 30;
  auto const check = [&]<class Operand>(Operand) {
    auto const expected = gradient_bits<Operand>(0);
    CHECK(gradient_bits<Operand>(enough) == expected);
    CHECK(gradient_bits<Operand>(1000) == expected);  // too few bytes
  };
  check(float{});
  check(mae::bfloat16{});
  auto const model = painting_with_contrast(mae::eigen_backend<float>(1));
  auto const room = mae::shard_capacity::bound(small_config, 10, 11);
  using network = painting_and_contrast<mae::eigen_backend<float>>::network_type;
  mae::kept_shards<network> kept;
  CHECK(kept.of(3) == nullptr);
  kept.reserve(model.sizes(), room, 3, 2, enough);
  CHECK(kept.of(3) != nullptr);
  CHECK(kept.of(4) != kept.of(3));
}

TEST_CASE("contrast is learned") {
  using encoder = mae::headed_encoder<small_config,
                                      mae::uniform_mask<mae::ratio{3, 4}>,
                                      mae::eigen_backend<float>,
                                      mae::contrast>;
  encoder model({.heads = {small_contrast()}});
  labelled_images const images(64);
  mae::trainer trainer(model,
                       images,
                       {.batch_size = 32,
                        .views = 2,
                        .steps = 150,
                        .lr = 3e-3,
                        .warmup_epochs = 0,
                        .augment = {.crop_min = 0.9, .flip = false}});
  double const first = trainer.step().loss;
  CHECK(first == doctest::Approx(std::log(32.0)).epsilon(0.3));
  double last = first;
  trainer.run({.on_step = [&](mae::step_report const& report) { last = report.loss; }});
  CHECK(last < 0.6 * first);
}

TEST_CASE("a training with contrast is resumed to the same bits, and not with other views") {
  mae_test::temporary_folder const folder;
  auto const file = (folder.path() / "training.safetensors").string();
  labelled_images const images(60);
  using backend = mae::eigen_backend<float>;
  auto whole = painting_with_contrast(backend(2));
  auto const expected = train(whole, images, two_views(20), mae::alone{});

  auto begun = painting_with_contrast(backend(2));
  mae::trainer first(begun, images, two_views(20));
  first.step();
  mae::save_training(file, first);
  auto resumed = painting_with_contrast(backend(2));
  mae::trainer second(resumed, images, two_views(20));
  mae::load_training(file, second);
  second.run();
  CHECK(mae_test::state_of(second) == expected);

  auto colder = two_views(20);
  auto three = painting_with_contrast(backend(2), 3);
  colder.views = 3;
  mae::trainer other(three, images, colder);
  CHECK(refusal_of([&] {
          mae::load_training(file, other);
        }).find("views is 2 in the file, but 3 here") != std::string::npos);
  auto of_one = two_views(20);
  of_one.painted_views = 1;
  mae::trainer painting_one(resumed, images, of_one);
  CHECK(refusal_of([&] {
          mae::load_training(file, painting_one);
        }).find("painted_views is 0 in the file, but 1 here") != std::string::npos);
  auto of_half = two_views(20);
  of_half.predicted_share = 0.5;
  mae::trainer painting_half(resumed, images, of_half);
  CHECK(refusal_of([&] {
          mae::load_training(file, painting_half);
        }).find("predicted_share is 1 in the file, but 0.5 here") != std::string::npos);
  auto of_parts = two_views(20);
  of_parts.local.views = 1;
  auto parted = painting_with_contrast(backend(2));
  mae::trainer small_parts(parted, images, of_parts);
  CHECK(refusal_of([&] {
          mae::load_training(file, small_parts);
        }).find("local_crops is no in the file, but 1 0.05 0.4 here") != std::string::npos);
}

TEST_CASE("views that cannot be are refused") {
  labelled_images const images(20);
  auto model = painting_with_contrast(exact(1));
  auto const refusal = [&](index_t views) {
    return refusal_of([&] {
      mae::trainer(
          model, images, {.batch_size = 10, .views = views, .steps = 4, .warmup_epochs = 0});
    });
  };
  CHECK(refusal(2).empty());
  CHECK(refusal(1) ==
        "the head contrast compares 2 views of each image, and the training makes 1: set "
        "training_options::views");
  CHECK(refusal(0) == "an image's views must be one at least, and 255 at most");
  CHECK(refusal(256) == "an image's views must be one at least, and 255 at most");
  CHECK(refusal_of([&] {
          mae::trainer(
              model, images, {.batch_size = 1, .views = 2, .steps = 4, .warmup_epochs = 0});
        }) ==
        "the head contrast couples the images of a step, and a step has one: take larger batches");
  auto const refused = [&](mae::training_options options) {
    options.batch_size = 10;
    options.views = 2;
    return refusal_of([&] { mae::trainer(model, images, options); });
  };
  CHECK(refused({.painted_views = 3}).starts_with("of an image's views none but its own can be"));
  CHECK(refused({.painted_views = -1}).starts_with("of an image's views none but its own can be"));
  CHECK(refused({.local = {.views = 2}})
            .starts_with("the views that show small parts must be fewer"));
  CHECK(refused({.local = {.views = -1}}).starts_with("the views that show small parts must be"));
  CHECK(refused({.local = {.views = 1, .crop_min = 0}}).starts_with("the least share of an image"));
  CHECK(refused({.local = {.views = 1, .crop_max = 0.01}}).starts_with("the largest share of an"));
  for (double const share : {0.0, -0.5, 1.5, std::nan("")})
    CHECK(refused({.predicted_share = share}) ==
          "the share of hidden patches that are predicted must lie in (0, 1]");
  mae_test::small_model<> painter({.seed = 1});
  CHECK(refusal_of([&] {
          mae::trainer(painter, images, {.batch_size = 10, .views = 2, .painted_views = 1});
        }) ==
        "no head learns from the views that are not painted: add one that compares views, as "
        "contrast, or set training_options::painted_views to 0");
}

TEST_CASE("the last views show small parts, and the others stay what they were") {
  labelled_images const images(8);
  mae::training_options options{.views = 3, .augment = {.crop_min = 0.6}};
  mae::image_views<labelled_images> whole(images, mae::batch_options_of(options), {});
  options.local = {.views = 2, .crop_min = 0.1, .crop_max = 0.4};
  mae::image_views<labelled_images> parted(images, mae::batch_options_of(options), {});
  auto const pixels = static_cast<double>(images.extent().pixels());
  auto const share = [&](mae::image_views<labelled_images> const& of) {
    return static_cast<double>(of.part().box.height * of.part().box.width) / pixels;
  };
  for (index_t image = 0; image < images.size(); ++image) {
    auto const first = whole(image, 3, 0);
    auto const same = parted(image, 3, 0);
    CHECK(mae_test::bits_of(first) == mae_test::bits_of(same));
    for (auto const view : {std::uint8_t{1}, std::uint8_t{2}}) {
      whole(image, 3, view);
      CHECK(share(whole) > 0.5);
      parted(image, 3, view);
      CHECK(share(parted) < 0.45);
    }
  }
}
