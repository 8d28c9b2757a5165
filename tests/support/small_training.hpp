#pragma once

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/report.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace mae_test {

using mae::index_t;

/// 16 patches of 48 values: hundreds of steps take a second.
inline constexpr mae::model_config small_config{
    .image = {.height = 16, .width = 16, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 2, .width = 24, .heads = 3},
    .decoder = {.depth = 1, .width = 16, .heads = 2},
};

template <mae::MaskPolicy Mask = mae::uniform_mask<mae::ratio{3, 4}>>
using small_model = mae::autoencoder<small_config, Mask>;

using small_dataset = mae::memory_dataset<std::uint8_t>;

/// Images of the synthetic set, painted once.
inline small_dataset painted_images(index_t count, std::uint64_t seed) {
  mae::synthetic_dataset const source(count, seed, small_config.image);
  std::vector<float> image(static_cast<std::size_t>(small_config.image.values()));
  std::vector<std::uint8_t> pixels;
  for (index_t i = 0; i < count; ++i) {
    source.read(i, image);
    for (float const value : image)
      pixels.push_back(static_cast<std::uint8_t>(std::lround(255.0F * value)));
  }
  return {std::move(pixels), {.extent = small_config.image}};
}

/// Numbers to be compared bit by bit: a NaN equals itself, and 0 differs from -0.
inline std::vector<std::uint32_t> bits_of(std::span<float const> values) {
  std::vector<std::uint32_t> bits;
  bits.reserve(values.size());
  for (float const value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

/// All that a training changes, bit by bit.
struct training_state {
  std::vector<std::uint32_t> values;
  std::vector<std::vector<std::uint32_t>> states;  // of the update rule
  mae::training_progress progress;

  friend bool operator==(training_state const&, training_state const&) = default;
};

template <class Trainer>
training_state state_of(Trainer const& trainer) {
  training_state all{bits_of(trainer.model().parameters().values()), {}, trainer.progress()};
  for (char const* const name : trainer.optimizer().rule().state_names)
    all.states.push_back(bits_of(trainer.optimizer().state(name)));
  return all;
}

}  // namespace mae_test
