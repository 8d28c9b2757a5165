#include "labelled_folder.hpp"

#include "assumed.hpp"
#include "decoded_pictures.hpp"
#include "found_labels.hpp"
#include "label_reader.hpp"
#include "picture_parts.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/annotation.hpp>
#include <mae/images/keypoint_table.hpp>
#include <mae/images/list_pictures.hpp>
#include <mae/images/picture_list.hpp>

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <ostream>
#include <utility>

namespace tools {
namespace {

namespace fs = std::filesystem;
using mae::index_t;

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

}  // namespace

labelled_sets load_labelled_folder(std::string const& folder,
                                   label_request const& request,
                                   mae::thread_pool& threads,
                                   std::ostream& notes) {
  auto const labels = find_labels(folder, request);
  auto list = mae::list_pictures((fs::path(folder) / "images").string());
  require_pictures(labels, list);
  keep_labelled(labels, list, notes);
  give_parts(request.split, list, notes);
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

}  // namespace tools
