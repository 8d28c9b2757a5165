#include "editable_file.hpp"
#include "mailbox.hpp"
#include "small_training.hpp"
#include "temporary_folder.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/io/checkpoint.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;
using mae_test::for_ranks;
using mae_test::mailbox_exchange;

/// What each rank has: numbers whose sum depends on its order.
std::vector<std::vector<float>> numbers_of_ranks(int ranks, std::size_t count) {
  std::vector<std::vector<float>> numbers;
  for (int rank = 0; rank < ranks; ++rank) {
    mae::random_stream random({.seed = 3, .index = static_cast<std::uint64_t>(rank)});
    auto& own = numbers.emplace_back();
    for (std::size_t i = 0; i < count; ++i)
      own.push_back(static_cast<float>(random.normal()) * (i % 3 == 0 ? 1e4F : 1.0F));
  }
  return numbers;
}

/// The sum of what all have, pair by pair, as partial sums are added.
std::vector<float> sum_of_tree(std::vector<std::vector<float>> numbers) {
  for (std::size_t step = 1; step < numbers.size(); step *= 2)
    for (std::size_t i = 0; i + step < numbers.size(); i += 2 * step)
      for (std::size_t k = 0; k < numbers[i].size(); ++k) numbers[i][k] += numbers[i + step][k];
  return numbers.front();
}

std::vector<float> sum_of_sequence(std::vector<std::vector<float>> const& numbers) {
  auto sum = numbers.front();
  for (std::size_t rank = 1; rank < numbers.size(); ++rank)
    for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += numbers[rank][k];
  return sum;
}

/// What a training leaves behind and said, its doubles as bits.
struct outcome {
  mae_test::training_state state;
  std::vector<std::uint64_t> said;
  index_t sums = 0;

  friend bool operator==(outcome const&, outcome const&) = default;
};

mae_test::small_dataset const& small_images() {
  static auto const images = mae_test::painted_images(200, 1);
  return images;
}

template <class Operand, class Mask, class E>
outcome train(Mask const& mask, mae::training_options const& options, E exchange) {
  mae::autoencoder<mae_test::small_config, Mask, mae::eigen_backend<Operand>> model(
      {.seed = 5, .mask = mask, .backend = mae::eigen_backend<Operand>(2)});
  mae::trainer trainer(model, small_images(), options, mae::adamw{}, exchange);
  outcome result;
  trainer.run({.on_step = [&](mae::step_report const& report) {
    for (double const value : {report.loss, report.baseline, report.gradient_norm})
      result.said.push_back(std::bit_cast<std::uint64_t>(value));
  }});
  result.state = mae_test::state_of(trainer);
  result.sums = trainer.shards().sums;
  return result;
}

template <class Operand, class Mask>
void check_ranks(Mask const& mask, mae::training_options const& options, index_t sums) {
  auto const expected = train<Operand>(mask, options, mae::alone{});
  REQUIRE(expected.sums == sums);
  for (int ranks = 1; ranks <= static_cast<int>(std::bit_ceil(static_cast<unsigned>(sums)));
       ranks *= 2) {
    CAPTURE(ranks);
    std::vector<outcome> found(static_cast<std::size_t>(ranks));
    for_ranks(ranks, [&](mailbox_exchange exchange) {
      found[static_cast<std::size_t>(exchange.rank())] = train<Operand>(mask, options, exchange);
    });
    for (auto const& one : found) CHECK(one == expected);
  }
}

mae::training_options options_of(index_t batch, index_t accumulate = 1) {
  return {.batch_size = batch, .accumulate = accumulate, .epochs = 1, .steps = 4, .lr = 1e-3};
}

/// Half of a training, saved.
template <class E>
void begin_training(mae::training_options const& options, E exchange, std::string const& file) {
  mae_test::small_model<> model({.seed = 5, .backend = mae::eigen_backend<float>(1)});
  mae::trainer trainer(model, small_images(), options, mae::adamw{}, exchange);
  trainer.step();
  trainer.step();
  mae::save_training(file, trainer);
}

/// The other half.
template <class E>
mae_test::training_state go_on(mae::training_options const& options,
                               E exchange,
                               std::string const& file) {
  mae_test::small_model<> model({.seed = 6, .backend = mae::eigen_backend<float>(1)});
  mae::trainer trainer(model, small_images(), options, mae::adamw{}, exchange);
  mae::load_training(file, trainer);
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

TEST_CASE("ranks add in the order of the sums' tree, whatever the length") {
  for (int const ranks : {1, 2, 4, 8})
    for (int const count : {0, 1, 2, 3, 7, 64, 1001}) {
      CAPTURE(ranks);
      CAPTURE(count);
      auto const numbers = numbers_of_ranks(ranks, static_cast<std::size_t>(count));
      auto const expected = mae_test::bits_of(sum_of_tree(numbers));
      for_ranks(ranks, [&](mailbox_exchange exchange) {
        auto own = numbers[static_cast<std::size_t>(exchange.rank())];
        std::vector<float> room;
        mae::sum_over_ranks(exchange, std::span(own), room);
        CHECK(mae_test::bits_of(own) == expected);
      });
    }
  auto const numbers = numbers_of_ranks(4, 1001);
  REQUIRE(sum_of_tree(numbers) != sum_of_sequence(numbers));  // an order is seen
}

TEST_CASE("partial sums are shared out as the tree is cut, and no other number of ranks is taken") {
  mae::shard_schedule const five{.images = 40, .shards = 10, .sums = 5};
  auto const range = [&](int rank, int ranks) {
    auto const own = mae::sums_of_rank(five, rank, ranks);
    return std::vector<index_t>{own.first, own.last};
  };
  CHECK(range(0, 1) == std::vector<index_t>{0, 5});
  CHECK(range(1, 2) == std::vector<index_t>{4, 5});
  CHECK(range(2, 4) == std::vector<index_t>{4, 5});
  CHECK(range(3, 4) == std::vector<index_t>{5, 5});
  CHECK(range(7, 8) == std::vector<index_t>{5, 5});
  for (int const ranks : {0, 3, 16})
    CHECK(refusal_of<mae::config_error>([&] { mae::sums_of_rank(five, 0, ranks); }) ==
          "a batch of 5 partial sums cannot be shared by " + std::to_string(ranks) +
              " processes: take a power of two, at most 8");
}

TEST_CASE("several processes leave the bits of one") {
  using quarter = mae::uniform_mask<mae::ratio{3, 4}>;
  SUBCASE("a fixed number of patches") {
    check_ranks<float>(quarter{}, options_of(200), 4);
  }
  SUBCASE("accumulated batches, mixed precision") {
    check_ranks<mae::bfloat16>(quarter{}, options_of(100, 2), 2);
  }
  SUBCASE("ragged masks, and ranks that share seven sums, of which one may have none") {
    check_ranks<float>(mae::random_ratio_mask({.low = 0.3, .high = 0.9}), options_of(147), 7);
  }
}

TEST_CASE("a partner's numbers that are lost are seen") {
  struct deaf_exchange : mailbox_exchange {
    void swap(int partner, std::span<std::byte const> sent, std::span<std::byte> received) {
      mailbox_exchange::swap(partner, sent, received);
      if (rank() == 1) std::ranges::fill(received, std::byte{});
    }
  };
  mae::uniform_mask<mae::ratio{3, 4}> const mask;
  auto const expected = train<float>(mask, options_of(100), mae::alone{});
  for_ranks(2, [&](mailbox_exchange exchange) {
    CHECK_FALSE(train<float>(mask, options_of(100), deaf_exchange{exchange}) == expected);
  });
}

TEST_CASE("what two processes began one goes on with, and the other way round") {
  mae::uniform_mask<mae::ratio{3, 4}> const mask;
  auto const expected = train<float>(mask, options_of(100), mae::alone{});
  mae_test::temporary_folder const folder;
  for_ranks(2, [&](mailbox_exchange exchange) {
    begin_training(options_of(100), exchange, folder.file("two" + std::to_string(exchange.rank())));
  });
  CHECK(go_on(options_of(100), mae::alone{}, folder.file("two0")) == expected.state);
  begin_training(options_of(100), mae::alone{}, folder.file("one"));
  for_ranks(2, [&](mailbox_exchange exchange) {
    CHECK(go_on(options_of(100), exchange, folder.file("one")) == expected.state);
  });
}
