#pragma once

#include <mae/core/config.hpp>
#include <mae/core/hash.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace mae {

/// A dataset that says itself what tells it from others, `fingerprint()`: where its images are
/// compositions of others, or made by a rule, or in memory.
template <class D>
concept Fingerprinted = requires(D const& dataset) {
  { dataset.fingerprint() } -> std::same_as<std::uint64_t>;
};

/// Gathers what tells one dataset from another: XXH64, seed 0, of all numbers and bytes in order.
class fingerprint_hash {
 public:
  fingerprint_hash& add(std::span<std::byte const> bytes) {
    hash_.update(bytes);
    return *this;
  }
  template <class Number>
  requires std::is_arithmetic_v<Number> fingerprint_hash& add(Number number) {
    return add(std::as_bytes(std::span<Number const, 1>(&number, 1)));
  }
  fingerprint_hash& add(image_extent const& extent) {
    return add(extent.height).add(extent.width).add(extent.channels);
  }
  /// Everything about the images but their values: extent, scale, count, classes, labels.
  template <Dataset D>
  fingerprint_hash& add_shape(D const& dataset) {
    add(dataset.extent()).add(dataset.pixel_scale()).add(dataset.size()).add(dataset.num_classes());
    for (index_t i = 0; i < dataset.size(); ++i) add(dataset.label(i));
    return *this;
  }

  std::uint64_t value() const { return hash_.digest(); }

 private:
  xxh64 hash_;
};

/// What tells a dataset from others: a resumed training must see the images that it has seen. Its
/// own `fingerprint()` where it has one (those of this library have); else extent, scale, count,
/// labels and 64 images, evenly spaced. Equal on every machine, as far as `read` gives the same
/// floats.
template <Dataset D>
std::uint64_t fingerprint(D const& dataset) {
  if constexpr (Fingerprinted<D>) {
    return dataset.fingerprint();
  } else {
    constexpr index_t most_samples = 64;
    fingerprint_hash hash;
    hash.add_shape(dataset);
    index_t const samples = std::min(most_samples, dataset.size());
    std::vector<float> image(static_cast<std::size_t>(dataset.extent().values()));
    for (index_t i = 0; i < samples; ++i) {
      dataset.read(i * dataset.size() / samples, image);
      hash.add(std::as_bytes(std::span(image)));
    }
    return hash.value();
  }
}

}  // namespace mae
