#include "images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/cifar10.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/images.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
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

/// The pictures to train on and to test with.
struct picture_sets {
  mae::image_folder train;
  mae::image_folder test;
};

picture_sets split_pictures(std::filesystem::path const& folder, image_request const& request) {
  mae::image_folder_options const options{
      .extent = request.extent, .fit = request.fit, .kind = request.kind, .limits = request.limits};
  auto const parts = find_picture_folders(folder);
  if (parts.test != parts.train) {
    picture_sets sets{{parts.train.string(), options}, {parts.test.string(), options}};
    if (sets.train.class_names() != sets.test.class_names())
      throw mae::config_error(parts.train.string() + " and " + parts.test.string() +
                              " have folders of other names: these are the classes");
    return sets;
  }
  constexpr mae::index_t every = 10;
  mae::image_folder const all(parts.train.string(), options);
  auto const is_test = [](mae::index_t i) { return i % every == every - 1; };
  if (all.size() < every)
    throw mae::config_error(parts.train.string() + ": " + std::to_string(all.size()) +
                            " pictures are too few, of " + std::to_string(every) +
                            " one is for tests");
  return {all.select([&](mae::index_t i) { return !is_test(i); }), all.select(is_test)};
}

image_sets load_pictures(std::filesystem::path const& folder,
                         image_request const& request,
                         mae::thread_pool& threads) {
  auto const policy =
      request.skip_unreadable ? mae::unreadable_policy::skip : mae::unreadable_policy::stop;
  auto const folders = split_pictures(folder, request);
  auto train = mae::decode_all(folders.train, threads, policy);
  auto test = mae::decode_all(folders.test, threads, policy);
  image_sets sets{image_set(std::move(train.images)),
                  image_set(std::move(test.images)),
                  folder.string(),
                  std::move(train.unreadable)};
  for (auto& problem : test.unreadable) sets.notes.push_back(std::move(problem));
  return sets;
}

/// Whether `name` is all of a folder that holds pictures.
bool holds_alone(std::filesystem::path const& folder, std::filesystem::path const& name) {
  mae::left_out_files ignored;
  auto const found = mae::detail::look_into(folder, ignored);
  return found.pictures.empty() && std::ranges::all_of(found.folders, [&](auto const& path) {
           return holds_pictures(path) == (path.filename() == name);
         });
}

}  // namespace

image_sets load_images(data_source const& source,
                       image_request const& request,
                       mae::thread_pool& threads) {
  if (source.kind == data_kind::pictures) return load_pictures(source.folder, request, threads);
  auto const resized = [&](memory_images images) {
    return image_set(std::move(images), request.extent, request.kind);
  };
  if (source.kind == data_kind::cifar10)
    return {resized(mae::load_cifar10(source.folder, mae::split::train)),
            resized(mae::load_cifar10(source.folder, mae::split::test)),
            "cifar10"};
  return {resized(paint(synthetic_train_images, 1)),
          resized(paint(synthetic_test_images, 2)),
          "synthetic"};
}

void require_classes(image_sets const& images, std::string const& otherwise) {
  if (images.train.num_classes() < 2)
    throw mae::config_error(images.name +
                            ": an encoder cannot be graded without labels: put the pictures of "
                            "each class into a folder of its own" +
                            otherwise);
}

bool holds_pictures(std::filesystem::path const& folder) {
  try {
    mae::picture_list list;
    mae::detail::add_pictures(folder, -1, list);
    return !list.files.empty();
  } catch (mae::io_error const&) {
    return false;
  }
}

picture_folders find_picture_folders(std::filesystem::path const& folder) {
  auto const train = folder / "train";
  for (auto const& test : {folder / "test", folder / "val"})
    if (holds_pictures(train) && holds_pictures(test)) return {train, test};
  if (holds_alone(folder, "train")) return {train, train};
  return {folder, folder};
}

}  // namespace pretrain
