#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/plan.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae::mask_counts;
using positions = std::vector<mae::patch_index>;

positions listed(std::span<mae::patch_index const> view) {
  return {view.begin(), view.end()};
}

mae::mask_plan planned(mask_counts counts, std::vector<float> const& scores) {
  mae::mask_plan plan(1, static_cast<index_t>(scores.size()));
  plan.assign(0, counts, scores);
  return plan;
}

/// The message of the config_error that the plan throws, or nothing.
std::string refusal(mask_counts counts, std::vector<float> const& scores, index_t patches = 4) {
  mae::mask_plan plan(1, patches);
  try {
    plan.assign(0, counts, scores);
  } catch (mae::config_error const& error) {
    return error.what();
  }
  return {};
}

bool contains(std::string const& text, char const* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the lowest scores are visible, the next are targets, the rest is absent") {
  auto const plan = planned({2, 3}, {0.9F, 0.1F, 0.5F, 0.8F, 0.2F, 0.7F, 0.95F});
  CHECK(listed(plan.visible(0)) == positions{1, 4});
  CHECK(listed(plan.target(0)) == positions{2, 3, 5});
  CHECK(plan.counts(0) == mask_counts{2, 3});
  CHECK(plan.images() == 1);
  CHECK(plan.patches() == 7);
}

TEST_CASE("ties go to the lower position") {
  CHECK(listed(planned({2, 2}, {1.0F, 1.0F, 1.0F, 1.0F, 1.0F}).visible(0)) == positions{0, 1});
  auto const plan = planned({2, 1}, {0.5F, 0.0F, 0.5F, 0.5F});
  CHECK(listed(plan.visible(0)) == positions{0, 1});
  CHECK(listed(plan.target(0)) == positions{2});
  // The two zeros are equal.
  CHECK(listed(planned({1, 1}, {0.0F, -0.0F}).visible(0)) == positions{0});
}

TEST_CASE("an image that the plan does not have is refused") {
  mae::mask_plan plan(2, 4);
  std::vector<float> const scores{0, 1, 2, 3};
  for (index_t const image : {index_t{-1}, index_t{2}, std::numeric_limits<index_t>::max()}) {
    std::string const sentence =
        "mask of image " + std::to_string(image) + " of the batch: the batch has 2 images";
    CHECK_THROWS_WITH_AS(plan.assign(image, {1, 1}, scores), sentence.c_str(), mae::config_error);
  }
}

TEST_CASE("a plan of sizes that no memory has is refused") {
  constexpr index_t most = std::numeric_limits<index_t>::max();
  CHECK_THROWS_AS(mae::mask_plan(-1, 4), mae::config_error);
  CHECK_THROWS_AS(mae::mask_plan(1, -4), mae::config_error);
  CHECK_THROWS_AS(mae::mask_plan(1, index_t{1} << 31U), mae::config_error);
  CHECK_THROWS_AS(mae::mask_plan(most / 3, 4), mae::config_error);
  CHECK_THROWS_AS(mae::mask_plan::all_visible(-1, 4), mae::config_error);
  mae::mask_plan plan(1, 4);
  CHECK_THROWS_AS(plan.resize(-1, 4), mae::config_error);
  CHECK(plan.images() == 1);
  CHECK(mae::mask_plan(0, 4).total() == mask_counts{});
}

TEST_CASE("infinite scores are ordered like others") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  auto const plan = planned({1, 1}, {infinity, 3.0F, -infinity});
  CHECK(listed(plan.visible(0)) == positions{2});
  CHECK(listed(plan.target(0)) == positions{1});
}

TEST_CASE("a score that is not a number is refused, wherever it stands") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(refusal({1, 1}, {nan, 1, 2, 3}), "the score of patch 0 is not a number"));
  CHECK(contains(refusal({1, 1}, {0, 1, 2, nan}), "the score of patch 3 is not a number"));
}

TEST_CASE("counts that cannot be are refused with a sentence") {
  std::vector<float> const scores{0, 1, 2, 3};
  CHECK(contains(refusal({0, 3}, scores), "no visible patch"));
  CHECK(contains(refusal({-1, 3}, scores), "no visible patch"));
  CHECK(contains(refusal({3, 0}, scores), "no patch to predict, of an image that is not all"));
  CHECK(contains(refusal({4, -1}, scores), "no patch to predict"));
  CHECK(refusal({4, 0}, scores).empty());
  CHECK(contains(refusal({3, 2}, scores), "3 visible and 2 target patches, of 4"));
  CHECK(contains(refusal({std::numeric_limits<index_t>::max(), 1}, scores), "of 4"));
  CHECK(contains(refusal({1, std::numeric_limits<index_t>::max()}, scores), "of 4"));
  CHECK(contains(refusal({1, 1}, {0, 1, 2}), "3 scores for 4 patches"));
  CHECK(refusal({1, 3}, scores).empty());
}

TEST_CASE("a refusal names the image") {
  mae::mask_plan plan(3, 2);
  std::vector<float> const scores{0, 1};
  CHECK_THROWS_WITH_AS(
      plan.assign(2, {0, 1}, scores),
      "mask of image 2 of the batch: no visible patch: the encoder would see nothing",
      mae::config_error);
}

TEST_CASE("images of one plan may keep different numbers of patches") {
  mae::mask_plan plan(3, 4);
  std::vector<float> const scores{3, 2, 1, 0};
  plan.assign(2, {3, 1}, scores);
  plan.assign(0, {1, 2}, scores);
  plan.assign(1, {2, 2}, scores);
  CHECK(listed(plan.visible(0)) == positions{3});
  CHECK(listed(plan.visible(1)) == positions{2, 3});
  CHECK(listed(plan.visible(2)) == positions{1, 2, 3});
  CHECK(listed(plan.target(2)) == positions{0});
  CHECK(plan.total() == mask_counts{6, 5});
  CHECK(plan.total(1, 3) == mask_counts{5, 3});
  CHECK(plan.total(1, 1) == mask_counts{0, 0});
  std::vector<mae::index_t> offsets{7};
  plan.target_offsets(offsets);
  CHECK(offsets == std::vector<mae::index_t>{0, 2, 4, 5});
}

TEST_CASE("the plan of inference sees everything and predicts nothing") {
  auto const plan = mae::mask_plan::all_visible(2, 3);
  CHECK(plan.images() == 2);
  CHECK(listed(plan.visible(0)) == positions{0, 1, 2});
  CHECK(listed(plan.visible(1)) == positions{0, 1, 2});
  CHECK(plan.target(1).empty());
  CHECK(plan.total() == mask_counts{6, 0});
}

TEST_CASE("a resized plan forgets what it held") {
  auto plan = mae::mask_plan::all_visible(2, 3);
  plan.resize(1, 5);
  CHECK(plan.images() == 1);
  CHECK(plan.patches() == 5);
  CHECK(plan.total() == mask_counts{0, 0});
}
