#include <mae/data/resize.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using mae::image_extent;
using mae::interpolation;
using mae::pixel_box;

/// The source of augment_fixtures.py in channel 0; channel c holds it divided by c + 1.
std::vector<float> pattern(image_extent const& extent) {
  std::vector<float> values;
  for (mae::index_t y = 0; y < extent.height; ++y)
    for (mae::index_t x = 0; x < extent.width; ++x)
      for (mae::index_t c = 0; c < extent.channels; ++c)
        values.push_back(static_cast<float>(37 * (7 * y + 13 * x) % 101) / 100.0F /
                         static_cast<float>(c + 1));
  return values;
}

struct fixture {
  image_extent source;
  pixel_box box;
  image_extent target;
  interpolation kind;
  float picked[6];  // pixels i * (H * W - 1) / 5 of the result
};

// Printed by augment_fixtures.py (pillow 9.4.0).
constexpr fixture fixtures[] = {
    {{7, 9, 1},
     {1, 2, 5, 6},
     {8, 10, 1},
     interpolation::bilinear,
     {0.0900000F, 0.5890000F, 0.5392500F, 0.4481250F, 0.4993750F, 0.1600000F}},
    {{7, 9, 1},
     {1, 2, 5, 6},
     {8, 10, 1},
     interpolation::bicubic,
     {-0.0146129F, 0.6068475F, 0.5154715F, 0.4074390F, 0.4965403F, 0.1102263F}},
    {{7, 9, 1},
     {0, 0, 7, 9},
     {7, 9, 1},
     interpolation::bilinear,
     {0.0000000F, 0.8600000F, 0.7100000F, 0.0200000F, 0.8800000F, 0.4900000F}},
    {{7, 9, 1},
     {0, 0, 7, 9},
     {7, 9, 1},
     interpolation::bicubic,
     {0.0000000F, 0.8600000F, 0.7100000F, 0.0200000F, 0.8800000F, 0.4900000F}},
    {{7, 9, 1},
     {3, 4, 1, 2},
     {6, 5, 1},
     interpolation::bilinear,
     {0.7500000F, 0.7500000F, 0.7260000F, 0.6300000F, 0.5340000F, 0.5100000F}},
    {{7, 9, 1},
     {3, 4, 1, 2},
     {6, 5, 1},
     interpolation::bicubic,
     {0.7737736F, 0.7737736F, 0.7342680F, 0.6300000F, 0.5257320F, 0.4862264F}},
    {{13, 11, 1},
     {0, 0, 13, 11},
     {5, 4, 1},
     interpolation::bilinear,
     {0.4621235F, 0.5534321F, 0.5364422F, 0.4421323F, 0.5317340F, 0.4996111F}},
    {{13, 11, 1},
     {0, 0, 13, 11},
     {5, 4, 1},
     interpolation::bicubic,
     {0.4519670F, 0.5512454F, 0.5443586F, 0.4318993F, 0.5214993F, 0.5100981F}},
    {{13, 11, 1},
     {2, 1, 11, 3},
     {4, 9, 1},
     interpolation::bilinear,
     {0.4883333F, 0.6442593F, 0.5451111F, 0.4205000F, 0.7085185F, 0.4716667F}},
    {{13, 11, 1},
     {2, 1, 11, 3},
     {4, 9, 1},
     interpolation::bicubic,
     {0.4885264F, 0.6508365F, 0.5685710F, 0.3945737F, 0.7028734F, 0.4714736F}},
};

/// The result of a fixture with `channels` channels, resized by `resizer`.
std::vector<float> resized(mae::image_resizer& resizer,
                           fixture const& expected,
                           mae::index_t channels,
                           bool mirrored) {
  image_extent source = expected.source;
  image_extent target = expected.target;
  source.channels = target.channels = channels;
  std::vector<float> const input = pattern(source);
  std::vector<float> output(static_cast<std::size_t>(target.values()), NAN);
  resizer({input, source}, {expected.box, mirrored}, expected.kind, {output, target});
  return output;
}

}  // namespace

TEST_CASE("images are resized as PIL does, whatever the number of channels") {
  mae::image_resizer resizer;  // one for all: nothing of a call may stay behind
  for (fixture const& expected : fixtures)
    for (mae::index_t const channels : {1, 2, 3, 5}) {
      auto const output = resized(resizer, expected, channels, false);
      auto const last = static_cast<std::size_t>(expected.target.pixels() - 1);
      for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
          float const value = output[i * last / 5 * static_cast<std::size_t>(channels) + c];
          CHECK(std::abs(value * static_cast<float>(c + 1) - expected.picked[i]) < 2e-6F);
        }
    }
}

TEST_CASE("a mirrored crop has its columns reversed") {
  mae::image_resizer resizer;
  auto const plain = resized(resizer, fixtures[1], 3, false);
  auto const mirrored = resized(resizer, fixtures[1], 3, true);
  for (std::size_t y = 0; y < 8; ++y)
    for (std::size_t x = 0; x < 10; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        CHECK(mirrored[(y * 10 + x) * 3 + c] == plain[(y * 10 + 9 - x) * 3 + c]);
}

TEST_CASE("the whole image at its own size is unchanged to the bit") {
  mae::image_resizer resizer;
  CHECK(resized(resizer, fixtures[2], 3, false) == pattern({7, 9, 3}));
  CHECK(resized(resizer, fixtures[3], 3, false) == pattern({7, 9, 3}));
}
