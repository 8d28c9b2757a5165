#include "images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/images.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

namespace pretrain {
namespace {

using memory_images = mae::memory_dataset<std::uint8_t>;

constexpr mae::index_t synthetic_train_images = 10'000;
constexpr mae::index_t synthetic_test_images = 2'000;

/// Paints every image once, so that an epoch does not paint it again. Its values are multiples of
/// 1/255: nothing is lost.
memory_images paint(mae::index_t images, std::uint64_t seed) {
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

/// The folders with the pictures to train on and to test with.
struct picture_folders {
  mae::image_folder train;
  mae::image_folder test;
};

picture_folders split_pictures(std::filesystem::path const& folder,
                               mae::image_extent const& extent) {
  mae::image_folder_options const options{.extent = extent};
  auto const train = folder / "train";
  for (auto const& test : {folder / "test", folder / "val"}) {
    if (!holds_pictures(train) || !holds_pictures(test)) continue;
    picture_folders parts{{train.string(), options}, {test.string(), options}};
    if (parts.train.class_names() != parts.test.class_names())
      throw mae::config_error(train.string() + " and " + test.string() +
                              " have folders of other names: these are the classes");
    return parts;
  }
  constexpr mae::index_t every = 10;
  mae::image_folder const all(folder.string(), options);
  auto const is_test = [](mae::index_t i) { return i % every == every - 1; };
  if (all.size() < every)
    throw mae::config_error(folder.string() + ": " + std::to_string(all.size()) +
                            " pictures are too few, of " + std::to_string(every) +
                            " one is for tests");
  return {all.select([&](mae::index_t i) { return !is_test(i); }), all.select(is_test)};
}

image_sets load_pictures(std::filesystem::path const& folder,
                         image_request const& request,
                         mae::thread_pool& threads) {
  auto const policy =
      request.skip_unreadable ? mae::unreadable_policy::skip : mae::unreadable_policy::stop;
  auto const folders = split_pictures(folder, request.extent);
  auto train = mae::decode_all(folders.train, threads, policy);
  auto test = mae::decode_all(folders.test, threads, policy);
  image_sets sets{image_set(std::move(train.images)),
                  image_set(std::move(test.images)),
                  folder.string(),
                  std::move(train.unreadable)};
  for (auto& problem : test.unreadable) sets.notes.push_back(std::move(problem));
  return sets;
}

}  // namespace

image_sets load_images(data_source const& source,
                       image_request const& request,
                       mae::thread_pool& threads) {
  if (source.kind == data_kind::pictures) return load_pictures(source.folder, request, threads);
  auto const resized = [&](memory_images images) {
    return image_set(std::move(images), request.extent);
  };
  if (source.kind == data_kind::cifar10)
    return {resized(mae::load_cifar10(source.folder, mae::split::train)),
            resized(mae::load_cifar10(source.folder, mae::split::test)),
            "cifar10"};
  return {resized(paint(synthetic_train_images, 1)),
          resized(paint(synthetic_test_images, 2)),
          "synthetic"};
}

bool holds_pictures(std::filesystem::path const& folder) {
  namespace fs = std::filesystem;
  std::error_code failed;
  for (fs::recursive_directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed))
    if (mae::is_picture(entry->path())) return true;
  return false;
}

}  // namespace pretrain
