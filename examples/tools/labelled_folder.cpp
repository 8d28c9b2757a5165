#include "labelled_folder.hpp"

#include "assumed.hpp"
#include "data_source.hpp"
#include "decoded_pictures.hpp"

#include <mae/core/config.hpp>
#include <mae/core/csv.hpp>
#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/text.hpp>
#include <mae/data/byte_resizer.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/images/keypoint_table.hpp>
#include <mae/images/label_map.hpp>
#include <mae/images/list_pictures.hpp>
#include <mae/images/picture_fit.hpp>
#include <mae/images/picture_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <span>
#include <system_error>
#include <utility>

namespace tools {
namespace {

namespace fs = std::filesystem;
using mae::index_t;

bool is_there(fs::path const& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// Where the labels of a folder's pictures are.
struct found_labels {
  fs::path masks;                            // a folder, where masks are wanted
  std::optional<mae::keypoint_table> table;  // where points are
  std::string table_path;
};

/// A picture's mask: X.png for X.jpg, in the same folders or in none. Empty without one.
std::string mask_of(found_labels const& labels, std::string const& picture) {
  fs::path const name = fs::path(picture).replace_extension(".png");
  for (auto const& path : {labels.masks / name, labels.masks / name.filename()})
    if (is_there(path)) return path.string();
  return {};
}

/// A picture's points; null without any.
std::vector<mae::keypoint> const* points_of(found_labels const& labels,
                                            std::string const& picture) {
  if (!labels.table) return nullptr;
  auto const& pictures = labels.table->pictures;
  for (auto const& name : {picture, "images/" + picture, fs::path(picture).filename().string()})
    if (auto const found = pictures.find(name); found != pictures.end()) return &found->second;
  return nullptr;
}

found_labels find_labels(std::string const& folder, label_request const& request) {
  found_labels found;
  fs::path const root(folder);
  if (!is_there(root / "images"))
    throw mae::config_error(folder + " has no folder images, in which labelled pictures lie");
  if (request.masks) {
    found.masks = root / (request.instances ? "labels" : "masks");
    if (!is_there(found.masks))
      throw mae::config_error(
          folder + " has no folder " + found.masks.filename().string() +
          (request.instances ? ""
                             : "; --instances takes labels/, in which each value is an instance"));
  }
  if (request.points) {
    found.table_path =
        request.keypoints.empty() ? (root / "keypoints.csv").string() : request.keypoints;
    found.table = mae::read_keypoints(found.table_path);
  }
  return found;
}

/// Every name of a table must be a picture's: a wrong one would be left out without a word.
void require_pictures(found_labels const& labels, mae::picture_list const& list) {
  if (!labels.table) return;
  std::size_t matched = 0;
  for (auto const& file : list.files)
    matched += points_of(labels, name_in(list, file)) != nullptr ? 1 : 0;
  if (matched >= labels.table->pictures.size()) return;
  for (auto const& [name, points] : labels.table->pictures) {
    std::string const& wanted = name;
    bool const is_one = std::ranges::any_of(list.files, [&](auto const& file) {
      auto const own = name_in(list, file);
      return own == wanted || "images/" + own == wanted ||
             fs::path(own).filename().string() == wanted;
    });
    if (!is_one)
      throw mae::config_error(labels.table_path + ": there is no picture " + wanted + " in " +
                              list.folder);
  }
}

/// Leaves out pictures of which no label is known.
void keep_labelled(found_labels const& labels, mae::picture_list& list, std::ostream& notes) {
  auto const before = std::ssize(list.files);
  std::erase_if(list.files, [&](auto const& file) {
    auto const name = name_in(list, file);
    bool const has_mask = !labels.masks.empty() && !mask_of(labels, name).empty();
    return !has_mask && points_of(labels, name) == nullptr;
  });
  auto const left = before - std::ssize(list.files);
  if (left > 0)
    pretrain::say_assumed(notes, std::to_string(left) + " pictures without labels are left out");
  if (list.files.empty())
    throw mae::config_error("no picture in " + list.folder + " has a label in " +
                            (labels.masks.empty() ? labels.table_path : labels.masks.string()));
}

/// The parts of pictures by name, as a table says it.
std::map<std::string, mae::picture_part> read_split(std::string const& path) {
  auto const table = mae::csv_table::read(path);
  index_t const image = table.column("image");
  index_t const part = table.column("part");
  std::map<std::string, mae::picture_part> parts;
  for (index_t row = 0; row < table.size(); ++row) {
    auto const found = mae::part_named(table.at(row, part));
    if (!found) table.refuse_field(row, part, "is no part: train, test or val");
    if (!parts.try_emplace(table.at(row, image), *found).second)
      table.refuse_field(row, image, "is there twice");
  }
  return parts;
}

void split_by_table(std::string const& path, mae::picture_list& list, std::ostream& notes) {
  auto parts = read_split(path);
  index_t left = 0;
  for (auto& file : list.files) {
    auto const name = name_in(list, file);
    auto const found = parts.contains(name) ? parts.find(name) : parts.find("images/" + name);
    if (found == parts.end()) {
      ++left;
      continue;
    }
    file.part = found->second;
    parts.erase(found);
  }
  if (!parts.empty())
    throw mae::config_error(path + ": there is no labelled picture " + parts.begin()->first +
                            " in " + list.folder);
  if (left > 0)
    pretrain::say_assumed(
        notes, std::to_string(left) + " pictures that " + path + " does not name are left out");
}

/// Gives each picture its part: by the table, or the last fifth in the order of names.
void split(label_request const& request, mae::picture_list& list, std::ostream& notes) {
  if (!request.split.empty()) return split_by_table(request.split, list, notes);
  if (!list.part_folders.empty()) return;
  std::ranges::sort(list.files, {}, &mae::picture_file::path);
  auto const tests = std::max<index_t>(1, std::ssize(list.files) / 5);
  for (index_t i = 0; i < std::ssize(list.files); ++i)
    list.files[static_cast<std::size_t>(i)].part =
        i < std::ssize(list.files) - tests ? mae::picture_part::train : mae::picture_part::test;
  pretrain::say_assumed(notes,
                        "tests are on the last " + std::to_string(tests) +
                            " pictures in the order of their names; --split says otherwise");
}

std::string size_text(mae::map_shape const& shape) {
  return std::to_string(shape.rows) + "x" + std::to_string(shape.columns);
}

/// Writes what one picture's labels become into its place among the set's.
class label_reader {
 public:
  label_reader(found_labels const& labels, label_request const& request)
      : labels_(labels), request_(request) {}

  void reserve(place_labels& to, std::size_t images) const {
    auto const pixels = static_cast<std::size_t>(request_.images.extent.pixels());
    if (request_.masks) to.masks.assign(images * pixels, mae::unlabelled_pixel);
    if (request_.instances) to.instances.resize(images * pixels);
    if (labels_.table) {
      to.num_points = std::ssize(labels_.table->names);
      to.points.resize(images * labels_.table->names.size());
    }
    to.places.resize(images);
    to.names.resize(images);
  }

  void read(place_labels& to, std::size_t image, std::string const& path, std::string name) const {
    auto const shape = mae::picture_size(path, request_.images.limits);
    auto const how =
        mae::plan_fit(shape.rows, shape.columns, request_.images.extent, request_.images.fit);
    to.places[image] = place_of(how);
    if (request_.masks) read_mask(to, image, name, shape, how);
    if (auto const* const points = points_of(labels_, name))
      place_points(to, image, name, shape, *points);
    to.names[image] = std::move(name);
  }

  static picture_place place_of(mae::resampling const& how) {
    auto const along = [](index_t begin, index_t length, index_t resized, index_t kept) {
      float const scale = static_cast<float>(length) / static_cast<float>(resized);
      return std::pair(static_cast<float>(begin) + scale * static_cast<float>(kept), scale);
    };
    auto const [x, x_scale] = along(how.from.left, how.from.width, how.width, how.kept.left);
    auto const [y, y_scale] = along(how.from.top, how.from.height, how.height, how.kept.top);
    return {x, x_scale, y, y_scale};
  }

 private:
  void read_mask(place_labels& to,
                 std::size_t image,
                 std::string const& name,
                 mae::map_shape const& shape,
                 mae::resampling const& how) const {
    auto const path = mask_of(labels_, name);
    if (path.empty()) return;
    auto const stored = mae::read_label_map(path, request_.images.limits);
    if (!(stored.shape == shape))
      throw mae::config_error(path + " has " + size_text(stored.shape) +
                              " pixels, but its picture " + name + " " + size_text(shape));
    auto const fitted = mae::fitted_labels(stored, how);
    std::size_t const begin = image * fitted.size();
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      if (request_.instances) {
        to.instances[begin + i] = fitted[i];
        to.masks[begin + i] = fitted[i] > 0 ? 1 : 0;
        continue;
      }
      if (fitted[i] > mae::unlabelled_pixel)
        throw mae::config_error(path + " has the value " + std::to_string(fitted[i]) +
                                ": classes are at most 254, 255 is for pixels of none (--instances "
                                "takes labels/, in which each value is an instance)");
      to.masks[begin + i] = static_cast<std::uint8_t>(fitted[i]);
    }
  }

  void place_points(place_labels& to,
                    std::size_t image,
                    std::string const& name,
                    mae::map_shape const& shape,
                    std::vector<mae::keypoint> const& points) const {
    auto const width = static_cast<float>(shape.columns);
    auto const height = static_cast<float>(shape.rows);
    for (std::size_t j = 0; j < points.size(); ++j) {
      auto const& point = points[j];
      if (point.visible && !(point.x >= 0 && point.x <= width && point.y >= 0 && point.y <= height))
        throw mae::config_error(labels_.table_path + ": " + labels_.table->names[j] + " of " +
                                name + " lies outside of the picture, which has " +
                                size_text(shape) +
                                " pixels; leave it empty where it is not to be seen");
      to.points[image * points.size() + j] = to.places[image].in_image(point);
    }
  }

  found_labels const& labels_;
  label_request const& request_;
};

labelled_images load_part(mae::picture_list const& list,
                          bool is_train,
                          label_reader const& reader,
                          label_request const& request,
                          mae::thread_pool& threads,
                          std::ostream& notes) {
  auto part = list;
  std::erase_if(part.files, [&](auto const& file) {
    return is_train
               ? file.part != mae::picture_part::train
               : file.part == mae::picture_part::train || file.part == mae::picture_part::whole;
  });
  if (part.files.empty())
    throw mae::config_error("no labelled picture is to be " +
                            std::string(is_train ? "trained on" : "tested on") +
                            "; --split says which are");
  auto decoded = pretrain::decode_pictures(part, request.images, threads, notes);
  place_labels places;
  reader.reserve(places, decoded.numbers.size());
  threads.for_each(std::ssize(decoded.numbers), [&](index_t i, int /*worker*/) {
    auto const at = static_cast<std::size_t>(i);
    auto const& file = part.files[static_cast<std::size_t>(decoded.numbers[at])];
    reader.read(places, at, file.path, name_in(list, file));
  });
  return {pretrain::image_set(std::move(decoded.images)), std::move(places)};
}

/// Classes 0 to the highest value that is in a mask to train on.
index_t count_classes(labelled_sets const& sets, std::string const& folder, std::ostream& notes) {
  std::vector<bool> seen(mae::unlabelled_pixel + std::size_t{1});
  for (auto const value : sets.train.places.masks) seen[value] = true;
  index_t classes = 0;
  for (index_t value = 0; value < mae::unlabelled_pixel; ++value)
    if (seen[static_cast<std::size_t>(value)]) classes = value + 1;
  if (classes < 2)
    throw mae::config_error(folder + ": the masks to train on have no class but 0" +
                            (seen[mae::unlabelled_pixel]
                                 ? ", and pixels of 255, which are of none: write 1 for what they "
                                   "are to be"
                                 : ""));
  pretrain::say_assumed(notes,
                        "classes 0 to " + std::to_string(classes - 1) +
                            " of pixels, which the masks to train on have; 255 is for pixels of "
                            "none");
  for (auto const value : sets.test.places.masks)
    if (value != mae::unlabelled_pixel && value >= classes)
      throw mae::config_error(folder + ": a mask to test on has the class " +
                              std::to_string(value) + ", which no mask to train on has");
  return classes;
}

/// Of the images that a painter paints.
place_labels painted_labels(mae::synthetic_dataset const& painter, label_request const& request) {
  auto const extent = request.images.extent;
  auto const own = painter.extent();
  auto const how =
      mae::resampling::whole({0, 0, own.height, own.width}, extent.height, extent.width);
  place_labels labels;
  labels.num_points = std::ssize(mae::synthetic_dataset::point_names);
  labels.places.assign(static_cast<std::size_t>(painter.size()), label_reader::place_of(how));
  mae::annotation said;
  for (index_t i = 0; i < painter.size(); ++i) {
    painter.annotate(i, said);
    mae::label_map const map{{own.height, own.width}, {said.mask.begin(), said.mask.end()}};
    for (auto const value : mae::fitted_labels(map, how))
      labels.masks.push_back(static_cast<std::uint8_t>(value));
    for (auto const& point : said.points) labels.points.push_back(labels.places[0].in_image(point));
  }
  if (request.instances) {
    for (auto& value : labels.masks) value = value > 0 ? 1 : 0;
    labels.instances.assign(labels.masks.begin(), labels.masks.end());
  }
  return labels;
}

}  // namespace

labelled_sets load_labelled_folder(std::string const& folder,
                                   label_request const& request,
                                   mae::thread_pool& threads,
                                   std::ostream& notes) {
  auto const labels = find_labels(folder, request);
  auto list = mae::list_pictures((fs::path(folder) / "images").string());
  require_pictures(labels, list);
  keep_labelled(labels, list, notes);
  split(request, list, notes);
  label_reader const reader(labels, request);
  labelled_sets sets{.train = load_part(list, true, reader, request, threads, notes),
                     .test = load_part(list, false, reader, request, threads, notes),
                     .name = folder,
                     .class_names = list.class_names};
  if (request.masks) sets.mask_classes = count_classes(sets, folder, notes);
  if (!labels.table) return sets;
  sets.point_names = labels.table->names;
  auto const pairs = fs::path(labels.table_path).parent_path() / "pairs.csv";
  sets.partners_known = is_there(pairs);
  if (sets.partners_known) sets.partners = mae::read_partners(pairs.string(), sets.point_names);
  return sets;
}

labelled_sets load_labelled_synthetic(label_request const& request,
                                      mae::thread_pool& threads,
                                      std::ostream& notes) {
  auto images = pretrain::load_images({}, request.images, threads, notes);
  labelled_sets sets{
      .train = {std::move(images.train),
                painted_labels(pretrain::synthetic_train_images(), request)},
      .test = {std::move(images.test), painted_labels(pretrain::synthetic_test_images(), request)},
      .name = images.name};
  sets.mask_classes = request.instances ? 2 : sets.train.images.num_classes() + 1;
  for (auto const* const name : mae::synthetic_dataset::point_names)
    sets.point_names.emplace_back(name);
  sets.partners = mae::synthetic_dataset::point_partners();
  sets.partners_known = true;
  return sets;
}

}  // namespace tools
