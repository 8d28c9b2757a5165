#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
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
    for (auto const& [path, label] : list().files)
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

TEST_CASE_FIXTURE(folder_of_names, "a folder without pictures says what else it has") {
  put("a.webp");
  put(".b.png");
  CHECK(refusal_of<mae::config_error>([&] { list(); }) ==
        folder.path().string() + ": no PNG or JPEG file in it; left out: 1 .webp, 1 hidden");
}
