#include "mask_images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>
#include <mae/mask/ramped.hpp>
#include <mae/mask/uniform.hpp>

#include <doctest/doctest.h>

using mae::index_t;
using mae::ramp_shape;
using mae::ramped_mask;
using mask_images::plan_of;
using mask_images::visible_positions;

static_assert(ramped_mask{{.from = 0.6, .to = 0.85}}.max_visible(64) == 25);
static_assert(ramped_mask{{.from = 0.85, .to = 0.6}}.max_visible(64) == 25);

namespace {

index_t visible_at(ramped_mask const& mask, double progress) {
  mask_images::patched_image const image;
  mae::mask_context context = image.context();
  context.progress = progress;
  return plan_of(mask, context).counts(0).visible;
}

}  // namespace

TEST_CASE("a ramp begins and ends at its ends exactly") {
  for (auto const shape : {ramp_shape::linear, ramp_shape::cosine}) {
    ramped_mask const up{{.from = 0.6, .to = 0.85, .shape = shape}};
    CHECK(up.ratio(0.0) == 0.6);
    CHECK(up.ratio(1.0) == 0.85);
    CHECK(up.ratio(0.5) == doctest::Approx(0.725));
    CHECK(visible_at(up, 0.0) == 25);  // int(64 * 0.4)
    CHECK(visible_at(up, 1.0) == 9);   // int(64 * 0.15)
    ramped_mask const down{{.from = 0.85, .to = 0.6, .shape = shape}};
    CHECK(visible_at(down, 0.0) == 9);
    CHECK(visible_at(down, 1.0) == 25);
  }
}

TEST_CASE("a ramp moves between its times alone") {
  ramped_mask const late{{.from = 0.75, .to = 0.25, .begins = 0.85}};
  CHECK(late.ratio(0) == 0.75);
  CHECK(late.ratio(0.85) == 0.75);
  CHECK(late.ratio(0.925) == doctest::Approx(0.5));
  CHECK(late.ratio(1) == 0.25);
  ramped_mask const jump{{.from = 0.75, .to = 0.25, .begins = 0.5, .ends = 0.5}};
  CHECK(jump.ratio(0.4999) == 0.75);
  CHECK(jump.ratio(0.5) == 0.25);
  CHECK(late.settings().back().value == "0.85,1");
  CHECK(ramped_mask({.from = 0.6, .to = 0.7}).settings().back().value == "0,1");
  CHECK_THROWS_AS(ramped_mask({.begins = -0.1}), mae::config_error);
  CHECK_THROWS_AS(ramped_mask({.ends = 1.1}), mae::config_error);
  CHECK_THROWS_AS(ramped_mask({.begins = 0.6, .ends = 0.5}), mae::config_error);
}

TEST_CASE("a cosine ramp is slow at both ends") {
  ramped_mask const linear{{.from = 0.5, .to = 0.9}};
  ramped_mask const cosine{{.from = 0.5, .to = 0.9, .shape = ramp_shape::cosine}};
  CHECK(linear.ratio(0.25) == doctest::Approx(0.6));
  CHECK(cosine.ratio(0.25) == doctest::Approx(0.5 + 0.4 * 0.14644660940672627));
  CHECK(cosine.ratio(0.75) == doctest::Approx(0.5 + 0.4 * 0.85355339059327373));
}

TEST_CASE("a ramp only ever moves towards its end, within its bound") {
  for (auto const shape : {ramp_shape::linear, ramp_shape::cosine}) {
    ramped_mask const mask{{.from = 0.3, .to = 0.9, .shape = shape}};
    index_t last = mask.max_visible(mask_images::patches);
    for (int i = 0; i <= 100; ++i) {
      index_t const visible = visible_at(mask, i / 100.0);
      CHECK(visible <= last);
      last = visible;
    }
  }
}

TEST_CASE("a ramp between equal ends is the uniform mask") {
  mask_images::patched_image const image;
  ramped_mask const flat{{.from = 0.7, .to = 0.7}};
  CHECK(visible_positions(plan_of(flat, image.context(3))) ==
        visible_positions(plan_of(mae::uniform_mask<>{0.7}, image.context(3))));
}

TEST_CASE("an end that is no share is refused by its name") {
  CHECK_THROWS_WITH_AS(
      (ramped_mask{{.from = 0.0, .to = 0.5}}),
      "ramped mask: the ratio at the beginning must lie between 0 and 1, both excluded; it is 0",
      mae::config_error);
  CHECK_THROWS_AS((ramped_mask{{.from = 0.5, .to = 1.0}}), mae::config_error);
}

TEST_CASE("a ramped mask states its settings") {
  CHECK(mae::settings_of("mask",
                         ramped_mask{{.from = 0.6, .to = 0.85, .shape = ramp_shape::cosine}}) ==
        mae::settings_list{{"mask", "ramped"},
                           {"mask_from", "0.6"},
                           {"mask_to", "0.85"},
                           {"mask_shape", "cosine"},
                           {"mask_over", "0,1"}});
}
