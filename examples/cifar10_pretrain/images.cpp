#include "images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/synthetic.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace pretrain {
namespace {

constexpr mae::index_t synthetic_train_images = 10'000;
constexpr mae::index_t synthetic_test_images = 2'000;

/// Paints every image once, so that an epoch does not paint it again. Its values are multiples of
/// 1/255: nothing is lost.
image_set paint(mae::index_t images, std::uint64_t seed) {
  mae::synthetic_dataset const painter(images, seed);
  auto const values = static_cast<std::size_t>(painter.extent().values());
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::vector<float> image(values);
  pixels.reserve(values * static_cast<std::size_t>(images));
  for (mae::index_t i = 0; i < images; ++i) {
    painter.read(i, image);
    for (float const value : image)
      pixels.push_back(static_cast<std::uint8_t>(std::lround(value * 255.0F)));
    labels.push_back(static_cast<std::int32_t>(painter.label(i)));
  }
  return {
      std::move(pixels), {.extent = painter.extent()}, {std::move(labels), painter.num_classes()}};
}

}  // namespace

image_sets load_images(data_source const& source) {
  if (source.cifar10)
    return {mae::load_cifar10(*source.cifar10, mae::split::train),
            mae::load_cifar10(*source.cifar10, mae::split::test),
            "cifar10"};
  return {paint(synthetic_train_images, 1), paint(synthetic_test_images, 2), "synthetic"};
}

}  // namespace pretrain
