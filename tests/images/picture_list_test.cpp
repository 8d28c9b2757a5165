#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/images/list_pictures.hpp>
#include <mae/images/picture_list.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using names = std::vector<std::string>;

/// A folder of files whose names alone matter.
struct folder_of_names {
  mae_test::temporary_folder folder;

  void put(std::string const& name) const {
    fs::create_directories((folder / name).parent_path());
    write_text(folder.file(name), "no picture, but named so");
  }
  mae::picture_list list() const { return mae::list_pictures(folder.path().string()); }
  /// The files, relative to the folder.
  names files() const {
    names all;
    for (auto const& [path, label, part] : list().files)
      all.push_back(path.substr(folder.path().string().size() + 1));
    return all;
  }
};

}  // namespace

TEST_CASE_FIXTURE(folder_of_names, "hidden files and folders are passed over, and counted") {
  for (auto const* name : {"cat/1.JPG",
                           "cat/._1.JPG",
                           "cat/.DS_Store",
                           "cat/Thumbs.db",
                           "cat/@eaDir/1.JPG",
                           "__MACOSX/cat/._1.JPG",
                           ".ipynb_checkpoints/1.png",
                           "dog/.hidden/2.png",
                           "dog/2.jpeg"})
    put(name);
  auto const found = list();
  CHECK(files() == names{"cat/1.JPG", "dog/2.jpeg"});
  CHECK(found.class_names == names{"cat", "dog"});
  CHECK(to_string(found.left_out) == "7 hidden");
}

TEST_CASE_FIXTURE(folder_of_names,
                  "a link to a folder is no class, and no loop; one to a file is its picture") {
  put("cat/1.png");
  put("elsewhere.txt");
  fs::create_directory_symlink(folder / "cat", folder / "dog");
  fs::create_directory_symlink("..", folder / "cat" / "up");
  fs::create_symlink("1.png", folder / "cat" / "2.png");
  fs::create_symlink("absent.png", folder / "cat" / "3.png");  // decoding names it
  auto const found = list();
  CHECK(files() == names{"cat/1.png", "cat/2.png", "cat/3.png"});
  CHECK(found.class_names == names{"cat"});
  CHECK(to_string(found.left_out) == "1 .txt, 2 links to folders");
}

TEST_CASE_FIXTURE(folder_of_names,
                  "what is no picture is counted by its ending, the most frequent first") {
  put("1.png");
  for (auto const* name :
       {"a.txt", "a.webp", "b.WebP", "c.webp", "README", "odd.e\nd", "empty/x.csv"})
    put(name);
  CHECK(to_string(list().left_out) == "3 .webp, 2 without an ending, 1 .csv, 1 .txt");
  for (int i = 0; i < 9; ++i) put("x.k" + std::to_string(i));
  CHECK(to_string(list().left_out).ends_with("1 .k4, 5 of other kinds"));
}

TEST_CASE_FIXTURE(folder_of_names, "names may have spaces, commas and letters of any script") {
  for (auto const* name : {"b c/ü,\"x\".png", "b-c/1.png", "猫/1.png", "b/1.png"}) put(name);
  CHECK(list().class_names == names{"b", "b c", "b-c", "猫"});
  CHECK(files() == names{"b/1.png", "b c/ü,\"x\".png", "b-c/1.png", "猫/1.png"});
}

TEST_CASE("parts have seven names, in letters of either case") {
  using mae::picture_part;
  for (auto const* name : {"train", "Training", "TRAIN"})
    CHECK(mae::part_named(name) == picture_part::train);
  for (auto const* name : {"test", "Testing"}) CHECK(mae::part_named(name) == picture_part::test);
  for (auto const* name : {"val", "Valid", "VALIDATION"})
    CHECK(mae::part_named(name) == picture_part::validation);
  for (auto const* name : {"", "trains", "tes", "plane"}) CHECK_FALSE(mae::part_named(name));
}

TEST_CASE_FIXTURE(folder_of_names, "parts are no classes; their classes are numbered together") {
  using mae::picture_part;
  for (auto const* name : {"Training/dog/1.png",
                           "Training/cat/2.png",
                           "valid/dog/3.png",
                           "TEST/dog/4.png",
                           "TEST/ant/5.png",
                           "extra/6.png",
                           "7.png"})
    put(name);
  auto const found = list();
  CHECK(files() == names{"Training/cat/2.png",
                         "Training/dog/1.png",
                         "TEST/ant/5.png",
                         "TEST/dog/4.png",
                         "valid/dog/3.png"});
  CHECK(found.class_names == names{"ant", "cat", "dog"});
  CHECK(found.files[0].label == 1);
  CHECK(found.files[2].label == 0);
  CHECK(found.files[4].label == 2);
  CHECK(found.part_folders.at(picture_part::validation) == folder.file("valid"));
  CHECK(count_pictures(found, picture_part::train) == 2);
  CHECK(to_string(found.left_out) == "2 pictures beside the parts");

  auto const some = mae::keep_pictures(
      found, [](mae::picture_file const& file) { return file.part != picture_part::test; });
  CHECK(some.class_names == names{"cat", "dog"});
  CHECK(some.files[0].label == 0);
  CHECK(some.files[2].label == 1);
}

TEST_CASE_FIXTURE(folder_of_names,
                  "one part alone is a part; a part without folders has no classes") {
  put("val/1.png");
  CHECK(list().class_names.empty());
  CHECK(list().part_folders.size() == 1);
  put("train/cat/2.png");
  CHECK(list().files[0].label == 0);
  CHECK(list().files[1].label == -1);
}

TEST_CASE_FIXTURE(folder_of_names,
                  "a train beside a plane is a class, one that holds classes is a part") {
  put("plane/1.png");
  put("train/1.png");
  CHECK(list().class_names == names{"plane", "train"});
  CHECK(list().class_like_part == "train");
  CHECK(list().part_folders.empty());
  put("train/cat/1.png");
  fs::remove(folder / "train" / "1.png");
  CHECK(list().class_names == names{"cat"});
  CHECK(list().class_like_part.empty());
  CHECK(list().left_out.beside_parts == 1);
}

TEST_CASE_FIXTURE(folder_of_names, "a class of a part may have a part's name") {
  put("train/train/1.png");
  put("train/tram/1.png");
  put("test/train/1.png");
  put("test/tram/1.png");
  CHECK(list().class_names == names{"train", "tram"});
  CHECK(list().files.size() == 4);
}

TEST_CASE_FIXTURE(folder_of_names, "what may be a part or a class is refused, with what to do") {
  auto const refusal = [&] { return refusal_of<mae::config_error>([&] { list(); }); };
  put("cat/1.png");
  put("Test/1.png");
  CHECK(refusal().find("put these into a folder train, or rename Test") != std::string::npos);
  fs::remove_all(folder / "cat");
  put("testing/1.png");
  CHECK(refusal().find("Test and testing are named as the same part") != std::string::npos);
  fs::remove_all(folder / "Test");
  fs::remove_all(folder / "testing");
  put("train/train/cat/1.png");
  put("train/test/cat/1.png");
  CHECK(refusal().find("train/: a part of a set that has parts again") != std::string::npos);
}

TEST_CASE_FIXTURE(folder_of_names, "a folder of one folder of folders is entered") {
  put("archive/pets/cat/1.png");
  put("archive/pets/dog/1.png");
  put("archive/readme.txt");
  CHECK(list().class_names == names{"cat", "dog"});
  CHECK(list().inner_folder == folder.file("archive/pets/"));
  put("other/1.png");
  CHECK(list().class_names == names{"archive", "other"});
  CHECK(list().inner_folder.empty());
  fs::remove_all(folder / "archive");
  CHECK(list().class_names == names{"other"});
  put("other/more/1.png");
  CHECK(list().class_names == names{"other"});
}

TEST_CASE_FIXTURE(folder_of_names, "a folder without pictures says what else it has") {
  put("a.webp");
  put(".b.png");
  CHECK(refusal_of<mae::config_error>([&] { list(); }) ==
        folder.path().string() + ": no PNG or JPEG file in it; left out: 1 .webp, 1 hidden");
}

TEST_CASE("a folder whose name has a NUL is refused, not the one before it") {
  mae_test::temporary_folder const folder;
  std::string const path = folder.path().string();
  CHECK_THROWS_AS(mae::find_pictures(path + std::string(1, '\0') + "behind"), mae::io_error);
}
