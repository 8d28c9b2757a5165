#include "colour_reference.hpp"

#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/colour_changer.hpp>
#include <mae/data/colour_changes.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace reference = colour_reference;

using mae::colour_change;
using mae::colour_changer;
using mae::colour_changes;

// torchvision computes in floats.
constexpr float rounding = 1e-6F;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::vector<float> values(auto const& image) {
  return {image.begin(), image.end()};
}

template <class Change>
std::vector<float> changed(auto const& image, Change const& change) {
  auto pixels = values(image);
  change(pixels);
  return pixels;
}

void check_same(std::vector<float> const& found, auto const& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    REQUIRE(std::abs(found[i] - expected[i]) <= rounding);
  }
}

/// All operations by themselves, of an image of three channels or of one.
void check_operations(mae::image_extent const& extent,
                      auto const& image,
                      auto const& jittered,
                      auto const& blurred,
                      auto const& solarised) {
  colour_changer const changer(extent, {});
  for (auto const& expected : jittered) {
    CAPTURE(static_cast<int>(expected.change));
    CAPTURE(expected.by);
    check_same(changed(image, [&](auto& p) { changer.apply(expected.change, expected.by, p); }),
               expected.pixels);
  }
  for (auto const& expected : blurred) {
    CAPTURE(expected.kernel);
    colour_changer by(extent, {.blur = {.probability = 1, .kernel = expected.kernel}});
    check_same(changed(image, [&](auto& p) { by.blur(expected.sigma, p); }), expected.pixels);
  }
  for (auto const& expected : solarised) {
    CAPTURE(expected.threshold);
    colour_changer const by(extent, {.solarise = {.threshold = expected.threshold}});
    check_same(changed(image, [&](auto& p) { by.solarise(p); }), expected.pixels);
  }
}

mae::random_stream stream_of(std::uint64_t image) {
  return mae::random_stream({.seed = 2, .use = mae::purpose::colour, .index = image});
}

std::string refusal(colour_changes const& settings) {
  try {
    mae::require_valid(settings);
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}
std::string refusal(mae::image_extent const& extent, colour_changes const& settings) {
  try {
    colour_changer const changer(extent, settings);
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

constexpr colour_changes all_on{
    .jitter = {.brightness = 0.4, .contrast = 1.5, .saturation = 0.2, .hue = 0.1},
    .grey = 0.2,
    .blur = {.probability = 0.5},
    .solarise = {.probability = 0.1}};

}  // namespace

TEST_CASE("operations are torchvision's, of three channels and of one") {
  check_operations(reference::extent,
                   reference::image,
                   reference::changed,
                   reference::blurred,
                   reference::solarised);
  check_operations(reference::grey_extent,
                   reference::grey_image,
                   reference::grey_changed,
                   reference::grey_blurred,
                   reference::grey_solarised);
  colour_changer const changer(reference::extent, {});
  check_same(changed(reference::image, [&](auto& p) { changer.make_grey(p); }),
             reference::made_grey);
}

TEST_CASE("operations follow each other as in torchvision") {
  colour_changer changer(reference::extent, {.blur = {.probability = 1, .kernel = 5}});
  for (auto const& expected : reference::composed)
    check_same(changed(reference::image, [&](auto& p) { changer.apply(expected.drawn, p); }),
               expected.pixels);
}

TEST_CASE("factors of 1 and a turn by 0 change no bit, nor do settings that are off") {
  colour_changer changer(reference::extent, {});
  auto const image = values(reference::image);
  CHECK(changed(image, [&](auto& p) { changer.apply(mae::drawn_colours{}, p); }) == image);
  auto random = stream_of(1);
  CHECK(changed(image, [&](auto& p) { changer(random, p); }) == image);
  CHECK(random.word() == stream_of(1).word());  // nothing was drawn
  CHECK_FALSE(colour_changes{}.is_on());
  CHECK_FALSE(colour_changes{.jitter = {.hue = 0.1, .probability = 0}}.is_on());
}

TEST_CASE("channels of any number are brightened, blurred and solarised each by itself") {
  mae::image_extent const extent{4, 5, 2};
  std::vector<float> pairs;
  for (float const value : reference::grey_image) pairs.insert(pairs.end(), {value, 1 - value});
  colour_changer changer(extent, {.blur = {.probability = 1, .kernel = 5}});
  mae::drawn_colours drawn{.blur = 0.9, .solarise = true};
  drawn.jitter.by[0] = 1.2;
  colour_changer alone(reference::grey_extent, {.blur = {.probability = 1, .kernel = 5}});
  auto const both = changed(pairs, [&](auto& p) { changer.apply(drawn, p); });
  for (std::size_t const channel : {0U, 1U}) {
    std::vector<float> own;
    std::vector<float> found;
    for (std::size_t i = channel; i < pairs.size(); i += 2) {
      own.push_back(pairs[i]);
      found.push_back(both[i]);
    }
    alone.apply(drawn, own);
    CHECK(own == found);
  }
  // Contrast is about the mean of them all.
  std::vector<float> pixels{0.25F, 0.75F, 0.5F, 0.0F};
  colour_changer({1, 2, 2}, {}).apply(colour_change::contrast, 0, pixels);
  CHECK(pixels == std::vector<float>(4, 0.375F));
}

TEST_CASE("the drawn shares, factors and orders are those of the settings") {
  constexpr int draws = 20'000;
  constexpr double deviations = 5;
  std::array<double, 4> const low{0.6, 0, 0.8, -0.1};
  std::array<double, 4> const high{1.4, 2.5, 1.2, 0.1};
  std::array<double, 4> least{9, 9, 9, 9};
  std::array<double, 4> most{-9, -9, -9, -9};
  std::array<double, 4> sums{};
  std::map<std::array<colour_change, 4>, int> orders;
  double sigma_least = 9;
  double sigma_most = 0;
  int jittered = 0;
  int grey = 0;
  int blurred = 0;
  int solarised = 0;
  for (std::uint64_t i = 0; i < draws; ++i) {
    auto random = stream_of(i);
    auto const drawn = mae::draw_colours(all_on, random);
    grey += drawn.grey ? 1 : 0;
    solarised += drawn.solarise ? 1 : 0;
    if (drawn.blur > 0) {
      ++blurred;
      sigma_least = std::min(sigma_least, drawn.blur);
      sigma_most = std::max(sigma_most, drawn.blur);
    }
    if (drawn.jitter.by == mae::drawn_jitter{}.by) continue;
    ++jittered;
    ++orders[drawn.jitter.order];
    for (std::size_t k = 0; k < 4; ++k) {
      least[k] = std::min(least[k], drawn.jitter.by[k]);
      most[k] = std::max(most[k], drawn.jitter.by[k]);
      sums[k] += drawn.jitter.by[k];
    }
  }
  auto const check_share = [&](int count, double probability, int of) {
    double const deviation = std::sqrt(of * probability * (1 - probability));
    CHECK(std::abs(count - of * probability) < deviations * deviation);
  };
  check_share(jittered, 0.8, draws);
  check_share(grey, 0.2, draws);
  check_share(blurred, 0.5, draws);
  check_share(solarised, 0.1, draws);
  CHECK(orders.size() == 24);
  for (auto const& order : orders) check_share(order.second, 1.0 / 24, jittered);
  for (std::size_t k = 0; k < 4; ++k) {
    CAPTURE(k);
    double const range = high[k] - low[k];
    CHECK(least[k] >= low[k]);
    CHECK(most[k] < high[k]);
    CHECK(least[k] < low[k] + range / 100);
    CHECK(most[k] > high[k] - range / 100);
    CHECK(std::abs(sums[k] / jittered - (low[k] + high[k]) / 2) <
          deviations * range / std::sqrt(12.0 * jittered));
  }
  CHECK(sigma_least >= 0.1);
  CHECK(sigma_least < 0.12);
  CHECK(sigma_most < 2);
  CHECK(sigma_most > 1.98);
}

TEST_CASE("images change by their streams alone, and stay within [0, 1]") {
  colour_changer changer(reference::extent, all_on);
  colour_changer other_worker(reference::extent, all_on);
  std::set<std::vector<float>> seen;
  for (std::uint64_t i = 0; i < 300; ++i) {
    auto const drawn = [&](colour_changer& by) {
      auto random = stream_of(i);
      return changed(reference::image, [&](auto& p) { by(random, p); });
    };
    auto const first = drawn(changer);
    REQUIRE(drawn(other_worker) == first);
    REQUIRE(*std::ranges::min_element(first) >= 0);
    REQUIRE(*std::ranges::max_element(first) <= 1);
    seen.insert(first);
  }
  CHECK(seen.size() > 240);  // but for those that nothing happens to
}

TEST_CASE("the usual kernel of a blur is a tenth of the shorter side, odd, and 3 at least") {
  CHECK(mae::usual_blur_kernel({224, 300, 3}) == 23);
  CHECK(mae::usual_blur_kernel({96, 80, 3}) == 9);
  CHECK(mae::usual_blur_kernel({32, 32, 3}) == 3);
  CHECK(mae::usual_blur_kernel({2, 9, 3}) == 3);
}

TEST_CASE("settings of no use are refused") {
  CHECK(refusal(all_on).empty());
  auto const amounts =
      "the jitter of brightness, contrast and saturation must be finite and not negative";
  for (double const amount : {-0.1, not_a_number, std::numeric_limits<double>::infinity(), 1e39}) {
    CHECK(refusal({.jitter = {.brightness = amount}}) == amounts);
    CHECK(refusal({.jitter = {.contrast = amount}}) == amounts);
    CHECK(refusal({.jitter = {.saturation = amount}}) == amounts);
  }
  for (double const hue : {-0.1, 0.51, not_a_number})
    CHECK(refusal({.jitter = {.hue = hue}}) == "the jitter of hues must lie in [0, 0.5]");
  for (double const share : {-0.1, 1.1, not_a_number}) {
    CHECK(refusal({.jitter = {.probability = share}}) ==
          "the probability of jitter must lie in [0, 1]");
    CHECK(refusal({.grey = share}) == "the probability of grey must lie in [0, 1]");
    CHECK(refusal({.blur = {.probability = share}}) ==
          "the probability of blur must lie in [0, 1]");
    CHECK(refusal({.solarise = {.probability = share}}) ==
          "the probability of solarising must lie in [0, 1]");
    CHECK(refusal({.solarise = {.threshold = share}}) ==
          "the threshold of solarising must lie in [0, 1]");
  }
  for (mae::random_blur const& blur : {mae::random_blur{.sigma_min = 0},
                                       mae::random_blur{.sigma_min = -1},
                                       mae::random_blur{.sigma_min = 2.1},
                                       mae::random_blur{.sigma_min = not_a_number},
                                       mae::random_blur{.sigma_max = not_a_number}})
    CHECK(refusal({.blur = blur}) ==
          "the deviations of blur must be positive and finite, the least first");
  for (mae::index_t const kernel : {2, -1, -3})
    CHECK(refusal({.blur = {.kernel = kernel}}) ==
          "the kernel of blur must be an odd number of pixels, or 0 for a tenth of an image");
}

TEST_CASE("settings that these images cannot be changed by are refused, unless they are off") {
  CHECK(refusal({8, 8, 3}, all_on).empty());
  CHECK(refusal({8, 8, 1}, {.jitter = {.saturation = 0.2}}) ==
        "jitter of saturation is of images with three channels, and these have 1: leave it at 0");
  CHECK(refusal({8, 8, 4}, {.jitter = {.hue = 0.1}}) ==
        "jitter of hues is of images with three channels, and these have 4: leave it at 0");
  CHECK(refusal({8, 8, 1}, {.grey = 0.2}) ==
        "random grey is of images with three channels, and these have 1: leave it at 0");
  CHECK(refusal({8, 8, 1}, {.jitter = {.hue = 0.1, .probability = 0}}).empty());
  CHECK(refusal({8, 8, 2}, {.jitter = {.brightness = 0.4, .contrast = 0.4}}).empty());
  CHECK(refusal({4, 9, 3}, {.blur = {.probability = 0.5, .kernel = 7}}).empty());
  CHECK(refusal({4, 9, 3}, {.blur = {.probability = 0.5, .kernel = 9}}) ==
        "a blur by 9 pixels is too wide for images of 4x9: set its kernel to 7 at most, or leave "
        "it out");
  CHECK(refusal({9, 1, 3}, {.blur = {.probability = 0.5}}) ==
        "a blur by 3 pixels is too wide for images of 9x1: set its kernel to 1 at most, or leave "
        "it out");
  CHECK(refusal({9, 1, 3}, {.blur = {.kernel = 9}}).empty());
}
