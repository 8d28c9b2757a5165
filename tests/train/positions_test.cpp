#include "labelled_images.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace {

using mae::index_t;
using eigen = mae::eigen_backend<float>;

constexpr mae::training_options options{
    .batch_size = 75, .accumulate = 2, .steps = 6, .lr = 1e-3, .warmup_epochs = 0};

mae_test::labelled_images const& labelled() {
  static mae_test::labelled_images const images(300);
  return images;
}

template <class B>
mae_test::three_heads<B> a_model(B backend, mae::position_table positions) {
  auto parts = mae_test::three_heads_parts(std::move(backend));
  parts.positions = positions;
  return mae_test::three_heads<B>(std::move(parts));
}

template <class B>
mae_test::training_state train(B backend) {
  auto model = a_model(std::move(backend), mae::position_table::learned);
  mae::trainer trainer(model, labelled(), options);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("positions that learn leave the same bits with any number of threads, and replayed") {
  auto const one = train(eigen(1));
  CHECK(train(eigen(2)) == one);
  CHECK(train(eigen(3)) == one);
  CHECK(train(mae_test::replaying_backend<float>(1)) == one);
}

// The weight decay of a step would take nearly all of what decays.
TEST_CASE("positions begin as sines and cosines, change, and do not decay") {
  auto model = a_model(eigen(1), mae::position_table::learned);
  auto const still = a_model(eigen(1), mae::position_table::sincos);
  auto const& table = model.layout().find("pos_embed");
  auto const value = [&](auto const& of, index_t i) {
    return of.parameters().values()[static_cast<std::size_t>(table.offset + i)];
  };
  for (index_t i = 0; i < table.size(); ++i) REQUIRE(value(model, i) == value(still, i));
  mae::trainer trainer(model, labelled(), options, mae::adamw{.weight_decay = 900});
  trainer.step();
  double most = 0;
  double least = 1;
  for (index_t i = 0; i < table.size(); ++i) {
    double const moved = std::abs(static_cast<double>(value(model, i) - value(still, i)));
    most = std::max(most, moved);
    least = std::min(least, moved);
  }
  CHECK(most <= 1.001e-3);  // the first step of AdamW is the learning rate
  CHECK(least > 0);         // the class token's row too
}

TEST_CASE("positions that learn are saved and resumed, by the same names, and not as fixed ones") {
  mae_test::temporary_folder const folder;
  auto model = a_model(eigen(2), mae::position_table::learned);
  mae::trainer trainer(model, labelled(), options);
  for (int i = 0; i < 3; ++i) trainer.step();
  mae::save_training(folder.file("training"), trainer);
  mae::save_model(folder.file("model"), model);

  auto other = a_model(eigen(1), mae::position_table::learned);
  mae::trainer resumed(other, labelled(), options);
  mae::load_training(folder.file("training"), resumed);
  resumed.run();
  CHECK(mae_test::state_of(resumed) == train(eigen(1)));

  auto still = a_model(eigen(1), mae::position_table::sincos);
  mae::load_model(folder.file("model"), still);
  CHECK(mae_test::bits_of(still.parameters().values()) ==
        mae_test::bits_of(model.parameters().values()));
  mae::trainer fixed(still, labelled(), options);
  std::string said;
  try {
    mae::load_training(folder.file("training"), fixed);
  } catch (mae::config_error const& error) {
    said = error.what();
  }
  CHECK(said.ends_with("positions is learned in the file, but sincos here"));
}
