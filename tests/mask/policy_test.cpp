#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <doctest/doctest.h>

#include <span>
#include <vector>

namespace {

using mae::index_t;

/// A user's policy: shows every second patch of the grid, column by column, and predicts the rest.
struct every_second_column {
  index_t max_visible(index_t patches) const { return patches; }
  mae::mask_counts counts(mae::mask_context const& image, mae::random_stream&) const {
    index_t const visible = image.grid_rows * ((image.grid_columns + 1) / 2);
    return {visible, image.patches.rows - visible};
  }
  void score(mae::mask_context const& image, mae::random_stream&, std::span<float> scores) const {
    for (std::size_t i = 0; i < scores.size(); ++i)
      scores[i] = static_cast<float>(static_cast<index_t>(i) % image.grid_columns % 2);
  }
};
static_assert(mae::MaskPolicy<every_second_column>);

struct without_score {
  index_t max_visible(index_t patches) const { return patches; }
  mae::mask_counts counts(mae::mask_context const&, mae::random_stream&) const { return {1, 1}; }
};
static_assert(!mae::MaskPolicy<without_score>);

struct counting_in_doubles : every_second_column {
  double max_visible(index_t) const { return 1.0; }
};
static_assert(!mae::MaskPolicy<counting_in_doubles>);

}  // namespace

TEST_CASE("a user's policy of a few lines plans an image") {
  std::vector<float> const pixels(8);
  mae::mask_context const image{
      .patches = {pixels.data(), 8, 1}, .channels = 1, .grid_rows = 2, .grid_columns = 4};
  mae::mask_plan plan(1, 8);
  mae::random_stream random({});
  std::vector<float> scores(8);
  mae::plan_image(plan, 0, every_second_column{}, image, random, scores);
  std::vector<mae::patch_index> const expected{0, 2, 4, 6};
  CHECK(std::vector<mae::patch_index>(plan.visible(0).begin(), plan.visible(0).end()) == expected);
  CHECK(plan.counts(0) == mae::mask_counts{4, 4});
}

TEST_CASE("visible patches are counted as the official code counts them") {
  CHECK(mae::visible_count(196, 0.75) == 49);
  CHECK(mae::visible_count(64, 0.6) == 25);
  CHECK(mae::visible_count(100, 0.9) == 9);  // 100 * (1 - 0.9) is 9.999... in double
}

TEST_CASE("noise is drawn one number a patch, in order") {
  mae::random_stream one({.seed = 5, .use = mae::purpose::mask});
  mae::random_stream other({.seed = 5, .use = mae::purpose::mask});
  std::vector<float> scores(7);
  mae::score_noise(one, scores);
  for (float const score : scores) CHECK(score == other.uniform());
}

TEST_CASE("settings come from the policy, or say that it has none") {
  CHECK(mae::settings_of("mask", every_second_column{}) == mae::settings_list{{"mask", "custom"}});
}

TEST_CASE("a number's text is the shortest that reads back as the same number") {
  CHECK(mae::decimal_text(0.75) == "0.75");
  CHECK(mae::decimal_text(0.1) == "0.1");
  CHECK(mae::decimal_text(-5.404480512345678) == "-5.404480512345678");
}
