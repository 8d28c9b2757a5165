#include "encoding.hpp"

#include "terminal.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/types.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using pretrain::encode_in_parts;

/// Two features an image, from its number; notes which parts it was asked for.
class counting_encoder {
 public:
  std::vector<float> operator()(index_t first, index_t size) {
    parts.emplace_back(first, size);
    std::vector<float> features;
    for (index_t i = first; i < first + size; ++i)
      features.insert(features.end(), {static_cast<float>(i), static_cast<float>(-i)});
    return features;
  }

  std::vector<std::pair<index_t, index_t>> parts;
};

bool never() {
  return false;
}

struct fixture {
  std::ostringstream out;
  pretrain::progress_line progress{out, pretrain::progress_style::lines, 80};
  counting_encoder encoder;
  pretrain::part_encoder part{[this](index_t first, index_t size) { return encoder(first, size); },
                              64};
};

TEST_CASE_FIXTURE(fixture, "images are encoded in parts, the last of them what is left") {
  auto const features = encode_in_parts(130, part, progress, never);
  REQUIRE(features.size() == 260);
  for (std::size_t i = 0; i < 130; ++i) {
    CHECK(features[2 * i] == static_cast<float>(i));
    CHECK(features[2 * i + 1] == -static_cast<float>(i));
  }
  CHECK(encoder.parts == std::vector<std::pair<index_t, index_t>>{{0, 64}, {64, 64}, {128, 2}});
  CHECK(out.str().find("encoded 130/130  ") != std::string::npos);
  CHECK(out.str().ends_with("left 0:00:00\n"));
}

TEST_CASE_FIXTURE(fixture, "encoding stops when it is asked to, with the features so far") {
  auto const after_one = [this] { return encoder.parts.size() == 1; };
  CHECK(encode_in_parts(130, part, progress, after_one).size() == 128);
  CHECK(encoder.parts.size() == 1);
}

TEST_CASE("a part has shards for every worker, whatever the images' size") {
  for (int const threads : {1, 3}) {
    mae::eigen_backend<float> const backend(threads);
    CHECK(pretrain::images_of_part(backend, 65) == threads * 8 * 4);
    CHECK(pretrain::images_of_part(backend, 1025) == threads * 8);
  }
}

TEST_CASE_FIXTURE(fixture, "of no images there are no features") {
  CHECK(encode_in_parts(0, part, progress, never).empty());
  CHECK(encoder.parts.empty());
}

}  // namespace
