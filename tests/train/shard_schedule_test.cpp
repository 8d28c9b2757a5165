#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/train/shard_schedule.hpp>

#include <doctest/doctest.h>

namespace {

using mae::index_t;

constexpr mae::shard_limits limits{.rows = 256};
static_assert(limits.images_of(65) == 4);
static_assert(limits.images_of(64) == 4);
static_assert(limits.images_of(256) == 1);
static_assert(limits.images_of(1000) == 1);
static_assert(limits.images_of(2) == 128);

}  // namespace

TEST_CASE("shards have about 256 rows of the encoder, and at most the batch's images") {
  static_assert(mae::schedule_shards(256, 17, 1, {}) ==
                mae::shard_schedule{.images = 256, .shards = 16, .sums = 8});
  static_assert(mae::schedule_shards(5, 17, 1, {}) ==
                mae::shard_schedule{.images = 5, .shards = 1, .sums = 1});
  static_assert(mae::schedule_shards(3, 1000, 1, {}) ==
                mae::shard_schedule{.images = 3, .shards = 3, .sums = 3});
}

TEST_CASE("gradients take at most 1 GiB, but for the one sum that is needed") {
  constexpr index_t gib = index_t{1} << 30;
  CHECK(mae::schedule_shards(256, 17, gib / 8, {}).sums == 8);
  CHECK(mae::schedule_shards(256, 17, gib / 8 + 1, {}).sums == 7);
  CHECK(mae::schedule_shards(256, 17, gib / 2, {}).sums == 2);
  CHECK(mae::schedule_shards(256, 17, gib, {}).sums == 1);
  CHECK(mae::schedule_shards(256, 17, 3 * gib, {}).sums == 1);
}

TEST_CASE("no sum has more images than another, but for one that is left over") {
  constexpr index_t half_gib = index_t{1} << 29;
  static_assert(mae::schedule_shards(64, 50, half_gib, {}) ==
                mae::shard_schedule{.images = 64, .shards = 12, .sums = 2});
  static_assert(mae::schedule_shards(8, 50, half_gib, {}) ==
                mae::shard_schedule{.images = 8, .shards = 2, .sums = 2});
  for (index_t const images : {7, 64, 129, 250, 1000})
    for (index_t const tokens : {5, 17, 50, 65}) {
      CAPTURE(images);
      CAPTURE(tokens);
      auto const schedule = mae::schedule_shards(images, tokens, 1, {});
      for (index_t sum = 0; sum < schedule.sums; ++sum) {
        index_t const mine = schedule.first_image(schedule.first_shard(sum + 1)) -
                             schedule.first_image(schedule.first_shard(sum));
        CHECK(mine >= images / schedule.sums);
        CHECK(mine <= images / schedule.sums + 1);
        CHECK(schedule.per_shard() <= limits.images_of(tokens));
      }
    }
}

TEST_CASE("every sum has shards, and every image is in one shard of one sum") {
  for (index_t const images : {1, 7, 16, 17, 129, 160, 250, 1000})
    for (index_t const tokens : {5, 17, 65, 300}) {
      CAPTURE(images);
      CAPTURE(tokens);
      auto const schedule = mae::schedule_shards(images, tokens, 1, {});
      index_t next_image = 0;
      CHECK(schedule.first_shard(0) == 0);
      CHECK(schedule.first_shard(schedule.sums) == schedule.shards);
      for (index_t sum = 0; sum < schedule.sums; ++sum) {
        CHECK(schedule.first_shard(sum + 1) > schedule.first_shard(sum));
        for (index_t i = schedule.first_shard(sum); i < schedule.first_shard(sum + 1); ++i) {
          CHECK(schedule.first_image(i) == next_image);
          next_image = schedule.first_image(i + 1);
          CHECK(next_image > schedule.first_image(i));
        }
      }
      CHECK(next_image == images);
    }
}
