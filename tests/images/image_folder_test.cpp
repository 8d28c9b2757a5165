#include "editable_file.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/resize.hpp>
#include <mae/images.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <system_error>
#include <vector>

namespace {

namespace fs = std::filesystem;
std::string const fixtures = MAE_TESTS_DIR "/images/fixtures/";
mae::image_folder_options const small{.extent = {8, 8, 3}};

/// Two classes: "a cat" with three pictures, one below another folder, and "dogs" with one.
struct classes {
  mae_test::temporary_folder folder;

  classes() {
    fs::create_directories(folder / "dogs");
    fs::create_directories(folder / "a cat" / "more");
    fs::create_directories(folder / "empty");
    fs::copy(fixtures + "rgb.png", folder / "dogs" / "1.PNG");
    fs::copy(fixtures + "photo.jpg", folder / "a cat" / "z.jpg");
    fs::copy(fixtures + "rgb.png", folder / "a cat" / "b.png");
    fs::copy(fixtures + "progressive.jpeg", folder / "a cat" / "more" / "c.jpeg");
    write_text(folder.file("a cat/notes.txt"), "no picture");
  }
  std::string path() const { return folder.path().string(); }
};

}  // namespace

TEST_CASE("folders are classes, in the order of their names, and so are pictures") {
  classes const set;
  mae::image_folder const images(set.path(), small);
  CHECK(images.class_names() == std::vector<std::string>{"a cat", "dogs"});
  CHECK(images.num_classes() == 2);
  REQUIRE(images.size() == 4);
  CHECK(images.path(0).ends_with("a cat/b.png"));
  CHECK(images.path(1).ends_with("a cat/more/c.jpeg"));
  CHECK(images.path(2).ends_with("a cat/z.jpg"));
  CHECK(images.path(3).ends_with("dogs/1.PNG"));
  CHECK(images.label(2) == 0);
  CHECK(images.label(3) == 1);
  auto const odd = images.select([](mae::index_t i) { return i % 2 == 1; });
  CHECK(odd.size() == 2);
  CHECK(odd.path(1) == images.path(3));
  CHECK(odd.num_classes() == 2);
}

TEST_CASE("what is decoded ahead is what is read, on any number of threads") {
  classes const set;
  mae::image_folder const images(set.path(), small);
  for (int const threads : {1, 3}) {
    mae::thread_pool pool(threads);
    auto const decoded = mae::decode_all(images, pool);
    CHECK(decoded.unreadable.empty());
    CHECK(decoded.images.num_classes() == 2);
    REQUIRE(decoded.images.size() == images.size());
    std::vector<float> one(8 * 8 * 3);
    std::vector<float> other(one.size());
    for (mae::index_t i = 0; i < images.size(); ++i) {
      images.read(i, one);
      decoded.images.read(i, other);
      CHECK(decoded.images.label(i) == images.label(i));
      for (std::size_t k = 0; k < one.size(); ++k)
        REQUIRE(other[k] == doctest::Approx(one[k]).epsilon(1e-6));
    }
  }
}

TEST_CASE("folders are told apart by names, classes, files and what is made of them") {
  auto const print = [](std::string const& path, mae::image_folder_options const& options) {
    return mae::fingerprint(mae::image_folder(path, options));
  };
  classes const set;
  std::set<std::uint64_t> prints{print(set.path(), small)};
  CHECK(print(classes().path(), small) == *prints.begin());  // wherever the folder lies
  auto const is_new = [&](mae::image_folder_options const& options = small) {
    return prints.insert(print(set.path(), options)).second;
  };
  CHECK(is_new({.extent = {8, 4, 3}}));
  CHECK(is_new({.extent = {8, 8, 3}, .fit = {.kind = mae::image_fit::stretch}}));
  CHECK(is_new({.extent = {8, 8, 3}, .kind = mae::interpolation::bilinear}));
  auto const picture = set.folder.file("dogs/1.PNG");
  auto bytes = read_text(picture);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_text(picture, bytes);
  CHECK(is_new());
  write_text(picture, bytes + "longer");
  CHECK(is_new());
  fs::rename(picture, set.folder / "dogs" / "2.png");
  CHECK(is_new());
  fs::rename(set.folder / "dogs" / "2.png", set.folder / "a cat" / "zz.png");
  CHECK(is_new());
}

TEST_CASE("pictures that cannot be read end it, or are left out and named") {
  classes const set;
  fs::copy(fixtures + "photo_cut.jpg", set.folder / "a cat" / "cut.jpg");
  mae::image_folder const images(set.path(), small);
  mae::thread_pool pool(2);
  std::string const what = refusal_of<mae::config_error>([&] { mae::decode_all(images, pool); });
  CHECK(what.find("cut.jpg") != std::string::npos);
  CHECK(what.find("can be skipped") != std::string::npos);

  auto const decoded = mae::decode_all(images, pool, mae::unreadable_policy::skip);
  REQUIRE(decoded.unreadable.size() == 1);
  CHECK(decoded.unreadable.front().find("cut.jpg") != std::string::npos);
  CHECK(decoded.images.size() == 4);
  CHECK(decoded.numbers == std::vector<mae::index_t>{0, 2, 3, 4});  // the second, cut.jpg, is not
  CHECK(decoded.images.label(3) == 1);
}

TEST_CASE("a picture for which memory fails is named, and can be left out") {
  classes const set;
  fs::copy(fixtures + "endless.png", set.folder / "dogs" / "endless.png");
  mae::image_folder const small_only(set.path(), small);
  mae::thread_pool pool(2);
  std::string const limit =
      refusal_of<mae::config_error>([&] { mae::decode_all(small_only, pool); });
  CHECK(limit.find("endless.png") != std::string::npos);
  CHECK(limit.find("--max-pixels") != std::string::npos);

  auto all = small;
  all.limits.pixels = std::numeric_limits<mae::index_t>::max();
  mae::image_folder const images(set.path(), all);
  std::string const what = refusal_of<mae::config_error>([&] { mae::decode_all(images, pool); });
  CHECK(what.find("endless.png: decode a picture of 2147483647x2147483647 pixels: ") !=
        std::string::npos);
  auto const decoded = mae::decode_all(images, pool, mae::unreadable_policy::skip);
  CHECK(decoded.unreadable.size() == 1);
  CHECK(decoded.images.size() == 4);
}

TEST_CASE("a folder of pictures alone has no labels") {
  mae_test::temporary_folder const folder;
  fs::copy(fixtures + "rgb.png", folder / "one.png");
  mae::image_folder const images(folder.path().string(), small);
  mae::thread_pool pool(1);
  CHECK(images.label(0) == -1);
  CHECK(mae::decode_all(images, pool).images.label(0) == -1);
  CHECK(mae::decode_all(images, pool).images.num_classes() == 0);
}

TEST_CASE("a folder that is named like a picture is none") {
  mae_test::temporary_folder const folder;
  fs::create_directories(folder / "cats.png");
  fs::copy(fixtures + "rgb.png", folder / "cats.png" / "one.png");
  mae::image_folder const images(folder.path().string(), small);
  CHECK(images.class_names() == std::vector<std::string>{"cats.png"});
  CHECK(images.size() == 1);
}

TEST_CASE("a folder with parts is not read as if these were classes") {
  mae_test::temporary_folder const folder;
  for (auto const* part : {"train/cats", "train/dogs", "Test"}) {
    fs::create_directories(folder / part);
    fs::copy(fixtures + "rgb.png", folder / part / "one.png");
  }
  std::string const path = folder.path().string();
  CHECK(refusal_of<mae::config_error>([&] { mae::image_folder(path, small); }) ==
        path + " has parts, not classes alone: read one of " + path + "/train and " + path +
            "/Test");
  mae::image_folder const train(path + "/train", small);
  CHECK(train.num_classes() == 2);
  // Those of Test have no class.
  mae::image_folder const all(mae::list_pictures(path), small);
  CHECK(all.size() == 3);
  CHECK(all.num_classes() == 0);
  CHECK(all.label(0) == -1);
}

TEST_CASE("a class that cannot be looked into is an error of its own") {
  classes const set;
  fs::permissions(set.folder / "dogs", fs::perms::none);
  std::error_code cannot;
  fs::directory_iterator const entry(set.folder / "dogs", cannot);
  if (cannot) {
    CHECK_THROWS_AS(mae::image_folder(set.path(), small), mae::io_error);
  } else {
    MESSAGE("skipped: nothing is forbidden to this user");
  }
  fs::permissions(set.folder / "dogs", fs::perms::owner_all);
}

TEST_CASE("folders that cannot be used say why") {
  mae_test::temporary_folder const folder;
  auto const refusal = [&] {
    return refusal_of<mae::config_error>([&] { mae::image_folder(folder.path().string(), small); });
  };
  CHECK(refusal().find("no PNG or JPEG file") != std::string::npos);
  fs::create_directories(folder / "cats");
  fs::copy(fixtures + "rgb.png", folder / "cats" / "one.png");
  fs::copy(fixtures + "rgb.png", folder / "one.png");
  CHECK(refusal().find("pictures lie beside folders") != std::string::npos);
  CHECK_THROWS_AS(mae::image_folder(folder.file("absent"), small), mae::io_error);
  fs::remove(folder / "one.png");
  write_text(folder.file("cats/one.png"), "no picture at all");
  mae::thread_pool pool(1);
  CHECK_THROWS_AS(
      mae::decode_all(
          mae::image_folder(folder.path().string(), small), pool, mae::unreadable_policy::skip),
      mae::config_error);
}
