#include "allocation_count.hpp"
#include "temporary_folder.hpp"

#include <mae/core/error.hpp>
#include <mae/core/parallel.hpp>
#include <mae/images.hpp>

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <new>
#include <string>

namespace {

std::string const fixtures = MAE_TESTS_DIR "/images/fixtures/";
mae::image_folder_options const small{.extent = {8, 8, 3}};

}  // namespace

TEST_CASE("whichever allocation of a picture fails, it is named" *
          doctest::skip(!mae_test::counts_allocations)) {
  for (char const* const name : {"rgb.png", "photo.jpg", "progressive.jpeg"}) {
    CAPTURE(name);
    std::string const path = fixtures + name;
    mae::decode_fitted(path, small);  // what is made once for a thread
    std::int64_t nth = 1;
    for (;; ++nth) {
      CAPTURE(nth);
      std::int64_t const before = mae_test::live_allocations;
      std::int64_t const doomed = mae_test::allocation_count + nth;
      std::string problem;
      mae_test::doomed_allocation = doomed;
      try {
        mae::decode_fitted(path, small);
      } catch (mae::io_error const& error) {
        problem = error.what();
        CHECK(error.error_number() == ENOMEM);
      } catch (std::bad_alloc const&) {
        problem = "nothing was begun";
      }
      mae_test::doomed_allocation = 0;
      bool const struck = mae_test::allocation_count >= doomed;
      REQUIRE(struck == !problem.empty());
      if (!struck) break;
      if (problem != "nothing was begun") REQUIRE(problem.starts_with(path));
      problem.clear();
      problem.shrink_to_fit();
      REQUIRE(mae_test::live_allocations == before);
    }
    CHECK(nth > 4);
  }
}

TEST_CASE("where memory fails for one picture, the others are read" *
          doctest::skip(!mae_test::counts_allocations)) {
  mae_test::temporary_folder const folder;
  for (char const* const name : {"1.png", "2.png", "3.png"})
    std::filesystem::copy(fixtures + "rgb.png", folder / name);
  mae::image_folder const images(folder.path().string(), small);
  mae::thread_pool pool(1);
  auto const decode = [&] { return mae::decode_all(images, pool, mae::unreadable_policy::skip); };
  std::int64_t const start = mae_test::allocation_count;
  REQUIRE(decode().unreadable.empty());
  std::int64_t const all = mae_test::allocation_count - start;
  int named = 0;
  for (std::int64_t nth = 1; nth <= all; ++nth) {
    mae_test::doomed_allocation = mae_test::allocation_count + nth;
    try {
      auto const decoded = decode();
      mae_test::doomed_allocation = 0;
      if (decoded.unreadable.empty()) continue;
      REQUIRE(decoded.unreadable.size() == 1);
      CHECK(decoded.unreadable.front().find(".png") != std::string::npos);
      CHECK(decoded.images.size() == 2);
      ++named;
    } catch (std::bad_alloc const&) {
      mae_test::doomed_allocation = 0;
    }
  }
  CHECK(named >= 9);
}

TEST_CASE("a picture that no memory holds is not asked for") {
  auto options = small;
  options.limits.pixels = std::numeric_limits<mae::index_t>::max();
  std::int64_t const before = mae_test::live_allocations;
  CHECK_THROWS_WITH_AS(mae::decode_image(fixtures + "endless.png", 3, options.limits),
                       doctest::Contains("2147483647x2147483647"),
                       mae::io_error);
  CHECK_THROWS_AS(mae::decode_fitted(fixtures + "endless.png", options), mae::io_error);
  CHECK(mae_test::live_allocations == before);
}
