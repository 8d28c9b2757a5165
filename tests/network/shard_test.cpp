#include <mae/core/config.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/shard.hpp>
#include <mae/op/tokens.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <span>
#include <vector>

namespace {

using mae::index_t;
using rows = std::vector<index_t>;

constexpr index_t shared = mae::token_sources::shared_token;

rows listed(std::span<index_t const> view) {
  return {view.begin(), view.end()};
}

/// Three images of five patches:
///   image 0 sees 1, 3; predicts 0, 4; 2 is absent
///   image 1 sees 4; predicts 0, 1, 2, 3
///   image 2 sees 0, 1, 2; predicts 3; 4 is absent
mae::mask_plan ragged_plan() {
  mae::mask_plan plan(3, 5);
  plan.assign(0, {2, 2}, std::vector<float>{0.3F, 0.1F, 0.9F, 0.2F, 0.4F});
  plan.assign(1, {1, 4}, std::vector<float>{0.2F, 0.3F, 0.4F, 0.5F, 0.1F});
  plan.assign(2, {3, 1}, std::vector<float>{0.3F, 0.1F, 0.2F, 0.4F, 0.9F});
  return plan;
}

}  // namespace

TEST_CASE("a shard packs the rows of ragged images, absent patches left out") {
  mae::shard_rows shard;
  shard.assign(ragged_plan(), 0, 3);
  CHECK(shard.images() == 3);
  CHECK(shard.num_visible() == 6);
  CHECK(shard.num_targets() == 7);
  CHECK(listed(shard.visible_patches()) == rows{1, 3, 9, 10, 11, 12});
  CHECK(listed(shard.target_patches()) == rows{0, 4, 5, 6, 7, 8, 13});

  CHECK(shard.encoder_rows() == 9);
  CHECK(listed(shard.encoder_offsets().values()) == rows{0, 3, 5, 9});
  CHECK(listed(shard.encoder_tokens().source) == rows{shared, 0, 1, shared, 2, shared, 3, 4, 5});
  CHECK(listed(shard.encoder_tokens().position) == rows{0, 2, 4, 0, 5, 0, 1, 2, 3});

  CHECK(shard.decoder_rows() == 16);
  CHECK(listed(shard.decoder_offsets().values()) == rows{0, 5, 11, 16});
  CHECK(listed(shard.decoder_tokens().source) ==
        rows{0, shared, 1, 2, shared, 3, shared, shared, shared, shared, 4, 5, 6, 7, 8, shared});
  CHECK(listed(shard.decoder_tokens().position) ==
        rows{0, 1, 2, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4});
  CHECK(listed(shard.target_rows()) == rows{1, 4, 6, 7, 8, 9, 15});
  CHECK(shard.encoder_offsets().longest() == 4);
  CHECK(shard.decoder_offsets().longest() == 6);
}

TEST_CASE("a shard counts its rows and patches from its own first image") {
  mae::shard_rows shard;
  shard.assign(ragged_plan(), 0, 3);
  shard.assign(ragged_plan(), 1, 2);
  CHECK(shard.images() == 1);
  CHECK(listed(shard.visible_patches()) == rows{4});
  CHECK(listed(shard.target_patches()) == rows{0, 1, 2, 3});
  CHECK(listed(shard.encoder_offsets().values()) == rows{0, 2});
  CHECK(listed(shard.decoder_tokens().source) == rows{0, shared, shared, shared, shared, 1});
  CHECK(listed(shard.target_rows()) == rows{1, 2, 3, 4});
  CHECK(shard.encoder_offsets().longest() == 2);
}

TEST_CASE("for a whole picture every present patch is predicted, the sequences stay the same") {
  mae::shard_rows targets;
  mae::shard_rows present;
  targets.assign(ragged_plan(), 0, 3);
  present.assign(ragged_plan(), 0, 3, mae::predicted_patches::all_present);
  CHECK(listed(present.target_patches()) == rows{0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13});
  CHECK(listed(present.target_rows()) == rows{1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15});
  CHECK(listed(present.decoder_tokens().source) == listed(targets.decoder_tokens().source));
  CHECK(listed(present.decoder_offsets().values()) == listed(targets.decoder_offsets().values()));
}

TEST_CASE("of an unmasked image all is seen and nothing predicted") {
  mae::shard_rows shard;
  shard.assign(mae::mask_plan::all_visible(2, 3), 0, 2);
  CHECK(listed(shard.visible_patches()) == rows{0, 1, 2, 3, 4, 5});
  CHECK(shard.num_targets() == 0);
  CHECK(listed(shard.encoder_offsets().values()) == rows{0, 4, 8});
  CHECK(listed(shard.encoder_tokens().position) == rows{0, 1, 2, 3, 0, 1, 2, 3});
}

TEST_CASE("mask tokens are told the levels of their own image, also behind one without targets") {
  mae::shard_rows shard;
  auto plan = ragged_plan();
  mae::random_stream random{mae::stream_key{}};
  plan.keep_targets(1, 0, random);
  shard.assign(plan, 0, 3);
  rows levels(15);
  for (std::size_t i = 0; i < levels.size(); ++i)
    levels[i] = static_cast<index_t>(i / 5 * 10 + i % 5);
  shard.tell_levels(levels, mae::told_tokens::both);
  constexpr index_t none = mae::token_sources::no_level;
  CHECK(listed(shard.encoder_tokens().level) == rows{none, 1, 3, none, 14, none, 20, 21, 22});
  CHECK(listed(shard.decoder_tokens().level) ==
        rows{none, 0, none, none, 4, none, none, none, none, 23});
}

TEST_CASE("an empty shard has no rows") {
  mae::shard_rows const shard;
  CHECK(shard.images() == 0);
  CHECK(shard.encoder_rows() == 0);
  CHECK(shard.decoder_rows() == 0);
  CHECK(shard.decoder_offsets().longest() == 0);
}

TEST_CASE("a workspace's room is that of a shard, or a bound for all shards of a policy") {
  constexpr mae::model_config config{.image = {.height = 5, .width = 10, .channels = 1},
                                     .patch = {.height = 5, .width = 2},
                                     .encoder = {},
                                     .decoder = {}};
  static_assert(config.num_patches() == 5);
  mae::shard_rows shard;
  shard.assign(ragged_plan(), 0, 3);
  auto const exact = mae::shard_capacity::of(shard);
  CHECK(exact == mae::shard_capacity{.images = 3,
                                     .visible = 6,
                                     .targets = 7,
                                     .encoder_rows = 9,
                                     .decoder_rows = 16,
                                     .longest_encoder_sequence = 4,
                                     .longest_decoder_sequence = 6});
  auto const bound = mae::shard_capacity::bound(config, 3, 3);
  CHECK(bound == mae::shard_capacity{.images = 3,
                                     .visible = 9,
                                     .targets = 12,
                                     .encoder_rows = 12,
                                     .decoder_rows = 18,
                                     .longest_encoder_sequence = 4,
                                     .longest_decoder_sequence = 6});
  CHECK(bound.covers(exact));
  CHECK(exact.covers(exact));
  CHECK_FALSE(exact.covers(bound));

  constexpr auto all = mae::predicted_patches::all_present;
  shard.assign(mae::mask_plan::all_visible(2, 5), 0, 2, all);
  auto const whole = mae::shard_capacity::of(shard);
  CHECK_FALSE(mae::shard_capacity::bound(config, 2, 5).covers(whole));
  CHECK(mae::shard_capacity::bound(config, 2, 5, all).covers(whole));
}

TEST_CASE("room for either of two shards covers both, though neither covers the other") {
  mae::shard_rows shard;
  shard.assign(ragged_plan(), 1, 2);
  auto const many_targets = mae::shard_capacity::of(shard);
  shard.assign(ragged_plan(), 2, 3);
  auto const many_visible = mae::shard_capacity::of(shard);
  CHECK_FALSE(many_targets.covers(many_visible));
  CHECK_FALSE(many_visible.covers(many_targets));
  auto const either = many_targets.larger(many_visible);
  CHECK(either.covers(many_targets));
  CHECK(either.covers(many_visible));
  CHECK(either == many_visible.larger(many_targets));
}
