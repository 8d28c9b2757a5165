#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/dataset.hpp>
#include <mae/data/memory_dataset.hpp>
#include <mae/data/resize.hpp>
#include <mae/images/image_file.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace mae {

/// How a picture of any size becomes one of a model's: its middle, as large as the proportions
/// allow; or all of it, stretched.
enum class image_fit : std::uint8_t { crop, stretch };

/// How the pictures of a folder are read.
struct image_folder_options {
  image_extent extent{.height = 224, .width = 224, .channels = 3};
  image_fit fit = image_fit::crop;
  interpolation kind = interpolation::bicubic;
  image_limits limits = {};
};

/// A picture resampled to `extent`, as PIL does it, in 8 bits.
inline image_bytes fit_image(image_bytes const& picture,
                             image_extent const& extent,
                             image_fit fit,
                             interpolation kind,
                             byte_resizer& resizer) {
  auto const [height, width, channels] = picture.extent;
  pixel_box box{0, 0, height, width};
  if (fit == image_fit::crop) {
    box.height = std::max<index_t>(1, std::min(height, width * extent.height / extent.width));
    box.width = std::max<index_t>(1, std::min(width, height * extent.width / extent.height));
    box.top = (height - box.height) / 2;
    box.left = (width - box.width) / 2;
  }
  std::vector<float> const source(picture.pixels.begin(), picture.pixels.end());
  std::vector<float> resampled(static_cast<std::size_t>(extent.values()));
  resizer({source, picture.extent}, {.box = box}, kind, {resampled, extent});
  image_bytes result{.extent = extent, .pixels = {}};
  for (float const value : resampled) result.pixels.push_back(static_cast<std::uint8_t>(value));
  return result;
}

/// Whether an entry of a folder is a file with the name of a picture: *.png, *.jpg, *.jpeg, in
/// letters of either case.
inline bool is_picture(std::filesystem::directory_entry const& entry) {
  std::error_code ignored;  // what cannot be looked at is none
  if (entry.is_directory(ignored)) return false;
  std::string ending = entry.path().extension().string();
  for (char& letter : ending)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

/// Pictures (PNG, JPEG) of a folder, in the order of their names. Where it has folders, each of
/// them is a class, in the order of their names, with all pictures below it; otherwise there are no
/// labels. A picture is decoded whenever it is read; decode_all reads each once.
class image_folder {
 public:
  /// Throws io_error when the folder cannot be read; config_error when it has no pictures, or has
  /// some beside folders that are classes.
  image_folder(std::string const& path, image_folder_options options) : options_(options) {
    require_valid(options.extent);
    std::vector<std::filesystem::path> folders;
    visit<std::filesystem::directory_iterator>(path, [&](auto const& entry) {
      std::error_code ignored;  // what cannot be looked at is neither
      if (entry.is_directory(ignored)) folders.push_back(entry.path());
      if (is_picture(entry)) files_.push_back({entry.path().string(), -1});
    });
    bool const has_own = !files_.empty();
    std::ranges::sort(folders);
    for (auto const& folder : folders) add_class(folder);
    if (has_own && !class_names_.empty())
      throw config_error(path +
                         ": pictures lie beside folders of pictures, which are classes: put "
                         "them into one of these, or elsewhere");
    if (files_.empty()) throw config_error(path + ": no PNG or JPEG file in it");
    std::ranges::sort(files_, {}, [](file const& one) { return std::pair(one.label, one.path); });
  }

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

  /// The picture as it is kept in memory. Throws as decode_image.
  image_bytes decode(index_t index) const {
    thread_local byte_resizer resizer;
    auto const picture = decode_image(path(index), options_.extent.channels, options_.limits);
    return fit_image(picture, options_.extent, options_.fit, options_.kind, resizer);
  }
  /// The same in [0, 1]; `pixels` (H, W, C).
  void read(index_t index, std::span<float> pixels) const {
    auto const image = decode(index);
    std::ranges::transform(image.pixels, pixels.begin(), [](std::uint8_t value) {
      return static_cast<float>(value) / 255.0F;
    });
  }

 private:
  struct file {
    std::string path;
    std::int32_t label;
  };

  /// Calls use(entry) for what an iterator finds in a folder. Throws io_error where it cannot read.
  template <class Iterator, class Use>
  static void visit(std::filesystem::path const& folder, Use const& use) {
    std::error_code failed;
    for (Iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
      use(*entry);
    if (failed) throw io_error(folder.string(), "read folder", failed.value());
  }

  /// A class, unless there is no picture below the folder.
  void add_class(std::filesystem::path const& folder) {
    auto const before = files_.size();
    auto const label = static_cast<std::int32_t>(class_names_.size());
    visit<std::filesystem::recursive_directory_iterator>(folder, [&](auto const& entry) {
      if (is_picture(entry)) files_.push_back({entry.path().string(), label});
    });
    if (files_.size() > before) class_names_.push_back(folder.filename().string());
  }
  file const& at(index_t index) const { return files_[static_cast<std::size_t>(index)]; }

  image_folder_options options_;
  std::vector<file> files_;
  std::vector<std::string> class_names_;
};
static_assert(Dataset<image_folder>);

/// What becomes of pictures that cannot be decoded: the first ends the reading, or they are left
/// out.
enum class unreadable_policy : std::uint8_t { stop, skip };

/// A folder's pictures in memory, n H W C bytes.
struct decoded_folder {
  memory_dataset<std::uint8_t> images;
  std::vector<std::string> class_names;
  std::vector<std::string> unreadable;  // what was wrong with each that was left out
};

/// Decodes a folder, all cores at once. Throws config_error, which names it, for the first picture
/// (in their order) that cannot be read, unless those are to be skipped, and where none is left.
inline decoded_folder decode_all(image_folder const& folder,
                                 thread_pool& threads,
                                 unreadable_policy policy = unreadable_policy::stop) {
  if (folder.size() == 0) throw config_error("there are no pictures to decode");
  auto const count = static_cast<std::size_t>(folder.size());
  auto const each = static_cast<std::size_t>(folder.extent().values());
  std::vector<std::uint8_t> pixels(count * each);
  std::vector<std::string> problems(count);
  threads.for_each(folder.size(), [&](index_t i, int /*worker*/) {
    auto const at = static_cast<std::size_t>(i);
    try {
      auto const image = folder.decode(i);
      std::ranges::copy(image.pixels, pixels.begin() + i * std::ssize(image.pixels));
    } catch (error const& problem) {
      problems[at] = problem.what();
    }
  });
  std::vector<std::string> unreadable;
  std::vector<std::int32_t> labels;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!problems[i].empty()) {
      unreadable.push_back(problems[i]);
      continue;
    }
    if (kept != i)
      std::copy_n(pixels.begin() + static_cast<index_t>(i * each),
                  each,
                  pixels.begin() + static_cast<index_t>(kept * each));
    labels.push_back(static_cast<std::int32_t>(folder.label(static_cast<index_t>(i))));
    ++kept;
  }
  if (!unreadable.empty() && policy == unreadable_policy::stop)
    throw config_error(unreadable.front() + "; such files can be skipped");
  if (kept == 0) throw config_error(unreadable.front() + ", and no other picture can be read");
  pixels.resize(kept * each);
  image_labels known{std::move(labels), folder.num_classes()};
  if (folder.num_classes() == 0) known = {};
  return {memory_dataset<std::uint8_t>(
              std::move(pixels), {.extent = folder.extent()}, std::move(known)),
          folder.class_names(),
          std::move(unreadable)};
}

}  // namespace mae
