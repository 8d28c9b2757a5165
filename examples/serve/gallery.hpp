#pragma once

#include "encoders.hpp"
#include "turns.hpp"

#include <mae/core/types.hpp>
#include <mae/images/fitted_image.hpp>
#include <mae/model/pooling.hpp>

#include <atomic>
#include <cstddef>
#include <iosfwd>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace mae {
class thread_pool;
}  // namespace mae

namespace serve {

/// Beside what a gallery is encoded: nothing, or requests, with which it takes turns, until the
/// program is to end.
struct encoding_beside {
  turns* others = nullptr;
  std::atomic<bool> const* is_ending = nullptr;
};

/// A folder of pictures, and how they become a model's features.
struct gallery_source {
  std::string folder;
  bool skips_unreadable = false;
  mae::image_folder_options pictures;
  image_function features;
};

/// A picture of a gallery, and how like another it is.
struct neighbour {
  mae::index_t index = 0;
  double cosine = 0;
  std::string name;  // without folders
};

/// Pictures that others are compared with: of each a name, a thumbnail and features. It does not
/// change; const members may be called from several threads at once.
class gallery {
 public:
  /// In memory each takes 8 bytes for each of its features' width, and at most 32 KiB beside.
  static constexpr mae::index_t most_pictures = 10'000;
  static constexpr mae::index_t thumbnail_side = 96;

  /// Encodes the folder's pictures, in the order of their paths' bytes; beside requests as few at
  /// once as there are threads. Says on the log how far it is; which files are left out, on
  /// `notes`. Throws mae::config_error for a folder without pictures or with too many, and for one
  /// that cannot be decoded where such are not to be skipped; mae::error where the program ends.
  gallery(gallery_source const& source,
          mae::thread_pool& threads,
          std::ostream& notes,
          encoding_beside const& beside);

  mae::index_t size() const { return std::ssize(names_); }
  /// Tells it from others: a hash of its names and thumbnails in their order, in another run, too.
  std::string const& version() const { return version_; }
  /// A PNG of at most thumbnail_side pixels in each direction.
  std::string const& thumbnail(mae::index_t index) const {
    return thumbnails_[static_cast<std::size_t>(index)];
  }
  /// The `count` pictures whose features have the greatest cosine with those of another (2 D), that
  /// one first; of equals the first of the folder.
  std::vector<neighbour> most_like(std::span<float const> features,
                                   mae::pooling pool,
                                   mae::index_t count) const;

 private:
  std::vector<std::string> names_;
  std::vector<std::string> thumbnails_;
  std::vector<float> features_;  // (n, 2 D)
  std::string version_;
};

}  // namespace serve
