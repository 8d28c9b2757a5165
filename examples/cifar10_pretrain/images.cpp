#include "images.hpp"

#include "assumed.hpp"
#include "data_source.hpp"
#include "decoded_pictures.hpp"
#include "picture_split.hpp"

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/data/augment.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/synthetic.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <utility>
#include <vector>

template class mae::resized_dataset<mae::memory_dataset<std::uint8_t>>;

namespace pretrain {
namespace {

using memory_images = mae::memory_dataset<std::uint8_t>;

/// Paints every image once, so that an epoch does not paint it again. Its values are multiples of
/// 1/255: nothing is lost.
memory_images paint(mae::synthetic_dataset const& painter) {
  auto const values = static_cast<std::size_t>(painter.extent().values());
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::vector<float> image(values);
  pixels.reserve(values * static_cast<std::size_t>(painter.size()));
  for (mae::index_t i = 0; i < painter.size(); ++i) {
    painter.read(i, image);
    for (float const value : image)
      pixels.push_back(static_cast<std::uint8_t>(std::lround(value * 255.0F)));
    labels.push_back(static_cast<std::int32_t>(painter.label(i)));
  }
  return {
      std::move(pixels), {.extent = painter.extent()}, {std::move(labels), painter.num_classes()}};
}

image_sets load_pictures(data_source const& source,
                         image_request const& request,
                         mae::thread_pool& threads,
                         std::ostream& notes) {
  auto sets = split_pictures(source.pictures, request.tests, request.graded);
  for (auto const& line : sets.assumed) say_assumed(notes, line);
  for (auto const& line : sets.notes) notes << mae::printable(line) << '\n';
  auto train = decode_pictures(std::move(sets.train), request, threads, notes);
  auto test = decode_pictures(std::move(sets.test), request, threads, notes);
  return {image_set(std::move(train.images)),
          image_set(std::move(test.images)),
          source.folder.string(),
          std::move(sets.train_name),
          std::move(sets.test_name),
          std::move(train.class_names)};
}

}  // namespace

mae::synthetic_dataset synthetic_train_images() {
  return {10'000, 1};
}
mae::synthetic_dataset synthetic_test_images() {
  return {2'000, 2};
}

image_sets load_images(data_source const& source,
                       image_request const& request,
                       mae::thread_pool& threads,
                       std::ostream& notes) {
  if (source.kind == data_kind::pictures) return load_pictures(source, request, threads, notes);
  auto const resized = [&](memory_images images) {
    return image_set(std::move(images), request.extent, request.kind);
  };
  if (source.kind == data_kind::cifar10)
    return {.train = resized(mae::load_cifar10(source.folder, mae::split::train)),
            .test = resized(mae::load_cifar10(source.folder, mae::split::test)),
            .name = "cifar10",
            .class_names = {mae::cifar10_class_names.begin(), mae::cifar10_class_names.end()}};
  return {resized(paint(synthetic_train_images())),
          resized(paint(synthetic_test_images())),
          "synthetic"};
}

image_set crops_of(image_set const& images, mae::index_t count) {
  constexpr double half = 0.5;
  constexpr float largest = 255.0F;
  auto const values = static_cast<std::size_t>(images.extent().values());
  mae::augmenter crop(images.extent(), {.crop_min = half});
  std::vector<float> whole(values);
  std::vector<float> cropped(values);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(values * static_cast<std::size_t>(count));
  for (mae::index_t i = 0; i < count; ++i) {
    images.read(i, whole);
    mae::random_stream random(
        {.use = mae::purpose::augment, .index = static_cast<std::uint64_t>(i), .view = 1});
    crop(whole, random, cropped);
    for (float const value : cropped)
      pixels.push_back(static_cast<std::uint8_t>(std::lround(value * largest)));
  }
  return image_set(memory_images(std::move(pixels), {.extent = images.extent()}));
}

void require_classes(image_sets const& images, std::string const& otherwise) {
  auto const refuse = [&](std::string const& part, std::string const& what) {
    throw mae::config_error(part + what +
                            ": an encoder cannot be graded without labels: put the pictures of "
                            "each class into a folder of its own" +
                            otherwise);
  };
  if (images.train.num_classes() < 2)
    refuse(images.train_name,
           images.train.num_classes() == 0 ? " has no classes" : " has one class");
  if (images.test.num_classes() == 0) refuse(images.test_name, " has no classes");
}

}  // namespace pretrain
