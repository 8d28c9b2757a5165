#include "picture_split.hpp"

#include "editable_file.hpp"

#include <mae/core/error.hpp>
#include <mae/images/found_pictures.hpp>
#include <mae/images/list_pictures.hpp>
#include <mae/images/picture_list.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::picture_part;
using pretrain::split_pictures;
using pretrain::test_choice;
using pretrain::test_part;
using names = std::vector<std::string>;

/// A list of files that need not exist.
mae::picture_list listed(names files) {
  std::ranges::sort(files);
  return mae::list_pictures("pets", {.names = std::move(files)});
}

names names_of(mae::picture_list const& list) {
  names all;
  for (auto const& file : list.files) all.push_back(name_in(list, file));
  return all;
}

std::string refusal(mae::picture_list const& list, test_choice tests = {}, bool graded = true) {
  return refusal_of<mae::config_error>([&] { split_pictures(list, tests, graded); });
}

names const three_parts{"train/cat/1.png",
                        "train/dog/2.png",
                        "test/cat/3.png",
                        "test/dog/4.png",
                        "val/cat/5.png",
                        "val/dog/6.png",
                        "val/dog/7.png"};

}  // namespace

TEST_CASE("tests are on the part test, and what is left out is said") {
  auto const sets = split_pictures(listed(three_parts), {}, true);
  CHECK(names_of(sets.train) == names{"train/cat/1.png", "train/dog/2.png"});
  CHECK(names_of(sets.test) == names{"test/cat/3.png", "test/dog/4.png"});
  CHECK(sets.test.class_names == names{"cat", "dog"});
  CHECK(sets.train_name == "pets/train");
  CHECK(sets.test_name == "pets/test");
  CHECK(sets.assumed == names{"tests are on pets/test, and pets/val (3) is left out; "
                              "--test-part val says otherwise"});
}

TEST_CASE("tests are on what was chosen, and nothing is assumed") {
  auto const by_val = split_pictures(listed(three_parts), {test_part::validation}, true);
  CHECK(by_val.test_name == "pets/val");
  CHECK(by_val.assumed.empty());
  auto const by_second = split_pictures(listed(three_parts), {test_part::every_nth, 2}, true);
  CHECK(names_of(by_second.train) == names{"train/cat/1.png"});
  CHECK(names_of(by_second.test) == names{"train/dog/2.png"});
  CHECK(by_second.assumed.empty());
  auto const list = listed({"train/cat/1.png", "train/dog/2.png", "val/cat/5.png"});
  CHECK(refusal(list, {test_part::test}).find("--test-part test: pets/ has no such part") == 0);
}

TEST_CASE("without a part for tests, every tenth picture is one, at least the last") {
  names files;
  for (char letter = 'a'; letter < 'a' + 25; ++letter)
    files.push_back(std::string(1, letter) + ".png");
  auto const sets = split_pictures(listed(files), {}, false);
  CHECK(names_of(sets.test) == names{"j.png", "t.png"});
  CHECK(sets.train.files.size() == 23);
  auto const others = split_pictures(listed(files), {test_part::every_nth, 7}, false);
  CHECK(names_of(others.test) == names{"g.png", "n.png", "u.png"});
  CHECK(others.train.files.size() == 22);
  CHECK(others.assumed.empty());
  CHECK(sets.assumed == names{"tests are on one picture in 10 of pets (2), which are not "
                              "trained on; --test-part N, or folders train and test, say "
                              "otherwise"});
  auto const few = split_pictures(listed({"val/1.png", "val/2.png", "val/3.png"}), {}, false);
  CHECK(names_of(few.train) == names{"val/1.png", "val/2.png"});
  CHECK(names_of(few.test) == names{"val/3.png"});
  CHECK(refusal(listed({"1.png"})).find("pets: one picture is too few") == 0);
}

TEST_CASE("a part without classes is not graded where the training has some") {
  names const kaggle{"train/cat/1.png", "train/cat/2.png", "train/dog/3.png", "test/4.png"};
  auto const graded = split_pictures(listed(kaggle), {}, true);
  CHECK(names_of(graded.test) == names{"train/dog/3.png"});
  REQUIRE(graded.assumed.size() == 2);
  CHECK(graded.assumed[0] ==
        "pets/test (1) has no classes, so that nothing is tested on it; --test-part test "
        "says otherwise");
  auto const shown = split_pictures(listed(kaggle), {}, false);
  CHECK(names_of(shown.test) == names{"test/4.png"});
  CHECK(shown.assumed.empty());
  auto const flat = split_pictures(listed({"train/1.png", "test/4.png"}), {}, true);
  CHECK(names_of(flat.test) == names{"test/4.png"});
}

TEST_CASE("classes that differ between the parts are named") {
  CHECK(
      refusal(listed({"train/cat/1.png", "test/cat/2.png", "test/bird/3.png", "test/cow/4.png"})) ==
      "pets/test has folders that pets/train has not, and these are the classes: bird, cow; "
      "remove them, or choose other pictures by --test-part");
  auto const fewer =
      split_pictures(listed({"train/bird/1.png", "train/cat/1.png", "test/cat/2.png"}), {}, true);
  CHECK(fewer.notes == names{"pets/test has no pictures of these classes of pets/train: bird"});
  CHECK(fewer.test.files[0].label == 1);  // as in training
  // Classes of a part that is not used count for nothing.
  auto const unused = split_pictures(listed({"train/cat/1.png",
                                             "train/dog/1.png",
                                             "test/cat/2.png",
                                             "test/dog/2.png",
                                             "val/ape/3.png"}),
                                     {},
                                     true);
  CHECK(unused.train.class_names == names{"cat", "dog"});
  CHECK(unused.train.files[1].label == 1);
}

TEST_CASE("without a part to train on it ends, unless one part is all") {
  CHECK(refusal(listed({"test/1.png", "val/2.png"})).find("no part to train on") !=
        std::string::npos);
  std::vector<std::string> assumed;
  CHECK(pretrain::choose_test_part(listed({"test/1.png", "val/2.png"}), {}, false, assumed) ==
        picture_part::test);
}
