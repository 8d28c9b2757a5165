#include "data_source.hpp"

#include "editable_file.hpp"
#include "temporary_folder.hpp"

#include <mae/core/error.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <sstream>
#include <string>

namespace {

using pretrain::data_kind;
using pretrain::find_data;

void make_batch(std::filesystem::path const& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "data_batch_1.bin") << "images";
}

/// Files whose names alone matter.
void put(std::filesystem::path const& path) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << "no picture, but named so";
}

TEST_CASE("what --data asks for is taken, or refused with what was looked for") {
  CHECK(find_data("synthetic", nullptr).kind == data_kind::synthetic);
  CHECK_THROWS_AS(find_data("no/such/folder", nullptr), mae::io_error);
  mae_test::temporary_folder const scratch;
  std::string const path = scratch.path().string();
  auto const refusal = [&] {
    return refusal_of<mae::config_error>([&] { find_data(path, nullptr); });
  };
  std::string const neither = path +
                              " holds neither CIFAR-10's binary version (data_batch_1.bin) nor "
                              "pictures (*.png, *.jpg, *.jpeg)";
  CHECK(refusal() == neither);
  put(scratch / "cats" / "one.webp");
  CHECK(refusal() == neither + "; left out: 1 .webp");
  put(scratch / "data_batch_1");
  CHECK(refusal().find("Python version: take cifar-10-binary.tar.gz") != std::string::npos);
  put(scratch / "pets.zip");
  CHECK(refusal_of<mae::config_error>([&] { find_data(path + "/pets.zip", nullptr); }) ==
        path + "/pets.zip is an archive: unpack it, and give the folder");
}

TEST_CASE("a folder that cannot be looked into is named, with what to do") {
  mae_test::temporary_folder const scratch;
  put(scratch / "cats" / "one.png");
  // A path longer than the system takes is out of reach for every user.
  auto const here = std::filesystem::current_path();
  std::filesystem::current_path(scratch.path());
  for (int depth = 0; depth < 20; ++depth) {
    std::string const name(250, 'd');
    std::filesystem::create_directory(name);
    std::filesystem::current_path(name);
  }
  std::filesystem::current_path(here);
  std::string const path = scratch.path().string();
  std::string const what = refusal_of<mae::config_error>([&] { find_data(path, nullptr); });
  CHECK(what.find("ddd: read folder: File name too long: make this folder readable, or move it out "
                  "of " +
                  path) != std::string::npos);
}

TEST_CASE("a folder of pictures is recognised, also below it, unless CIFAR-10 is there") {
  mae_test::temporary_folder const scratch;
  put(scratch / "cats" / "one.JPEG");
  CHECK(find_data(scratch.path().string(), nullptr).kind == data_kind::pictures);
  make_batch(scratch.path());
  CHECK(find_data(scratch.path().string(), nullptr).kind == data_kind::cifar10);
}

TEST_CASE("a picture alone is data") {
  mae_test::temporary_folder const scratch;
  put(scratch / "one.png");
  auto const source = find_data(scratch.file("one.png"), nullptr);
  CHECK(source.kind == data_kind::pictures);
  REQUIRE(source.pictures.files.size() == 1);
  CHECK(name_in(source.pictures, source.pictures.files[0]) == "one.png");
}

TEST_CASE("one line says how many pictures, classes and parts, and what was left out") {
  mae_test::temporary_folder const scratch;
  std::string const path = scratch.path().string();
  std::ostringstream out;
  std::ostringstream notes;
  auto const say = [&](std::ostream* to) {
    out.str("");
    notes.str("");
    say_source(find_data(path, nullptr), to, notes);
  };
  put(scratch / "one.png");
  say(&out);
  CHECK(out.str() == "pictures from " + path + ": 1 picture, no classes\n");
  CHECK(notes.str().empty());
  std::filesystem::remove(scratch / "one.png");
  for (auto const* name : {"train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "val/dog/2.png"})
    put(scratch / name);
  for (auto const* name : {"a.webp", "train/b.webp", "c.txt", ".DS_Store"}) put(scratch / name);
  say(&out);
  CHECK(out.str() == "pictures from " + path + ": 4 pictures, 2 classes, parts " + path +
                         "/train (2), " + path + "/test (1) and " + path +
                         "/val (1); left out: 2 .webp, 1 .txt, 1 hidden\n");
  std::string const line = out.str();
  say(nullptr);  // --quiet: what was left out is said all the same
  CHECK(notes.str() == line);
}

TEST_CASE("a class that is named as a part is said to be assumed one") {
  mae_test::temporary_folder const scratch;
  put(scratch / "plane" / "1.png");
  put(scratch / "train" / "1.png");
  std::string const path = scratch.path().string();
  std::ostringstream notes;
  say_source(find_data(path, nullptr), nullptr, notes);
  CHECK(notes.str() ==
        "assumed: train is a class, as the folders beside it are, and no part; --data " + path +
            "/train reads it alone\n");
}

TEST_CASE("MAE_CIFAR10_DIR comes first, then the usual folder, then synthetic images") {
  mae_test::temporary_folder const scratch;
  make_batch(scratch / "named" / "cifar-10-batches-bin");
  make_batch(scratch / "usual");
  std::string const named = (scratch / "named").string();
  std::string const empty = (scratch / "empty").string();

  CHECK(find_data("", named.c_str(), scratch / "usual").folder == named);
  CHECK(find_data("", named.c_str(), scratch / "usual").assumed.empty());
  CHECK(find_data("", empty.c_str(), scratch / "usual").folder == scratch / "usual");
  CHECK_FALSE(find_data("", empty.c_str(), scratch / "usual").assumed.empty());
  CHECK(find_data("", nullptr, scratch / "usual").folder == scratch / "usual");

  auto const nothing = find_data("", empty.c_str(), scratch / "none");
  CHECK(nothing.kind == data_kind::synthetic);
  CHECK(nothing.reason == "synthetic images");
  CHECK(nothing.assumed.find(empty) != std::string::npos);
  CHECK(nothing.assumed.starts_with("synthetic images, made by the program, as "));
  CHECK(nothing.assumed.ends_with("; --data says otherwise"));
  auto const unset = find_data("", nullptr, scratch / "none");
  CHECK(unset.assumed.find("MAE_CIFAR10_DIR is not set") != std::string::npos);
}

}  // namespace
