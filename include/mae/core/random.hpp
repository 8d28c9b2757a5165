#pragma once

#include <mae/core/types.hpp>

#include <array>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace mae {

/// Philox 4x32-10: four random words for every counter under a key.
/// Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                              std::array<std::uint32_t, 2> key) {
  constexpr std::uint32_t multiplier_0 = 0xD2511F53;
  constexpr std::uint32_t multiplier_1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl_0 = 0x9E3779B9;  // the golden ratio
  constexpr std::uint32_t weyl_1 = 0xBB67AE85;  // sqrt(3) - 1
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const product_0 = std::uint64_t{multiplier_0} * counter[0];
    std::uint64_t const product_1 = std::uint64_t{multiplier_1} * counter[2];
    counter = {static_cast<std::uint32_t>(product_1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product_1),
               static_cast<std::uint32_t>(product_0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product_0)};
    key[0] += weyl_0;
    key[1] += weyl_1;
  }
  return counter;
}

/// What a random number is for. The values are part of what a seed means: never renumber them.
enum class purpose : std::uint8_t {
  initialise = 1,
  shuffle = 2,
  augment = 3,
  mask = 4,
  heldout_mask = 5,
  synthetic = 6,
  probe = 7,
  drop_path = 8,
  mix = 9,
  erase = 10,
  change = 11,
  principal = 12,
  predict = 13,
  colour = 14,
  couple = 15,
  project = 16,
  mask_network = 17,
  noise = 18,
  heldout_noise = 19,
};

/// Names a stream of random numbers. Streams with different keys are independent, and a stream
/// depends on nothing but its key: not on batch size, thread or backend.
struct stream_key {
  std::uint64_t seed = 0;
  purpose use = purpose::initialise;
  std::uint32_t epoch = 0;
  std::uint64_t index = 0;  // of the image in its dataset, below 2^48
  std::uint8_t view = 0;    // 0, or 1 for an objective's second view
};

/// A stream of at most 2^34 random words: Philox in counter mode.
class random_stream {
 public:
  constexpr explicit random_stream(stream_key const& key)
      : key_{static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32)},
        counter_{0,
                 static_cast<std::uint32_t>(key.use) | std::uint32_t{key.view} << 8U |
                     static_cast<std::uint32_t>(key.index >> 32) << 16U,
                 key.epoch,
                 static_cast<std::uint32_t>(key.index)} {
    assert(key.index >> 48 == 0);
  }

  /// Uniform over all 32-bit words.
  constexpr std::uint32_t word() {
    if (used_ == 4) {
      block_ = philox(counter_, key_);
      ++counter_[0];
      used_ = 0;
    }
    return block_[used_++];
  }
  /// Passes over so many blocks of four words, as normal() takes one each; only where a block ends.
  constexpr void pass_over(std::uint32_t blocks) {
    assert(used_ == 4);
    counter_[0] += blocks;
  }
  /// Uniform in [0, 1), a multiple of 2^-24: exact in a float.
  constexpr float uniform() { return static_cast<float>(word() >> 8) * 0x1p-24F; }
  /// Uniform in [0, 1), a multiple of 2^-53.
  constexpr double uniform_double() {
    std::uint64_t const high = word();
    return static_cast<double>((high << 32 | word()) >> 11) * 0x1p-53;
  }
  /// Uniform in {0, ..., bound - 1}, 0 < bound <= 2^32, without bias (Lemire 2019).
  constexpr std::uint32_t below(std::uint64_t bound) {
    assert(bound > 0 && bound <= std::uint64_t{1} << 32);
    std::uint64_t product = word() * bound;
    if (static_cast<std::uint32_t>(product) < bound) {
      std::uint64_t const threshold = (std::uint64_t{1} << 32) % bound;
      while (static_cast<std::uint32_t>(product) < threshold) product = word() * bound;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }
  /// Standard normal (Box and Muller 1958, the cosine half).
  double normal() {
    double const radius = std::sqrt(-2.0 * std::log1p(-uniform_double()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform_double());
  }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
};

}  // namespace mae
