#include "editable_file.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// libFuzzer's target for a training's metadata (requirement R13): any of it is resumed from, or
// refused. A file's hash would find every change; so each input is a change to the metadata of a
// saved training, written again with a right hash. A line "name=value" sets an entry, another line
// removes the entry of that name.

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Takes bytes as atomic_file does, without waiting for a disk.
struct plain_file {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file;

  explicit plain_file(std::string const& path)
      : file(std::fopen(path.c_str(), "wb"), &std::fclose) {
    require(file != nullptr);
  }
  void write(std::span<std::byte const> bytes) {
    require(std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size());
  }
};

/// As small as a model can be: the time goes into reading.
constexpr mae::model_config smallest{.image = {.height = 4, .width = 4, .channels = 1},
                                     .patch = {.height = 2, .width = 2},
                                     .encoder = {.depth = 1, .width = 4, .heads = 1},
                                     .decoder = {.depth = 1, .width = 4, .heads = 1}};

mae::memory_dataset<std::uint8_t> twelve_images() {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(12 * smallest.image.values()));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(37 * i);
  return {std::move(pixels), {.extent = smallest.image}};
}

struct saved_training {
  using model_type = mae::autoencoder<smallest, mae::uniform_mask<mae::ratio{1, 2}>>;

  mae::memory_dataset<std::uint8_t> images = twelve_images();
  model_type model{{.seed = 1, .backend = model_type::backend_type(1)}};
  mae::trainer<model_type, mae::memory_dataset<std::uint8_t>> training{
      model, images, {.batch_size = 4, .epochs = 4, .lr = 1e-3, .warmup_epochs = 0}};
  std::string path = (std::filesystem::temp_directory_path() /
                      ("mae-fuzz-" + std::to_string(::getpid()) + ".safetensors"))
                         .string();
  std::unique_ptr<editable_file> saved;

  saved_training() {
    for (int i = 0; i < 4; ++i) training.step();
    mae::save_training(path, training);
    saved = std::make_unique<editable_file>(path);
  }
  saved_training(saved_training const&) = delete;
  saved_training& operator=(saved_training const&) = delete;
  ~saved_training() { std::remove(path.c_str()); }
};

mae::safetensors_metadata changed(mae::safetensors_metadata metadata, std::string_view lines) {
  while (!lines.empty()) {
    auto const line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    auto const equals = line.find('=');
    if (equals == std::string_view::npos)
      metadata.erase(std::string(line));
    else
      metadata[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  return metadata;
}

/// A training that was resumed stands where one can stand, and goes on.
void check(saved_training& fixture) {
  auto& training = fixture.training;
  auto const progress = training.progress();
  require(0 <= progress.step && progress.step <= training.total_steps());
  require(0 <= progress.optimizer_steps && progress.optimizer_steps <= progress.step);
  require(0 <= progress.epoch_steps && progress.epoch_steps <= progress.step);
  require(std::isfinite(progress.epoch_loss) && std::isfinite(progress.epoch_baseline));
  if (training.is_done()) return;
  require(std::isfinite(training.step().loss));
  require(training.progress().step == progress.step + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  static saved_training fixture;
  std::string const lines(data, data + size);
  auto const before = fixture.training.progress();
  try {
    {
      plain_file file(fixture.path);
      mae::detail::safetensors::write(
          file, fixture.saved->tensors, changed(fixture.saved->metadata, lines));
    }
    mae::load_training(fixture.path, fixture.training);
  } catch (mae::config_error const&) {
    require(fixture.training.progress() == before);
    return 0;
  } catch (mae::format_error const&) {
    require(fixture.training.progress() == before);
    return 0;
  }
  check(fixture);
  return 0;
}
