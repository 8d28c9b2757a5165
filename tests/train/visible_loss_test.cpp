#include "editable_file.hpp"
#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/normalise.hpp>
#include <mae/head/painter.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/objective/sample.hpp>
#include <mae/optimizer/sgd.hpp>
#include <mae/patch/patchify.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

// What visible patches count: --visible-loss.

namespace {

using mae::index_t;
using mae_test::labelled_images;
using mae_test::small_config;
using backend = mae::eigen_backend<double>;
using model_type =
    mae::autoencoder<small_config, mae::random_ratio_mask, backend, mae::normalised_pixels>;

model_type::parts parts_of(double visible_weight, int threads = 2) {
  return {.seed = 5,
          .mask = mae::random_ratio_mask({.low = 0.3, .high = 0.9}),
          .backend = backend(threads),
          .visible_weight = visible_weight};
}

mae::training_options options_of(index_t batch, index_t steps) {
  return {.batch_size = batch, .steps = steps, .lr = 1, .warmup_epochs = 0};
}

/// Parameters after a few steps of gradient descent, whose bits are compared.
template <class E>
std::vector<double> descend(model_type& model, labelled_images const& images, E exchange) {
  auto options = options_of(30, 3);
  options.lr = 1e-2;
  mae::trainer trainer(model, images, options, mae::sgd{.momentum = 0.9}, exchange);
  trainer.run();
  auto const values = model.parameters().values();
  return {values.begin(), values.end()};
}

/// The loss that a step's gradient must be that of: image by image a weighted mean over hidden and
/// visible patches, and the mean of these by the numbers of hidden ones.
struct plain_loss {
  double weighed = 0;
  double hidden = 0;  // that of hidden patches alone
};

plain_loss loss_of(model_type const& model, labelled_images const& images, double weight) {
  auto const& parts = model.sizes();
  auto everything = std::get<0>(parts.heads);
  everything.visible_weight = 0;
  mae::network_parts<mae::painter> const network{small_config, parts.norm_epsilon, {everything}};
  mae::prepared_weights<backend, mae::painter> prepared(mae::pass_kind::inference);
  auto const& operands = prepared.update(network, model.weights(), model.backend());
  mae::worker_pass<mae::network_pass<backend, mae::painter>> pass(
      model.backend().make_lane(), network, mae::pass_kind::inference);
  plain_loss sum;
  double all_hidden = 0;
  std::vector<float> image(static_cast<std::size_t>(small_config.image.values()));
  mae::mask_plan plan(1, small_config.num_patches());
  std::vector<float> scores(static_cast<std::size_t>(small_config.num_patches()));
  for (index_t i = 0; i < images.size(); ++i) {
    images.read(i, image);
    std::vector<float> cut(image.size());
    mae::patchify(image, small_config.image, small_config.patch, {cut.data(), 16, 48});
    mae::random_stream random({.use = mae::purpose::mask, .index = static_cast<std::uint64_t>(i)});
    mae::mask_context const context{.patches = {cut.data(), 16, 48},
                                    .channels = 3,
                                    .grid_rows = 4,
                                    .grid_columns = 4,
                                    .patch_width = 4,
                                    .dataset_index = static_cast<std::uint64_t>(i)};
    mae::plan_image(plan, 0, model.mask(), context, random, scores);
    mae::normalise_pixels(cut, model.statistics());
    std::vector<double> const patches(cut.begin(), cut.end());
    mae::matrix_view<double const> const view(patches.data(), 16, 48);
    auto const in = pass.bring(plan, 0, 1, view, {}, {}, mae::predicted_patches::all_present);
    pass.network().encode(operands.encoder, in.shard, in.patches);
    auto const said = pass.network().template head<0>().predict(pass.network().input_of(in.shard),
                                                                std::get<0>(operands.heads));
    std::vector<double> targets(16 * 48);
    mae::matrix_view<double> const asked(targets.data(), 16, 48);
    std::vector<mae::patch_index> all;
    for (mae::patch_index p = 0; p < 16; ++p) all.push_back(p);
    model.objective().target(small_config, view, std::span<mae::patch_index const>(all), asked);
    double hidden = 0;
    double seen = 0;
    for (index_t row = 0; row < 16; ++row) {
      double loss = 0;
      for (index_t c = 0; c < 48; ++c) loss += std::pow(said(row, c) - asked(row, c), 2) / 48;
      (std::ranges::binary_search(plan.visible(0), all[static_cast<std::size_t>(row)]) ? seen
                                                                                       : hidden) +=
          loss;
    }
    auto const h = static_cast<double>(plan.target(0).size());
    auto const v = static_cast<double>(plan.visible(0).size());
    sum.weighed += h * (hidden + weight * seen) / (h + weight * v);
    sum.hidden += hidden;
    all_hidden += h;
  }
  return {sum.weighed / all_hidden, sum.hidden / all_hidden};
}

}  // namespace

TEST_CASE(
    "R1: the gradient of a step is that of the weighted mean over hidden and visible patches") {
  labelled_images const images(24);
  constexpr double weight = 0.3;
  constexpr double length = 1e-5;
  model_type model(parts_of(weight));
  auto options = options_of(24, 1);
  options.augment = {.crop_min = 1, .flip = false};
  std::vector<double> const before(model.parameters().values().begin(),
                                   model.parameters().values().end());
  mae::trainer trainer(model, images, options, mae::sgd{.momentum = 0});
  double const reported = trainer.step().loss;
  auto gradient = before;
  for (std::size_t i = 0; i < before.size(); ++i) gradient[i] -= model.parameters().values()[i];
  model.set_parameters(before);
  CHECK(reported == doctest::Approx(loss_of(model, images, weight).hidden).epsilon(1e-12));
  for (auto const& tensor : model.layout().tensors()) {
    if (tensor.kind == mae::tensor_kind::buffer) continue;
    CAPTURE(tensor.name);
    double analytic = 0;
    auto const loss_at = [&](double step) {
      mae::random_stream random({.seed = 7});
      auto moved = before;
      analytic = 0;
      for (index_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
        double const direction = random.normal();
        moved[static_cast<std::size_t>(i)] += step * direction;
        analytic += direction * gradient[static_cast<std::size_t>(i)];
      }
      model.set_parameters(moved);
      return loss_of(model, images, weight).weighed;
    };
    double const numeric = (loss_at(length) - loss_at(-length)) / (2 * length);
    model.set_parameters(before);
    CHECK(std::abs(numeric - analytic) <= 1e-6 * std::max(1.0, std::abs(analytic)));
  }
}

TEST_CASE("an objective's targets lie without gaps, marks or not") {
  struct flat {
    static void target(mae::model_config const& /*config*/,
                       mae::matrix_view<double const> /*patches*/,
                       std::span<mae::patch_index const> rows,
                       mae::matrix_view<double> targets) {
      for (index_t i = 0; i < targets.size(); ++i)
        targets.data[i] = rows[static_cast<std::size_t>(i / targets.cols)];
    }
  };
  flat const objective;
  std::vector<double> labels(9);
  std::vector<mae::patch_index> const hidden{1, 5};
  std::vector<mae::patch_index> const seen{3};
  mae::target_labels<flat>(objective, 0.5)
      .label(
          mae::image_sample<double>{
              .config = small_config, .patches = {}, .targets = hidden, .visible = seen},
          mae::matrix_view<double>(labels.data(), 3, 3));
  CHECK(labels == std::vector<double>{1, 1, 0.8, 3, 3, -0.4, 5, 5, 0.8});
}

TEST_CASE("visible patches in the loss leave the same bits for any threads and processes") {
  labelled_images const images(90);
  auto const train = [&](int threads, auto exchange) {
    model_type model(parts_of(0.1, threads));
    return descend(model, images, exchange);
  };
  auto const expected = train(1, mae::alone{});
  CHECK(train(3, mae::alone{}) == expected);
  auto const run = [&](auto exchange) { return train(1, exchange); };
  for (auto const& one : mae_test::of_ranks(2, run)) CHECK(one == expected);
  model_type off(parts_of(0));
  CHECK(descend(off, images, mae::alone{}) != expected);
}

TEST_CASE("losses of held-out images are those of hidden patches, and files say the weight") {
  labelled_images const images(30);
  model_type const with(parts_of(0.3));
  model_type const without(parts_of(0));
  auto const expected = mae::evaluate_heldout(without, images);
  auto const found = mae::evaluate_heldout(with, images);
  CHECK(found.loss == doctest::Approx(expected.loss).epsilon(1e-14));
  CHECK(found.baseline == doctest::Approx(expected.baseline).epsilon(1e-14));

  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  auto const refusal = [&](double saved, double other) {
    model_type first(parts_of(saved));
    mae::trainer training(first, images, options_of(30, 2), mae::sgd{});
    training.step();
    mae::save_training(path, training);
    model_type second(parts_of(other));
    mae::trainer resumed(second, images, options_of(30, 2), mae::sgd{});
    return refusal_of<mae::config_error>([&] { mae::load_training(path, resumed); });
  };
  CHECK(refusal(0.3, 0.3) == "nothing was thrown");
  CHECK(refusal(0.3, 0.2) == path + ": decoder.visible_loss is 0.3 in the file, but 0.2 here");
  for (auto const& said : {refusal(0.3, 0), refusal(0, 0.3)})
    CHECK(said.find("differ in the head decoder") != std::string::npos);
  auto one_painted = options_of(30, 2);
  one_painted.views = 2;
  one_painted.painted_views = 1;
  CHECK(refusal_of<mae::config_error>([&] {
          model_type model(parts_of(0.3));
          mae::trainer const training(model, images, one_painted, mae::sgd{});
        }).starts_with("visible patches are predicted of every view"));
  CHECK(refusal_of<mae::config_error>([] { model_type const wrong(parts_of(-1)); }) ==
        "the weight of visible patches must be finite and not below 0, it is -1");
}
