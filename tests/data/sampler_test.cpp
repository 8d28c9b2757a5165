#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/data/sampler.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

namespace {

using mae::image_index;

std::vector<image_index> epoch_order(mae::epoch_sampler& sampler, std::uint32_t epoch) {
  std::vector<image_index> order;
  for (mae::index_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    auto const batch = sampler.indices(epoch, step);
    CHECK(batch.size() == static_cast<std::size_t>(sampler.batch_size()));
    order.insert(order.end(), batch.begin(), batch.end());
  }
  return order;
}

}  // namespace

TEST_CASE("an epoch shows each image at most once, in whole batches") {
  mae::epoch_sampler sampler(103, 10, 1);
  CHECK(sampler.steps_per_epoch() == 10);
  auto const order = epoch_order(sampler, 0);
  std::set<image_index> const seen(order.begin(), order.end());
  CHECK(seen.size() == 100);
  CHECK(*seen.begin() >= 0);
  CHECK(*seen.rbegin() < 103);
}

TEST_CASE("the order depends on seed and epoch alone") {
  mae::epoch_sampler sampler(96, 8, 1);
  auto const first = epoch_order(sampler, 0);
  auto const second = epoch_order(sampler, 1);
  CHECK(first != second);
  CHECK(epoch_order(sampler, 0) == first);

  mae::epoch_sampler resumed(96, 8, 1);  // in the middle of an epoch
  auto const batch = resumed.indices(1, 5);
  CHECK(std::equal(batch.begin(), batch.end(), second.begin() + 40));

  mae::epoch_sampler other_batch(96, 16, 1);
  CHECK(epoch_order(other_batch, 0) == first);
  mae::epoch_sampler other_seed(96, 8, 2);
  CHECK(epoch_order(other_seed, 0) != first);
}

TEST_CASE("every permutation is equally likely") {
  constexpr int draws = 24'000;
  std::array<int, 24> counts{};
  for (std::uint64_t i = 0; i < draws; ++i) {
    mae::random_stream random({.seed = 5, .use = mae::purpose::shuffle, .index = i});
    std::array<int, 4> items{0, 1, 2, 3};
    mae::shuffle(std::span<int>(items), random);
    std::size_t rank = 0;
    while (std::next_permutation(items.begin(), items.end())) ++rank;
    ++counts[rank];
  }
  // A binomial count of mean 1000 has a deviation of 31.
  for (int const count : counts) CHECK(std::abs(count - 1000) < 5 * 31);
}

TEST_CASE("impossible batches are refused") {
  CHECK_THROWS_WITH_AS(mae::epoch_sampler(10, 11, 0),
                       "a batch of 11 images is larger than the dataset, which has 10",
                       mae::config_error);
  CHECK_THROWS_AS(mae::epoch_sampler(10, 0, 0), mae::config_error);
  CHECK_THROWS_AS(mae::epoch_sampler(10, -3, 0), mae::config_error);
  CHECK_THROWS_AS(mae::epoch_sampler(mae::index_t{1} << 31, 8, 0), mae::config_error);
  CHECK(mae::epoch_sampler(10, 10, 0).steps_per_epoch() == 1);
}
