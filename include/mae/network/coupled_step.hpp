#pragma once

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// What was said of images in earlier steps: rows of length 1, the oldest first. It is the same in
/// all processes of a training, and in its file.
struct key_queue {
  index_t width = 0;
  std::vector<float> keys;          // (size, width)
  std::vector<image_index> images;  // (size), their numbers in the dataset

  index_t size() const { return static_cast<index_t>(images.size()); }
  std::span<float const> key(index_t i) const {
    return std::span(keys).subspan(static_cast<std::size_t>(i * width),
                                   static_cast<std::size_t>(width));
  }
  /// Takes an image's key as the last; all are of one width.
  void add(std::span<double const> key, image_index image) {
    assert(images.empty() || width == static_cast<index_t>(key.size()));
    width = static_cast<index_t>(key.size());
    for (double const value : key) keys.push_back(static_cast<float>(value));
    images.push_back(image);
  }
  /// Forgets the oldest, so that no more than so many stay.
  void keep_last(index_t most) {
    index_t const many = std::max<index_t>(0, size() - most);
    std::copy(images.begin() + many, images.end(), images.begin());
    std::copy(keys.begin() + many * width, keys.end(), keys.begin());
    images.resize(images.size() - static_cast<std::size_t>(many));
    keys.resize(keys.size() - static_cast<std::size_t>(many * width));
  }

  friend bool operator==(key_queue const&, key_queue const&) = default;
};

/// What a head that couples the images of a step reads beside what its pass says of them.
template <class T>
struct coupled_step {
  random_stream& random;  // the step's own
  /// What the moving average of the network says of the same samples (S, label width), where the
  /// head asks for it.
  matrix_view<T const> averaged = {};
  std::span<image_index const> images = {};  // the step's, by their numbers in the dataset
  key_queue const* earlier = nullptr;        // of the steps before; null: there are none
};

}  // namespace mae
