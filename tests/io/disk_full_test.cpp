#include "small_training.hpp"
#include "system_calls.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/model_file.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

// A training whose disk fills up: requirement R9.

namespace {

using model_type = mae_test::small_model<>;
using trainer_type = mae::trainer<model_type, mae_test::small_dataset>;

/// The errno of the io_error that saving on a disk with room for so many bytes throws; 0 for none.
int error_on_full_disk(std::size_t bytes, std::function<void()> const& save) {
  system_calls calls;
  calls.fill_disk_after(bytes);
  try {
    save();
  } catch (mae::io_error const& error) {
    return error.error_number();
  }
  return 0;
}

}  // namespace

TEST_CASE("a full disk is an error, the old files load, and the training goes on") {
  auto const images = mae_test::painted_images(32, 1);
  mae::training_options const options{.batch_size = 8, .epochs = 3, .lr = 1e-3, .warmup_epochs = 0};
  model_type undisturbed({.seed = 3});
  trainer_type reference(undisturbed, images, options);
  model_type model({.seed = 3});
  trainer_type trainer(model, images, options);

  mae_test::temporary_folder const folder;
  std::string const path = folder.file("training.safetensors");
  std::string const model_path = folder.file("model.safetensors");
  trainer.step();
  reference.step();
  auto const saved = mae_test::state_of(trainer);
  mae::save_training(path, trainer);
  mae::save_model(model_path, model);
  std::size_t const size = std::filesystem::file_size(path);
  std::string const old_model = read_text(model_path);

  for (std::size_t const room : {std::size_t{0}, std::size_t{100}, size / 2, size - 1}) {
    CAPTURE(room);
    trainer.step();
    reference.step();
    CHECK(error_on_full_disk(room, [&] { mae::save_training(path, trainer); }) == ENOSPC);
    CHECK(error_on_full_disk(0, [&] { mae::save_model(model_path, model); }) == ENOSPC);
    CHECK(folder.entries() == 2);
    CHECK(read_text(model_path) == old_model);
    model_type other({.seed = 4});
    trainer_type resumed(other, images, options);
    mae::load_training(path, resumed);
    CHECK(mae_test::state_of(resumed) == saved);
  }
  CHECK(mae_test::state_of(trainer) == mae_test::state_of(reference));
  mae::save_training(path, trainer);  // there is room again
  model_type other({.seed = 4});
  trainer_type resumed(other, images, options);
  mae::load_training(path, resumed);
  CHECK(mae_test::state_of(resumed) == mae_test::state_of(reference));
}
