#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mae {

/// XXH64, a 64-bit hash that finds accidents (not forgeries), of bytes that come in any pieces.
/// Yann Collet, "xxHash fast digest algorithm", specification 0.1.1, section "XXH64".
class xxh64 {
 public:
  explicit constexpr xxh64(std::uint64_t seed = 0)
      : seed_(seed),
        accumulators_{seed + prime_1 + prime_2, seed + prime_2, seed, seed - prime_1} {}

  constexpr void update(std::span<std::byte const> bytes) {
    length_ += bytes.size();
    if (filled_ != 0) {
      std::size_t const count = std::min(stripe - filled_, bytes.size());
      std::copy_n(bytes.begin(), count, pending_.begin() + filled_);
      filled_ += count;
      bytes = bytes.subspan(count);
      if (filled_ < stripe) return;
      consume(pending_);
      filled_ = 0;
    }
    for (; bytes.size() >= stripe; bytes = bytes.subspan(stripe)) consume(bytes.first(stripe));
    std::copy(bytes.begin(), bytes.end(), pending_.begin());
    filled_ = bytes.size();
  }

  /// The hash of everything up to here; more may follow.
  constexpr std::uint64_t digest() const {
    std::uint64_t hash = length_ < stripe ? seed_ + prime_5 : merged();
    hash += length_;
    std::span<std::byte const> rest(pending_.data(), filled_);
    for (; rest.size() >= 8; rest = rest.subspan(8))
      hash = std::rotl(hash ^ mix(0, little_endian(rest.first(8))), 27) * prime_1 + prime_4;
    for (; rest.size() >= 4; rest = rest.subspan(4))
      hash = std::rotl(hash ^ little_endian(rest.first(4)) * prime_1, 23) * prime_2 + prime_3;
    for (std::byte const value : rest)
      hash = std::rotl(hash ^ std::to_integer<std::uint64_t>(value) * prime_5, 11) * prime_1;
    hash = (hash ^ hash >> 33) * prime_2;
    hash = (hash ^ hash >> 29) * prime_3;
    return hash ^ hash >> 32;
  }

 private:
  static constexpr std::uint64_t prime_1 = 0x9E3779B185EBCA87;
  static constexpr std::uint64_t prime_2 = 0xC2B2AE3D27D4EB4F;
  static constexpr std::uint64_t prime_3 = 0x165667B19E3779F9;
  static constexpr std::uint64_t prime_4 = 0x85EBCA77C2B2AE63;
  static constexpr std::uint64_t prime_5 = 0x27D4EB2F165667C5;
  static constexpr std::size_t stripe = 32;  // bytes: eight for each of four accumulators

  /// Compilers turn this into one load.
  static constexpr std::uint64_t little_endian(std::span<std::byte const> bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
      value |= std::to_integer<std::uint64_t>(bytes[i]) << 8 * i;
    return value;
  }
  static constexpr std::uint64_t mix(std::uint64_t accumulator, std::uint64_t word) {
    return std::rotl(accumulator + word * prime_2, 31) * prime_1;
  }
  constexpr void consume(std::span<std::byte const> bytes) {
    for (std::size_t i = 0; i < accumulators_.size(); ++i)
      accumulators_[i] = mix(accumulators_[i], little_endian(bytes.subspan(8 * i, 8)));
  }
  constexpr std::uint64_t merged() const {
    std::uint64_t hash = std::rotl(accumulators_[0], 1) + std::rotl(accumulators_[1], 7) +
                         std::rotl(accumulators_[2], 12) + std::rotl(accumulators_[3], 18);
    for (std::uint64_t const accumulator : accumulators_)
      hash = (hash ^ mix(0, accumulator)) * prime_1 + prime_4;
    return hash;
  }

  std::uint64_t seed_;
  std::uint64_t length_ = 0;
  std::array<std::uint64_t, 4> accumulators_;
  std::array<std::byte, stripe> pending_{};
  std::size_t filled_ = 0;  // bytes of pending_ that wait for the rest of their stripe
};

}  // namespace mae
