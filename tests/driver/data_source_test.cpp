#include "data_source.hpp"

#include "images.hpp"
#include "temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace {

using pretrain::data_kind;
using pretrain::find_data;

void make_batch(std::filesystem::path const& folder) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "data_batch_1.bin") << "images";
}

TEST_CASE("what --data asks for is taken, there or not") {
  CHECK(find_data("synthetic", nullptr).kind == data_kind::synthetic);
  auto const absent = find_data("no/such/folder", nullptr);
  CHECK(absent.kind == data_kind::cifar10);
  CHECK(absent.folder == "no/such/folder");
}

TEST_CASE("a folder of pictures is recognised, also below it, unless CIFAR-10 is there") {
  mae_test::temporary_folder const scratch;
  std::filesystem::create_directories(scratch / "cats");
  CHECK(find_data(scratch.path().string(), nullptr).kind == data_kind::cifar10);
  std::ofstream(scratch / "cats" / "one.JPEG") << "no picture, but named so";
  CHECK(find_data(scratch.path().string(), nullptr).kind == data_kind::pictures);
  make_batch(scratch.path());
  CHECK(find_data(scratch.path().string(), nullptr).kind == data_kind::cifar10);
}

TEST_CASE("the parts of a folder of pictures are found") {
  mae_test::temporary_folder const scratch;
  auto const put = [&](std::filesystem::path const& place) {
    std::filesystem::create_directories(scratch / place);
    std::ofstream(scratch / place / "one.png") << "no picture, but named so";
  };
  auto const folders = [&] { return pretrain::find_picture_folders(scratch.path()); };
  std::filesystem::create_directories(scratch / "notes");
  put("train/cats");
  CHECK(folders().train == scratch / "train");
  CHECK(folders().test == scratch / "train");
  put("plane");
  CHECK(folders().train == scratch.path());  // a train and a plane
  CHECK(folders().test == scratch.path());
  put("val/cats");
  CHECK(folders().test == scratch / "val");
  put("test/cats");
  CHECK(folders().train == scratch / "train");
  CHECK(folders().test == scratch / "test");
}

TEST_CASE("MAE_CIFAR10_DIR comes first, then the usual folder, then synthetic images") {
  mae_test::temporary_folder const scratch;
  make_batch(scratch / "named" / "cifar-10-batches-bin");
  make_batch(scratch / "usual");
  std::string const named = (scratch / "named").string();
  std::string const empty = (scratch / "empty").string();

  CHECK(find_data("", named.c_str(), scratch / "usual").folder == named);
  CHECK(find_data("", empty.c_str(), scratch / "usual").folder == scratch / "usual");
  CHECK(find_data("", nullptr, scratch / "usual").folder == scratch / "usual");

  auto const nothing = find_data("", empty.c_str(), scratch / "none");
  CHECK(nothing.kind == data_kind::synthetic);
  CHECK(nothing.reason.find(empty) != std::string::npos);
  CHECK(nothing.reason.find("synthetic") != std::string::npos);
  auto const unset = find_data("", nullptr, scratch / "none");
  CHECK(unset.reason.find("MAE_CIFAR10_DIR is not set") != std::string::npos);
}

}  // namespace
