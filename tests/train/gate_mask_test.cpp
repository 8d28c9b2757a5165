// Gates in trainings: what the network tells them, and what their weights do to its loss.
#include "descent.hpp"
#include "labelled_images.hpp"
#include "learning_mask_archetype.hpp"
#include "mailbox.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/head/contrast.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/gate.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/cross_autoencoder.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/mask_gradients.hpp>
#include <mae/train/options.hpp>
#include <mae/train/report.hpp>
#include <mae/train/shard_schedule.hpp>
#include <mae/train/trainer.hpp>
#include <mae/train/training_batch.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_config;

constexpr index_t num_patches = 16;

mae_test::small_dataset const& images() {
  static auto const all = mae_test::painted_images(200, 3);
  return all;
}

mae::gate_mask gate(mae::gate_mask_options options = {}) {
  options.network.hidden = 8;
  options.network.lr = 1e-2;
  return {small_config, options};
}

template <class B = mae::eigen_backend<float>, class Mask = mae::gate_mask>
using gated_model = mae::autoencoder<small_config, Mask, B>;

/// All that a training leaves, bit by bit.
struct outcome {
  mae_test::training_state training;
  std::vector<std::vector<std::uint32_t>> mask;

  friend bool operator==(outcome const&, outcome const&) = default;
};

template <class Trainer>
outcome outcome_of(Trainer const& trainer) {
  outcome all{mae_test::state_of(trainer), {}};
  auto const& mask = trainer.model().mask();
  for (std::size_t k = 0; k < mask.state_names.size(); ++k)
    all.mask.push_back(mae_test::bits_of(mask.state(k)));
  return all;
}

mae::training_options options_of(index_t batch, index_t accumulate = 1) {
  return {.batch_size = batch, .accumulate = accumulate, .steps = 5, .lr = 1e-3};
}

template <class B = mae::eigen_backend<float>, class E = mae::alone>
outcome train(mae::training_options const& options, int threads = 2, E exchange = {}) {
  gated_model<B> model({.seed = 1, .mask = gate(), .backend = B(threads)});
  mae::trainer trainer(model, images(), options, mae::adamw{}, exchange);
  trainer.run();
  return outcome_of(trainer);
}

void check_ranks(mae::training_options const& options, int ranks) {
  auto const expected = train(options);
  auto const run = [&](auto exchange) {
    return train<mae::eigen_backend<float>>(options, 1, exchange);
  };
  for (auto const& one : mae_test::of_ranks(ranks, run)) CHECK(one == expected);
}

/// A batch in double, of a network whose patches are embedded without a bias, so that a factor on a
/// patch's pixels is one on what is embedded of it; and the passes over it as one shard.
class smooth_batch {
  using model_type = gated_model<mae::eigen_backend<double>>;
  using network = model_type::network_type;

 public:
  explicit smooth_batch(mae::gate_mask mask, index_t images_of_it = 3)
      : model_({.seed = 2, .mask = std::move(mask), .backend = mae::eigen_backend<double>(1)}),
        loader_(images(),
                model_.mask(),
                model_.sizes(),
                model_.label_makers(),
                mae::channel_statistics(images(), model_.backend().threads()),
                {.seed = 3},
                model_.backend().threads()),
        pass_(model_.backend().make_lane(), model_.sizes(), mae::pass_kind::training) {
    auto const values = model_.parameters().values();
    for (auto const& tensor : model_.layout().tensors())
      if (tensor.name == "patch_embed.proj.bias")
        std::fill_n(values.begin() + tensor.offset, tensor.size(), 0.0);
    std::vector<mae::image_index> numbers(static_cast<std::size_t>(images_of_it));
    std::iota(numbers.begin(), numbers.end(), mae::image_index{4});
    loader_.load(numbers, {}, batch);
    shard_.assign(batch.plan, 0, images_of_it);
  }

  mae::gate_mask& mask() { return model_.mask(); }
  mae::mask_context const& context_of(index_t image) const { return loader_.context_of(image); }

  /// Each row's loss.
  std::vector<double> losses() {
    double total = 0;
    pass_.forward(operands(), input(), {.set = 1}, &total);
    auto const found = pass_.losses(0, shard_.num_targets());
    weighed_total = total;
    return {found.begin(), found.end()};
  }
  /// Behind a forward pass: the slopes of factors on visible patches.
  std::vector<double> slopes() {
    gradient.assign(static_cast<std::size_t>(model_.layout().size()), 0.0);
    pass_.backward(operands(),
                   input(),
                   {.set = 1, .tells_slopes = true},
                   mae::bind_network(model_.layout(), model_.sizes(), gradient.data()));
    auto const found = pass_.slopes(shard_);
    return {found.begin(), found.end()};
  }
  /// From here on the shard leaves this visible patch out, as if it were absent.
  void leave_out(index_t image, mae::patch_index position) {
    mae::mask_plan plan(batch.images(), num_patches);
    for (index_t i = 0; i < batch.images(); ++i) {
      std::vector<float> scores(num_patches, 2.0F);
      for (auto const at : batch.plan.visible(i)) scores[static_cast<std::size_t>(at)] = 0;
      for (auto const at : batch.plan.target(i)) scores[static_cast<std::size_t>(at)] = 1;
      auto counts = batch.plan.counts(i);
      if (i == image) {
        scores[static_cast<std::size_t>(position)] = 2;
        --counts.visible;
      }
      plan.assign(i, counts, scores);
    }
    shard_.assign(plan, 0, batch.images());
  }
  std::span<double> parameters() { return model_.parameters().values(); }
  std::span<double> patch(index_t image, mae::patch_index position) {
    return {batch.patches.data() + (image * num_patches + position) * batch.patch_values,
            static_cast<std::size_t>(batch.patch_values)};
  }

  mae::training_batch<double, 1> batch;
  double weighed_total = 0;
  std::vector<double> gradient;

 private:
  network::operands_type const& operands() {
    return prepared_.update(model_.sizes(), model_.weights(), model_.backend());
  }
  network::input_type input() const {
    index_t const all = batch.images();
    return {
        shard_, batch.patches_of(0, all), batch.labels_of(0, all), batch.row_weights_of(0, all)};
  }

  model_type model_;
  mae::batch_loader<mae_test::small_dataset,
                    mae::gate_mask,
                    model_type::parts_type,
                    decltype(std::declval<model_type const&>().label_makers()),
                    double>
      loader_;
  network pass_;
  network::prepared_type prepared_{mae::pass_kind::training};
  mae::shard_rows shard_;
};

/// A mask with gates that differ.
mae::gate_mask scattered(mae::gate_mask_options const& options) {
  auto mask = gate(options);
  mae::random_stream random({.seed = 5, .use = mae::purpose::probe});
  for (float& value : mask.state(0)) value += 0.3F * static_cast<float>(random.normal());
  return mask;
}

void scale(std::span<double> values, double factor) {
  for (double& value : values) value *= factor;
}

}  // namespace

TEST_CASE("a mask is told the slopes of factors on what is visible") {
  smooth_batch of(scattered({}));
  of.losses();
  auto const slopes = of.slopes();
  auto const total = [&] {
    of.losses();
    return of.weighed_total;
  };
  std::size_t row = 0;
  for (index_t image = 0; image < of.batch.images(); ++image)
    for (auto const position : of.batch.plan.visible(image)) {
      constexpr double step = 1e-5;
      auto const patch = of.patch(image, position);
      scale(patch, 1 + step);
      double const above = total();
      scale(patch, (1 - step) / (1 + step));
      double const below = total();
      scale(patch, 1 / (1 - step));
      CHECK(slopes[row++] ==
            doctest::Approx((above - below) / (2 * step)).epsilon(1e-6).scale(0.01));
    }
  CHECK(row == slopes.size());
  CHECK(std::ranges::any_of(slopes, [](double slope) { return std::abs(slope) > 1e-3; }));
}

TEST_CASE("the gradient of a weighed loss is its differences") {
  smooth_batch of(scattered({}));
  REQUIRE(of.batch.has_row_weights);
  auto const losses = of.losses();
  double weighed = 0;
  for (std::size_t i = 0; i < losses.size(); ++i)
    weighed += of.batch.row_weights[static_cast<index_t>(i)] * losses[i];
  CHECK(of.weighed_total == doctest::Approx(weighed).epsilon(1e-14));
  of.slopes();
  auto const values = of.parameters();
  for (std::size_t i = 5; i < values.size(); i += 997) {
    CAPTURE(i);
    double const before = values[i];
    values[i] = before + 1e-5;
    of.losses();
    double const above = of.weighed_total;
    values[i] = before - 1e-5;
    of.losses();
    double const below = of.weighed_total;
    values[i] = before;
    CHECK(of.gradient[i] == doctest::Approx((above - below) / 2e-5).epsilon(1e-5).scale(0.01));
  }
}

TEST_CASE("a gate's gradient is that of the training's loss with all gates soft") {
  for (bool const weighs : {true, false}) {
    CAPTURE(weighs);
    smooth_batch of(scattered({.weighs = weighs, .entropy = 0}));
    auto const losses = of.losses();
    auto const slopes = of.slopes();
    auto& mask = of.mask();
    std::vector<float> const told(losses.begin(), losses.end());
    std::vector<float> const told_slopes(slopes.begin(), slopes.end());
    constexpr std::size_t visible = 4;
    constexpr std::size_t targets = 12;
    std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
    std::vector<std::vector<float>> start;
    for (index_t i = 0; i < of.batch.images(); ++i) {
      auto const at = static_cast<std::size_t>(i);
      mask.add_gradient({.image = of.context_of(i),
                         .visible = of.batch.plan.visible(i),
                         .targets = of.batch.plan.target(i),
                         .losses = std::span(told).subspan(at * targets, targets),
                         .slopes = std::span(told_slopes).subspan(at * visible, visible)},
                        sums);
      mask.gates(of.context_of(i), start.emplace_back(num_patches));
    }

    // Each image's mean, of tokens times factors and targets by their weights, the network's
    // forward passes run anew.
    auto const patches = std::vector<double>(of.batch.patches.data(),
                                             of.batch.patches.data() + of.batch.patches.size());
    auto const objective = [&] {
      std::vector<std::vector<double>> weights;
      for (index_t i = 0; i < of.batch.images(); ++i) {
        auto const at = static_cast<std::size_t>(i);
        std::vector<float> gates(num_patches);
        mask.gates(of.context_of(i), gates);
        auto const as_double = [](auto const& from, mae::patch_index position) {
          return static_cast<double>(from[static_cast<std::size_t>(position)]);
        };
        for (auto const position : of.batch.plan.visible(i))
          scale(of.patch(i, position), as_double(gates, position) / as_double(start[at], position));
        auto& mine = weights.emplace_back();
        for (auto const position : of.batch.plan.target(i))
          mine.push_back((1 - as_double(gates, position)) /
                         (weighs ? 1 : 1 - as_double(start[at], position)));
      }
      auto const found = of.losses();
      std::copy(patches.begin(), patches.end(), of.batch.patches.data());
      double sum = 0;
      for (std::size_t i = 0; i < weights.size(); ++i)
        sum += std::inner_product(weights[i].begin(),
                                  weights[i].end(),
                                  found.begin() + static_cast<std::ptrdiff_t>(i * targets),
                                  0.0) /
               std::accumulate(weights[i].begin(), weights[i].end(), 0.0);
      return sum;
    };
    // The last are the units' weights, in which a patch's number is linear.
    auto const parameters = mask.state(0);
    for (std::size_t i = parameters.size() - 8; i < parameters.size(); ++i) {
      CAPTURE(i);
      float const before = parameters[i];
      parameters[i] = before + 2e-3F;
      double const above = objective();
      parameters[i] = before - 2e-3F;
      double const below = objective();
      parameters[i] = before;
      CHECK(sums[i] == doctest::Approx((above - below) / 4e-3).epsilon(5e-3).scale(0.02));
    }
  }
}

TEST_CASE("a slope tells loosely how much worse the loss is without the patch") {
  // What dropping a patch costs, against what its slope at 1 says that it does: a straight line.
  // Of a network that has seen every patch as often as any other.
  auto const blind = [] {
    return mae::gate_mask(small_config, {.weighs = false, .network = {.hidden = 8, .lr = 1e-12}});
  };
  gated_model<> trained({.seed = 2, .mask = blind(), .backend = mae::eigen_backend<float>(2)});
  mae::trainer trainer(trained, images(), {.batch_size = 50, .steps = 150, .lr = 3e-3});
  trainer.run();
  smooth_batch of(blind(), 40);
  std::ranges::copy(trained.parameters().values(), of.parameters().begin());
  of.losses();
  double const whole = of.weighed_total;
  auto const slopes = of.slopes();
  std::array<double, 5> sums{};  // of x, y, x^2, xy, y^2
  double n = 0;
  std::size_t row = 0;
  for (index_t image = 0; image < of.batch.images(); ++image)
    for (auto const position : of.batch.plan.visible(image)) {
      of.leave_out(image, position);
      of.losses();
      double const told = -slopes[row++];
      double const cost = of.weighed_total - whole;
      n += 1;
      for (std::size_t i = 0;
           auto const& term : {told, cost, told * told, told * cost, cost * cost})
        sums[i++] += term;
    }
  auto const [x, y, xx, xy, yy] = sums;
  double const correlation = (n * xy - x * y) / std::sqrt((n * xx - x * x) * (n * yy - y * y));
  MESSAGE("correlation ", correlation, ", told ", x / n, ", true ", y / n);
  CHECK(correlation > 0.2);
  CHECK(y / n > std::abs(x / n));  // a straight line at 1 says too little
}

TEST_CASE("threads, processes and recorded work change no bit of gates and of what they weigh") {
  auto const expected = train(options_of(190));
  CHECK(expected.mask[3] == mae_test::bits_of(std::array{4.0F}));  // updates: a step behind
  for (int const threads : {1, 3}) CHECK(train(options_of(190), threads) == expected);
  check_ranks(options_of(190), 4);
  check_ranks(options_of(97, 2), 2);
  CHECK(train<mae_test::replaying_backend<float>>(options_of(45, 2), 1) ==
        train(options_of(45, 2), 1));
}

TEST_CASE("a training with gates is resumed bit for bit") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("training");
  auto const options = options_of(40, 2);
  auto const expected = train(options);
  for (int const done : {1, 3}) {
    {
      gated_model<> model({.seed = 1, .mask = gate()});
      mae::trainer trainer(model, images(), options);
      for (int i = 0; i < done; ++i) trainer.step();
      CHECK(trainer.progress().mask.images == 80);
      mae::save_training(file, trainer);
    }
    gated_model<> model({.seed = 1, .mask = gate()});
    mae::trainer trainer(model, images(), options);
    mae::load_training(file, trainer);
    trainer.run();
    CHECK(outcome_of(trainer) == expected);
  }
}

namespace {

/// The uniform mask, whose targets weigh so much.
class weighing_mask : public mae_test::place_mask {
 public:
  explicit weighing_mask(float weight, bool weighs = true)
      : place_mask(num_patches, 0.0F), weight_(weight), weighs_(weighs) {}

  bool weighs_targets() const { return weighs_; }
  void weigh(mae::mask_context const& /*image*/,
             std::span<mae::patch_index const> /*targets*/,
             std::span<float> weights) const {
    std::ranges::fill(weights, weight_);
  }
  void weigh(int /*another*/) const {}

 private:
  float weight_;
  bool weighs_;
};

auto trained_with(weighing_mask mask) {
  gated_model<mae::eigen_backend<float>, weighing_mask> model({.seed = 1, .mask = std::move(mask)});
  mae::trainer trainer(model, images(), options_of(30, 3));
  std::vector<double> numbers;
  trainer.run({.on_step = [&](mae::step_report const& report) {
    for (double const number : {report.loss, report.gradient_norm, report.heads[0].counted})
      numbers.push_back(number);
  }});
  return std::pair{outcome_of(trainer), numbers};
}

}  // namespace

TEST_CASE("weights of 1 are no weights, to the last bit, and amount to the count") {
  auto const plain = trained_with(weighing_mask(7, false));
  CHECK(trained_with(weighing_mask(1)) == plain);
  // All doubled: losses and counts are, exactly, and what is divided is the same.
  auto const [state, numbers] = trained_with(weighing_mask(2));
  CHECK(state.training.values == plain.first.training.values);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    CHECK(numbers[i] == (i % 3 == 2 ? 2 : 1) * plain.second[i]);
}

TEST_CASE("weights that cannot be are refused") {
  for (float const weight : {-1.0F, std::nanf("")})
    CHECK_THROWS_WITH_AS(trained_with(weighing_mask(weight)),
                         doctest::Contains("must be finite and not below 0"),
                         mae::config_error);
}

namespace {

/// Has a loss for each target, and takes no weights for them.
struct deaf_head {
  index_t label_rows(mae::shard_capacity const& room) const { return room.targets; }
};
struct deaf_parts {
  std::tuple<deaf_head> heads;

  bool is_on(std::size_t /*head*/) const { return true; }
  static std::array<std::string_view, 1> names() { return {"deaf"}; }
};

}  // namespace

TEST_CASE("a mask that weighs targets is refused by a first head that takes no weights") {
  using gradients = mae::mask_gradients<mae::gate_mask, float>;
  mae::shard_schedule const schedule{.images = 2, .shards = 1, .sums = 1};
  CHECK_THROWS_WITH_AS(gradients(gate(), deaf_parts{}, schedule, {0, 1}),
                       doctest::Contains("the first head, deaf, takes no weights"),
                       mae::config_error);
  CHECK_NOTHROW(gradients(gate({.weighs = false}), deaf_parts{}, schedule, {0, 1}));
}

namespace {

/// Has no sums, and may weigh.
class idle_mask : public weighing_mask {
 public:
  using weighing_mask::weighing_mask;
  index_t num_sums() const { return 0; }
};

}  // namespace

TEST_CASE("a mask that weighs targets and has nothing to learn is refused") {
  using gradients = mae::mask_gradients<idle_mask, float>;
  mae::shard_schedule const schedule{.images = 2, .shards = 1, .sums = 1};
  CHECK_THROWS_WITH_AS(gradients(idle_mask(1), deaf_parts{}, schedule, {0, 1}),
                       doctest::Contains("nothing to learn (num_sums() is 0)"),
                       mae::config_error);
  CHECK_NOTHROW(gradients(idle_mask(1, false), deaf_parts{}, schedule, {0, 1}));
}

namespace {

template <class B>
using viewed_model =
    mae::autoencoder<small_config, mae::gate_mask, B, mae::normalised_pixels, mae::contrast>;

/// Two views of each image, one of them painted, and half of what is hidden predicted.
template <class E = mae::alone>
outcome train_views(int threads, E exchange = {}) {
  using backend = mae::eigen_backend<float>;
  viewed_model<backend> model({.seed = 1,
                               .mask = scattered({}),
                               .backend = backend(threads),
                               .heads = {mae::contrast{.projection = {.hidden = 20, .outputs = 8}}},
                               .head_weights = {1, 0.3}});
  auto options = options_of(60, 2);
  options.steps = 3;
  options.warmup_epochs = 0;
  options.views = 2;
  options.painted_views = 1;
  options.predicted_share = 0.5;
  mae::trainer trainer(model, images(), options, mae::adamw{}, exchange);
  trainer.run();
  return outcome_of(trainer);
}

}  // namespace

TEST_CASE("the gradient of a loss that a gate weighs is its differences, by either decoder") {
  using exact = mae::eigen_backend<double>;
  mae_test::labelled_images const few(12);
  gated_model<exact> painting({.seed = 2, .mask = scattered({}), .backend = exact(1)});
  mae_test::check_gradient(painting, few, 6, 2);
  mae::cross_autoencoder<small_config, mae::gate_mask, exact> asking(
      {.seed = 2, .mask = scattered({}), .backend = exact(1)});
  mae_test::check_gradient(asking, few, 6, 2);
}

TEST_CASE("gates beside contrast, of views that are painted in part, leave the same bits") {
  auto const expected = train_views(1);
  CHECK(expected.mask[3] == mae_test::bits_of(std::array{2.0F}));
  CHECK(train_views(3) == expected);
  auto const run = [&](auto exchange) { return train_views(1, exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
}
