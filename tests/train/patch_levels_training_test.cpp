#include "labelled_images.hpp"
#include "mailbox.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/mask/measure_levels.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/encoder_of.hpp>
#include <mae/network/layout.hpp>
#include <mae/op/pooling.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/heldout.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Trainings whose tokens are told the levels of their patches' density.

namespace {

using mae::told_tokens;
using told_eigen = mae::eigen_backend<float>;

constexpr mae::training_options told_options{
    .batch_size = 75, .accumulate = 2, .steps = 6, .lr = 1e-3, .warmup_epochs = 0};

mae_test::labelled_images const& told_images() {
  static mae_test::labelled_images const images(300);
  return images;
}

mae::patch_levels levels_for(told_tokens told, mae::index_t count = 4) {
  mae::thread_pool threads(1);
  auto levels = mae::measure_levels(
      count,
      mae::density_measure::gradient,
      told_images().size(),
      told_images().extent(),
      mae_test::small_config.patch,
      [](mae::index_t i, std::span<float> pixels) { told_images().read(i, pixels); },
      threads);
  levels.told = told;
  return levels;
}

template <class B>
mae_test::three_heads<B> a_told_model(B backend, mae::patch_levels levels) {
  auto parts = mae_test::three_heads_parts(std::move(backend));
  parts.levels = std::move(levels);
  return mae_test::three_heads<B>(std::move(parts));
}

template <class B>
mae_test::training_state train_told(B backend) {
  auto model = a_told_model(std::move(backend), levels_for(told_tokens::both));
  mae::trainer trainer(model, told_images(), told_options);
  trainer.run();
  return mae_test::state_of(trainer);
}

std::string said_of(std::function<void()> const& act) {
  try {
    act();
  } catch (mae::error const& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("levels leave the same bits with any number of threads and ranks, and replayed") {
  auto const one = train_told(told_eigen(1));
  CHECK(train_told(told_eigen(2)) == one);
  CHECK(train_told(told_eigen(3)) == one);
  CHECK(train_told(mae_test::replaying_backend<float>(1)) == one);

  mae_test::mailbox box(2);
  std::vector<mae_test::training_state> of_ranks(2);
  std::vector<std::thread> ranks;
  for (int rank = 0; rank < 2; ++rank)
    ranks.emplace_back([&box, &of_ranks, rank] {
      auto model = a_told_model(told_eigen(1), levels_for(told_tokens::both));
      mae::trainer trainer(
          model, told_images(), told_options, mae::adamw{}, mae_test::mailbox_exchange(box, rank));
      trainer.run();
      of_ranks[static_cast<std::size_t>(rank)] = mae_test::state_of(trainer);
    });
  for (auto& rank : ranks) rank.join();
  CHECK(of_ranks[0].values == one.values);
  CHECK(of_ranks[1].values == one.values);
}

// The weight decay of a step would take nearly all of what decays.
TEST_CASE("a training with levels begins as without, and their vectors learn without decay") {
  auto without = a_told_model(told_eigen(1), {});
  CHECK_FALSE(without.layout().contains(mae::visible_levels_name));
  CHECK_FALSE(without.layout().contains(mae::mask_levels_name));
  mae::trainer plain(without, told_images(), told_options);
  double const loss = plain.step().loss;
  for (auto const told : {told_tokens::visible, told_tokens::mask, told_tokens::both}) {
    auto model = a_told_model(told_eigen(1), levels_for(told));
    CHECK(model.layout().contains(mae::visible_levels_name) == (told != told_tokens::mask));
    CHECK(model.layout().contains(mae::mask_levels_name) == (told != told_tokens::visible));
    auto const untrained = a_told_model(told_eigen(1), {});
    for (auto const& tensor : untrained.layout().tensors()) {
      auto const a = untrained.parameters().tensor(tensor.name);
      auto const b = std::as_const(model).parameters().tensor(tensor.name);
      CHECK(mae_test::bits_of(a) == mae_test::bits_of(b));
    }
    mae::trainer trainer(model, told_images(), told_options, mae::adamw{.weight_decay = 900});
    CHECK(trainer.step().loss == loss);
    for (char const* const name : {mae::visible_levels_name, mae::mask_levels_name}) {
      if (!model.layout().contains(name)) continue;
      for (float const value : std::as_const(model).parameters().tensor(name)) {
        CHECK(value != 0);  // each level occurs
        CHECK(std::abs(value) <= 1.001e-3F);
      }
    }
  }
}

TEST_CASE("levels are saved and resumed exactly, and no other ones are") {
  mae_test::temporary_folder const folder;
  auto model = a_told_model(told_eigen(2), levels_for(told_tokens::both));
  mae::trainer trainer(model, told_images(), told_options);
  for (int i = 0; i < 3; ++i) trainer.step();
  mae::save_training(folder.file("training"), trainer);

  auto other = a_told_model(told_eigen(1), levels_for(told_tokens::both));
  mae::trainer resumed(other, told_images(), told_options);
  mae::load_training(folder.file("training"), resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == train_told(told_eigen(1)));

  for (auto const& levels :
       {mae::patch_levels{}, levels_for(told_tokens::visible), levels_for(told_tokens::both, 3)}) {
    auto another = a_told_model(told_eigen(1), levels);
    mae::trainer training(another, told_images(), told_options);
    CHECK(said_of([&] {
            mae::load_training(folder.file("training"), training);
          }).find("density_token") != std::string::npos);
    CHECK(said_of([&] {
            mae::load_model(folder.file("training"), another);
          }).find("density_token") != std::string::npos);
  }

  auto without = a_told_model(told_eigen(1), {});
  mae::trainer plain(without, told_images(), told_options);
  plain.step();
  mae::save_training(folder.file("plain"), plain);
  CHECK(said_of([&] {
          mae::load_training(folder.file("plain"), resumed);
        }).find("are none in the file") != std::string::npos);
}

TEST_CASE("an encoder's file makes the features of the model, whose tokens are told levels") {
  mae_test::temporary_folder const folder;
  auto model = a_told_model(told_eigen(1), levels_for(told_tokens::both));
  mae::trainer trainer(model, told_images(), told_options);
  trainer.run();
  mae::save_encoder(folder.file("encoder"), model);
  auto const of_model = mae::encoder_of(model).features(told_images(), mae::pooling::mean);
  auto const loaded = mae::load_encoder<mae_test::small_config>(folder.file("encoder"));
  CHECK(loaded.levels().told == told_tokens::visible);
  CHECK(loaded.features(told_images(), mae::pooling::mean) == of_model);

  // They are told: without, features are others.
  std::vector<float> values(loaded.parameters().values().begin(),
                            loaded.parameters().values().end());
  auto const& table = loaded.layout().find(mae::visible_levels_name);
  for (mae::index_t i = 0; i < table.size(); ++i)
    values[static_cast<std::size_t>(table.offset + i)] = 0;
  auto silent = mae::load_encoder<mae_test::small_config>(folder.file("encoder"));
  silent.set_parameters(values);
  CHECK(silent.features(told_images(), mae::pooling::mean) != of_model);
}

TEST_CASE("held-out losses of a reloaded model are the model's") {
  mae_test::temporary_folder const folder;
  for (auto const told : {told_tokens::visible, told_tokens::mask}) {
    auto model = a_told_model(told_eigen(1), levels_for(told));
    mae::trainer trainer(model, told_images(), told_options);
    trainer.run();
    mae::save_model(folder.file("model"), model);
    auto other = a_told_model(told_eigen(1), levels_for(told));
    mae::load_model(folder.file("model"), other);
    CHECK(mae::evaluate_heldout(other, told_images(), 40).loss ==
          mae::evaluate_heldout(model, told_images(), 40).loss);
  }
}

TEST_CASE("mask tokens are told nothing where there are none") {
  auto parts = mae_test::three_heads_parts(told_eigen(1));
  parts.levels = levels_for(told_tokens::mask);
  parts.head_weights[0] = 0;
  CHECK(said_of([&] {
          mae_test::three_heads<told_eigen> const model(parts);
        }).find("mask tokens can be told") != std::string::npos);
}

TEST_CASE("noise, which would raise every level, is refused beside levels") {
  auto model = a_told_model(told_eigen(1), levels_for(told_tokens::visible));
  auto options = told_options;
  options.noise = {0.1, 0.1};
  CHECK(said_of([&] {
          mae::trainer(model, told_images(), options);
        }).find("train with noise or with levels") != std::string::npos);
}
