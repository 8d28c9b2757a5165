#include <mae/core/hash.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace {

constexpr std::uint64_t prime_32 = 2654435761U;

/// The input of the published vectors (xxHash, cli/xsum_sanity_check.c).
constexpr std::array<std::byte, 222> sanity_buffer = [] {
  std::array<std::byte, 222> buffer{};
  std::uint64_t generator = prime_32;
  for (std::byte& value : buffer) {
    value = static_cast<std::byte>(generator >> 56);
    generator *= 11400714785074694797U;
  }
  return buffer;
}();

struct vector {
  std::size_t length;
  std::uint64_t seed;
  std::uint64_t hash;
};

constexpr std::array<vector, 9> published{{
    {0, 0, 0xEF46DB3751D8E999},
    {0, prime_32, 0xAC75FDA2929B17EF},
    {1, 0, 0xE934A84ADB052768},
    {1, prime_32, 0x5014607643A9B4C3},
    {4, 0, 0x9136A0DCA57457EE},
    {14, 0, 0x8282DCC4994E35C8},
    {14, prime_32, 0xC3BD6BF63DEB6DF0},
    {222, 0, 0xB641AE8CB691C174},
    {222, prime_32, 0x20CB8AB7AE10C14A},
}};

constexpr std::uint64_t in_pieces(std::span<std::byte const> bytes,
                                  std::uint64_t seed,
                                  std::size_t piece) {
  mae::xxh64 hash(seed);
  while (!bytes.empty()) {
    std::size_t const count = std::min(piece, bytes.size());
    hash.update(bytes.first(count));
    bytes = bytes.subspan(count);
  }
  return hash.digest();
}

static_assert(in_pieces(sanity_buffer, 0, 222) == 0xB641AE8CB691C174);

}  // namespace

TEST_CASE("XXH64 gives its published values, in pieces of any size") {
  for (vector const& v : published) {
    CAPTURE(v.length);
    CAPTURE(v.seed);
    auto const bytes = std::span(sanity_buffer).first(v.length);
    for (std::size_t piece = 1; piece <= 222; ++piece)
      REQUIRE(in_pieces(bytes, v.seed, piece) == v.hash);
  }
}

TEST_CASE("a digest does not end the stream") {
  auto const bytes = std::span(sanity_buffer);
  mae::xxh64 hash;
  hash.update(bytes.first(14));
  CHECK(hash.digest() == 0x8282DCC4994E35C8);
  hash.update(bytes.subspan(14));
  CHECK(hash.digest() == 0xB641AE8CB691C174);
}
