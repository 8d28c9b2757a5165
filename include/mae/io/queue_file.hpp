#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/head_list.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/network/coupled_step.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mae::detail {

/// What the keys of earlier steps and the numbers of their images are called in a training's file.
inline constexpr std::string_view queue_prefix = "queue.";
inline constexpr char const* queue_keys = "queue.keys";
inline constexpr char const* queue_images = "queue.images";
/// The entry that counts them.
inline constexpr char const* queue_count = "queued_keys";

/// How many keys the heads that are on keep at most, and of how many values each.
struct queue_extent {
  index_t most = 0;
  index_t width = 0;
};
template <class... Heads>
queue_extent queue_of(network_parts<Heads...> const& parts) {
  queue_extent extent;
  for_heads_on(parts, [&](auto const& head, double /*weight*/) {
    if constexpr (requires { head.queue; })
      if (head.queue > 0) extent = {head.queue, head.key_width()};
  });
  return extent;
}

/// The table of its tensors, of so many keys; of none it is empty.
template <class Parts>
parameter_layout layout_of_queue(Parts const& parts, index_t keys) {
  parameter_layout layout;
  if (keys == 0) return layout;
  layout.add({.name = queue_keys, .shape = {keys, queue_of(parts).width}});
  layout.add({.name = queue_images, .shape = {keys}});
  return layout;
}

/// Adds them to a file's; `numbers` has the images' and must live as long.
template <class T>
void add_queue(tensor_collector<T>& tensors,
               key_queue const& queue,
               std::vector<double> const& numbers) {
  if (queue.size() == 0) return;
  tensors.add({.name = queue_keys,
               .type = dtype::f32,
               .shape = {queue.size(), queue.width},
               .bytes = std::as_bytes(std::span(queue.keys))});
  tensors.add({.name = queue_images,
               .type = dtype::f64,
               .shape = {queue.size()},
               .bytes = std::as_bytes(std::span(numbers))});
}

/// The keys that a training's file has, of heads that keep some. Throws format_error for more than
/// those keep.
template <class Parts>
index_t queued_keys(progress_reader const& read, std::string const& path, Parts const& parts) {
  index_t const most = queue_of(parts).most;
  index_t const keys = most == 0 ? 0 : read.count(queue_count);
  if (keys > most)
    throw format_error(path,
                       8,
                       "metadata: the progress contradicts itself: " + std::string(queue_count) +
                           " are more than the head keeps");
  return keys;
}

/// Reads so many keys, of a dataset of so many images. Throws format_error for tensors that are
/// missing or of other lengths, and for images that there are not.
template <class Parts>
key_queue read_queue(safetensors_file const& file,
                     std::string const& path,
                     Parts const& parts,
                     index_t keys,
                     index_t images) {
  key_queue queue;
  if (keys == 0) return queue;
  queue.width = queue_of(parts).width;
  queue.keys.resize(static_cast<std::size_t>(keys * queue.width));
  std::vector<double> numbers(static_cast<std::size_t>(keys));
  read_tensor(
      file, path, {.name = queue_keys, .shape = {keys, queue.width}}, std::span<float>(queue.keys));
  read_tensor(file, path, {.name = queue_images, .shape = {keys}}, std::span<double>(numbers));
  for (double const number : numbers) {
    if (!(number >= 0 && number < static_cast<double>(images)) || number != std::floor(number))
      throw format_error(path, 8, std::string(queue_images) + " names an image that is not there");
    queue.images.push_back(static_cast<image_index>(number));
  }
  return queue;
}

}  // namespace mae::detail
