#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/file_reading.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/images/decoded_folder.hpp>
#include <mae/images/fitted_image.hpp>
#include <mae/images/image_file.hpp>
#include <mae/images/list_pictures.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

inline picture_list without_parts(std::string const& path, picture_list list) {
  if (list.part_folders.empty()) return list;
  std::string folders;
  for (auto const& [part, folder] : list.part_folders)
    folders += (folders.empty() ? "" : " and ") + folder;
  throw config_error(path + " has parts, not classes alone: read one of " + folders);
}

}  // namespace detail

/// Pictures (PNG, JPEG) of a folder, as list_pictures finds and orders them. Where one of them has
/// no class, none has. A picture is decoded whenever it is read; decode_all reads each once.
class image_folder {
 public:
  /// Throws config_error for options that are not valid.
  image_folder(picture_list list, image_folder_options options)
      : options_(options),
        files_(std::move(list.files)),
        class_names_(std::move(list.class_names)) {
    require_valid(options.extent);
    require_valid(options.fit);
    auto const has_none = [](picture_file const& file) { return file.label < 0; };
    if (std::ranges::none_of(files_, has_none)) return;
    class_names_.clear();
    for (auto& file : files_) file.label = -1;
  }
  /// Throws what list_pictures throws, and config_error for a folder with parts: which of them is
  /// meant? keep_pictures makes a list of any.
  image_folder(std::string const& path, image_folder_options options)
      : image_folder(detail::without_parts(path, list_pictures(path)), options) {}

  image_extent extent() const { return options_.extent; }
  index_t size() const { return std::ssize(files_); }
  double pixel_scale() const { return 1.0 / 255.0; }
  index_t num_classes() const { return std::ssize(class_names_); }
  index_t label(index_t index) const { return at(index).label; }
  std::vector<std::string> const& class_names() const { return class_names_; }
  std::string const& path(index_t index) const { return at(index).path; }

  /// Those of the pictures for whose number keep(index) holds, with all classes.
  template <class Keep>
  image_folder select(Keep const& keep) const {
    image_folder part = *this;
    part.files_.clear();
    for (index_t i = 0; i < size(); ++i)
      if (keep(i)) part.files_.push_back(at(i));
    return part;
  }

  /// Of names, labels, the files' sizes, what is made of them, and all bytes of 64 files; none is
  /// decoded. Throws io_error where one cannot be read.
  std::uint64_t fingerprint() const {
    constexpr index_t most_samples = 64;
    auto const& fit = options_.fit;
    fingerprint_hash hash;
    hash.add_shape(*this).add(static_cast<std::uint8_t>(options_.kind));
    hash.add(static_cast<std::uint8_t>(fit.kind)).add(static_cast<std::uint8_t>(fit.middle));
    hash.add(fit.shortest_edge).add(fit.resized_height).add(fit.resized_width);
    for (auto const& file : files_) {
      std::string const name = file.path.substr(file.path.rfind('/') + 1);
      hash.add(std::as_bytes(std::span(name))).add(open_for_reading(file.path).size);
    }
    index_t const samples = std::min(most_samples, size());
    for (index_t i = 0; i < samples; ++i)
      hash.add(read_file(path(i * size() / samples), options_.limits.file_bytes));
    return hash.value();
  }

  /// The picture as it is kept in memory. Throws as decode_fitted.
  image_bytes decode(index_t index) const { return decode_fitted(path(index), options_); }
  /// The same in [0, 1]; `pixels` (H, W, C).
  void read(index_t index, std::span<float> pixels) const {
    auto const image = decode(index);
    std::ranges::transform(image.pixels, pixels.begin(), [](std::uint8_t value) {
      return static_cast<float>(value) / 255.0F;
    });
  }

 private:
  picture_file const& at(index_t index) const { return files_[static_cast<std::size_t>(index)]; }

  image_folder_options options_;
  std::vector<picture_file> files_;
  std::vector<std::string> class_names_;
};
static_assert(Dataset<image_folder>);

/// Pictures in memory, without those that could not be decoded.
struct decoded_pictures {
  std::vector<std::uint8_t> pixels;     // n H W C bytes
  std::vector<index_t> numbers;         // in the folder
  std::vector<std::string> unreadable;  // what was wrong with each of the others
};

/// Decodes pictures [first, last) of a folder, all cores at once.
inline decoded_pictures decode_range(image_folder const& folder,
                                     index_t first,
                                     index_t last,
                                     thread_pool& threads) {
  index_t const count = last - first;
  index_t const each = folder.extent().values();
  decoded_pictures found;
  found.pixels.resize(static_cast<std::size_t>(count * each));
  std::vector<std::string> problems(static_cast<std::size_t>(count));
  threads.for_each(count, [&](index_t i, int /*worker*/) {
    try {
      std::ranges::copy(folder.decode(first + i).pixels, found.pixels.begin() + i * each);
    } catch (error const& problem) {
      problems[static_cast<std::size_t>(i)] = problem.what();
    }
  });
  for (index_t i = 0; i < count; ++i) {
    auto& problem = problems[static_cast<std::size_t>(i)];
    if (!problem.empty()) {
      found.unreadable.push_back(std::move(problem));
      continue;
    }
    index_t const kept = std::ssize(found.numbers);
    if (kept != i)
      std::copy_n(found.pixels.begin() + i * each, each, found.pixels.begin() + kept * each);
    found.numbers.push_back(first + i);
  }
  found.pixels.resize(found.numbers.size() * static_cast<std::size_t>(each));
  return found;
}

/// Decodes a folder, all cores at once. Throws config_error, which names it, for the first picture
/// (in their order) that cannot be read, unless those are to be skipped, and where none is left.
inline decoded_folder decode_all(image_folder const& folder,
                                 thread_pool& threads,
                                 unreadable_policy policy = unreadable_policy::stop) {
  if (folder.size() == 0) throw config_error("there are no pictures to decode");
  auto found = decode_range(folder, 0, folder.size(), threads);
  if (!found.unreadable.empty() && policy == unreadable_policy::stop)
    throw config_error(found.unreadable.front() + "; such files can be skipped");
  if (found.numbers.empty())
    throw config_error(found.unreadable.front() + ", and no other picture can be read");
  image_labels known{{}, folder.num_classes()};
  if (folder.num_classes() > 0)
    for (index_t const number : found.numbers)
      known.classes.push_back(static_cast<std::int32_t>(folder.label(number)));
  return {memory_dataset<std::uint8_t>(
              std::move(found.pixels), {.extent = folder.extent()}, std::move(known)),
          folder.class_names(),
          std::move(found.numbers),
          std::move(found.unreadable)};
}

}  // namespace mae
