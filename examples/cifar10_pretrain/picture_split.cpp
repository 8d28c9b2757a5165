#include "picture_split.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace pretrain {
namespace {

using mae::picture_part;

bool has_classes(mae::picture_list const& list, picture_part part) {
  return std::ranges::any_of(
      list.files, [&](auto const& file) { return file.part == part && file.label >= 0; });
}

std::string folder_of(mae::picture_list const& list, picture_part part) {
  if (part != picture_part::whole) return list.part_folders.at(part);
  std::string const& folder = list.inner_folder.empty() ? list.folder : list.inner_folder;
  return folder.substr(0, folder.size() - (folder.size() > 1 && folder.ends_with('/') ? 1 : 0));
}

/// The part to train on: `train`, or what there is alone.
picture_part train_part_of(mae::picture_list const& list) {
  auto const& parts = list.part_folders;
  if (parts.empty()) return picture_part::whole;
  if (parts.contains(picture_part::train)) return picture_part::train;
  if (parts.size() == 1) return parts.begin()->first;
  throw mae::config_error(list.folder + " has " + parts.at(picture_part::test) + " and " +
                          parts.at(picture_part::validation) +
                          ", but no part to train on: add a folder train, or give one of the two "
                          "as --data");
}

/// Those of a part, with the classes of all.
mae::picture_list pictures_of(mae::picture_list list, picture_part part) {
  std::erase_if(list.files, [&](auto const& file) { return file.part != part; });
  return list;
}

/// Which classes, by number, have pictures.
std::vector<bool> classes_in(mae::picture_list const& list) {
  std::vector<bool> classes(list.class_names.size());
  for (auto const& file : list.files)
    if (file.label >= 0) classes[static_cast<std::size_t>(file.label)] = true;
  return classes;
}

/// Names of the classes of one list that have no picture in another: "bird, cow"; the first ten.
std::string classes_missing(mae::picture_list const& of, mae::picture_list const& in) {
  constexpr mae::index_t most = 10;
  auto const wanted = classes_in(of);
  auto const present = classes_in(in);
  std::string names;
  mae::index_t count = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] && !present[i] && ++count <= most)
      names += (names.empty() ? "" : ", ") + of.class_names[i];
  return names + (count > most ? " and " + std::to_string(count - most) + " more" : "");
}

void compare_classes(picture_sets& sets) {
  auto const has_class = [](auto const& file) { return file.label >= 0; };
  if (!std::ranges::all_of(sets.train.files, has_class) ||
      !std::ranges::all_of(sets.test.files, has_class))
    return;
  std::string const strange = classes_missing(sets.test, sets.train);
  if (!strange.empty())
    throw mae::config_error(sets.test_name + " has folders that " + sets.train_name +
                            " has not, and these are the classes: " + strange +
                            "; remove them, or choose other pictures by --test-part");
  std::string const untested = classes_missing(sets.train, sets.test);
  if (!untested.empty())
    sets.notes.push_back(sets.test_name + " has no pictures of these classes of " +
                         sets.train_name + ": " + untested);
}

/// One picture in `every` is for tests; of fewer, the last.
void hold_back(mae::picture_list const& all, mae::index_t every, picture_sets& sets) {
  mae::index_t const count = std::ssize(all.files);
  if (count < 2)
    throw mae::config_error(sets.train_name +
                            ": one picture is too few: it takes one to train on and one to test "
                            "with");
  sets.train = sets.test = all;
  sets.train.files.clear();
  sets.test.files.clear();
  for (mae::index_t i = 0; i < count; ++i) {
    bool const is_test = i % every == every - 1 || (count < every && i == count - 1);
    (is_test ? sets.test : sets.train).files.push_back(all.files[static_cast<std::size_t>(i)]);
  }
  sets.test_name = "one picture in " + std::to_string(every) + " of " + sets.train_name;
}

}  // namespace

std::optional<picture_part> choose_test_part(mae::picture_list const& list,
                                             test_choice tests,
                                             bool graded,
                                             std::vector<std::string>& assumed) {
  constexpr std::array candidates{picture_part::test, picture_part::validation};
  auto const& parts = list.part_folders;
  if (tests.part == test_part::every_nth) return std::nullopt;
  if (tests.part != test_part::automatic) {
    auto const part = tests.part == test_part::test ? picture_part::test : picture_part::validation;
    if (parts.contains(part) && parts.size() > 1) return part;
    throw mae::config_error("--test-part " + std::string(word_of(test_words, tests.part)) + ": " +
                            list.folder + " has no such part beside one to train on");
  }
  if (parts.size() < 2) return std::nullopt;
  bool const needs_classes =
      graded && parts.contains(picture_part::train) && has_classes(list, picture_part::train);
  std::optional<picture_part> chosen;
  for (auto const part : candidates) {
    if (!parts.contains(part)) continue;
    std::string const pictures =
        parts.at(part) + " (" + std::to_string(count_pictures(list, part)) + ")";
    if (needs_classes && !has_classes(list, part))
      assumed.push_back(pictures +
                        " has no classes, so that nothing is tested on it; --test-part " +
                        (part == picture_part::test ? "test" : "val") + " says otherwise");
    else if (!chosen)
      chosen = part;
    else
      assumed.push_back("tests are on " + parts.at(*chosen) + ", and " + pictures +
                        " is left out; --test-part val says otherwise");
  }
  return chosen;
}

picture_sets split_pictures(mae::picture_list const& list, test_choice tests, bool graded) {
  auto const train = train_part_of(list);
  picture_sets sets;
  sets.train_name = folder_of(list, train);
  auto const test = choose_test_part(list, tests, graded, sets.assumed);
  auto const used = keep_pictures(
      list, [&](auto const& file) { return file.part == train || (test && file.part == *test); });
  if (test) {
    sets.train = pictures_of(used, train);
    sets.test = pictures_of(used, *test);
    sets.test_name = folder_of(list, *test);
    compare_classes(sets);
    return sets;
  }
  hold_back(used, tests.every, sets);
  if (tests.part == test_part::automatic)
    sets.assumed.push_back("tests are on " + sets.test_name + " (" +
                           std::to_string(sets.test.files.size()) +
                           "), which are not trained on; --test-part N, or folders train and test, "
                           "say otherwise");
  return sets;
}

}  // namespace pretrain
