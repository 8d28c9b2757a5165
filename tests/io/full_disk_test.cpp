#include "small_training.hpp"
#include "system_calls.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <string>

// A full disk: requirement R9.

namespace {

using mae_test::small_dataset;
using mae_test::small_model;
using trainer_type = mae::trainer<small_model<>, small_dataset>;

constexpr mae::training_options options{
    .seed = 3, .batch_size = 8, .steps = 20, .lr = 1e-2, .warmup_epochs = 0.5};

void train(trainer_type& training, int steps) {
  for (int i = 0; i < steps; ++i) training.step();
}

}  // namespace

TEST_CASE(
    "a full disk is an error, the old file loads, and the training goes on to the same bits") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  small_dataset const images = mae_test::painted_images(40, 1);
  small_model<> model({.seed = 5});
  trainer_type training(model, images, options);
  train(training, 3);
  mae::save_training(path, training);
  std::string const old = read_text(path);
  train(training, 4);
  auto const before = mae_test::state_of(training);
  for (std::size_t const room : {std::size_t{0}, std::size_t{1}, old.size() / 2, old.size() - 1}) {
    CAPTURE(room);
    int error_number = 0;
    system_calls calls;
    calls.fill_disk_after(room);
    try {
      mae::save_training(path, training);
    } catch (mae::io_error const& refused) {
      error_number = refused.error_number();
    }
    CHECK(calls.struck());
    CHECK(error_number == ENOSPC);
  }
  CHECK(read_text(path) == old);
  CHECK(folder.entries() == 1);
  CHECK(mae_test::state_of(training) == before);

  small_model<> other({.seed = 6});
  trainer_type resumed(other, images, options);
  CHECK(mae::load_training(path, resumed).step == 3);
  train(resumed, 17);
  train(training, 13);
  CHECK(mae_test::state_of(resumed) == mae_test::state_of(training));
  mae::save_training(path, training);  // there is room again
  CHECK(mae::load_training(path, resumed).step == 20);
}
