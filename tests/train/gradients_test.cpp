#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/weights.hpp>
#include <mae/objective/pixels.hpp>
#include <mae/train/batch_loader.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradient_memory.hpp>
#include <mae/train/gradients.hpp>
#include <mae/train/partial_gradients.hpp>
#include <mae/train/shard_schedule.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using mae_test::small_dataset;
using model_type = mae_test::small_model<mae::random_ratio_mask>;
using backend_type = model_type::backend_type;

constexpr mae::ratio_range ragged{.low = 0.3, .high = 0.9};

/// A ragged batch, and the sum of its gradients as one shard in one pass.
class reference {
 public:
  explicit reference(index_t images)
      : model_({.seed = 2, .mask = mae::random_ratio_mask(ragged)}),
        images_(mae_test::painted_images(images, 1)),
        loader_(images_,
                model_.mask(),
                model_.sizes(),
                model_.label_makers(),
                mae::channel_statistics(images_, model_.backend().threads()),
                {.seed = 3},
                model_.backend().threads()) {
    std::vector<mae::image_index> numbers(static_cast<std::size_t>(images));
    std::iota(numbers.begin(), numbers.end(), 0);
    loader_.load(numbers, {}, batch_);
    run_whole_batch();
  }

  model_type const& model() const { return model_; }
  mae::training_batch<float, 1> const& batch() const { return batch_; }
  double loss() const { return loss_; }
  std::vector<float> const& gradient() const { return gradient_; }

 private:
  void run_whole_batch() {
    mae::shard_rows shard;
    shard.assign(batch_.plan, 0, batch_.images());
    using network = model_type::network_type;
    network pass(model_.backend().make_lane(), model_.sizes(), mae::pass_kind::training);
    network::prepared_type prepared(mae::pass_kind::training);
    auto const& operands = prepared.update(model_.sizes(), model_.weights(), model_.backend());
    network::input_type const in{
        shard, batch_.patches_of(0, batch_.images()), batch_.labels_of(0, batch_.images())};
    pass.forward(operands, in, {.set = 1}, &loss_);
    gradient_.resize(static_cast<std::size_t>(model_.layout().size()));
    pass.backward(operands,
                  in,
                  {.set = 1},
                  mae::bind_network(model_.layout(), model_.sizes(), gradient_.data()));
  }

  model_type model_;
  small_dataset images_;
  mae::batch_loader<small_dataset,
                    model_type::mask_type,
                    model_type::parts_type,
                    decltype(std::declval<model_type const&>().label_makers()),
                    float>
      loader_;
  mae::training_batch<float, 1> batch_;
  double loss_ = 0;
  std::vector<float> gradient_;
};

mae::gradient_sum<model_type::network_type> make_sum(reference const& expected,
                                                     mae::shard_schedule const& schedule,
                                                     int threads,
                                                     mae::gradient_memory const& memory = {}) {
  auto const& model = expected.model();
  return {model.sizes(),
          model.layout(),
          model.weights(),
          schedule,
          model.mask().max_visible(model_type::num_patches),
          backend_type(threads),
          {0, schedule.sums},
          memory};
}

mae::alone here;

double norm_of(std::span<float const> values) {
  double squares = 0;
  for (float const value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares);
}

/// The distance of `values` from `factor` times `expected`, relative to the latter.
double relative_distance(std::span<float const> values,
                         std::span<float const> expected,
                         float factor = 1) {
  double squares = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    squares += std::pow(static_cast<double>(values[i]) - factor * expected[i], 2);
  return std::sqrt(squares) / (factor * norm_of(expected));
}

}  // namespace

TEST_CASE("the gradient of a batch in shards and partial sums is that of the batch in one piece") {
  reference const expected(37);
  for (index_t const shards : {37, 8, 1})
    for (index_t const sums : {1, 2, 3, 5, 8})
      for (int const threads : {1, 3, 9}) {
        mae::shard_schedule const schedule{.images = 37, .shards = shards, .sums = sums};
        if (sums > schedule.shards) continue;
        CAPTURE(shards);
        CAPTURE(sums);
        CAPTURE(threads);
        auto sum = make_sum(expected, schedule, threads);
        sum.clear();
        sum.add(expected.model().weights(), expected.batch());
        auto const [losses, squares] = sum.reduce(here);
        CHECK(losses[0] == doctest::Approx(expected.loss()).epsilon(1e-6));
        CHECK(relative_distance(sum.values(), expected.gradient()) < 2e-6);
        CHECK(std::sqrt(squares) == doctest::Approx(norm_of(sum.values())).epsilon(1e-12));
      }
}

TEST_CASE("sums go on from batch to batch until they are cleared") {
  reference const expected(20);
  auto sum = make_sum(expected, {.images = 20, .shards = 5, .sums = 3}, 2);
  for (int round = 0; round < 2; ++round) {
    sum.clear();
    sum.add(expected.model().weights(), expected.batch());
    sum.add(expected.model().weights(), expected.batch());
    sum.reduce(here);
    CHECK(relative_distance(sum.values(), expected.gradient(), 2) < 2e-6);
  }
}

TEST_CASE("more threads than partial sums share their memory and give the same bits") {
  reference const expected(24);
  mae::shard_schedule const schedule{.images = 24, .shards = 8, .sums = 2};
  auto alone = make_sum(expected, schedule, 1);
  alone.clear();
  alone.add(expected.model().weights(), expected.batch());
  alone.reduce(here);
  auto sum = make_sum(expected, schedule, 16);
  for (int round = 0; round < 50; ++round) {  // each time other threads take the two sums
    sum.clear();
    sum.add(expected.model().weights(), expected.batch());
    sum.reduce(here);
    REQUIRE(mae_test::bits_of(sum.values()) == mae_test::bits_of(alone.values()));
  }
}

TEST_CASE("partial sums that share memory give the bits of those that have their own") {
  reference const expected(37);
  auto const check = [&](mae::shard_schedule const& schedule) {
    auto apart = make_sum(expected, schedule, 1);
    apart.clear();
    apart.add(expected.model().weights(), expected.batch());
    auto const squares = apart.reduce(here).squared_norm;
    for (int const threads : {1, 2, 3, 4, 5, 6, 9}) {
      CAPTURE(schedule.shards);
      CAPTURE(schedule.sums);
      CAPTURE(threads);
      auto sum = make_sum(expected, schedule, threads, {.adds_once = true});
      for (int round = 0; round < 4; ++round) {
        sum.clear();
        sum.add(expected.model().weights(), expected.batch());
        REQUIRE(sum.reduce(here).squared_norm == squares);
        REQUIRE(mae_test::bits_of(sum.values()) == mae_test::bits_of(apart.values()));
      }
    }
  };
  for (index_t const sums : {1, 2, 3, 4, 5, 6, 7, 8, 13})
    check({.images = 37, .shards = mae::round_up(10, sums), .sums = sums});
  check({.images = 37, .shards = 3, .sums = 8});  // some have no shard
}

TEST_CASE("few threads need memory for fewer than all partial sums") {
  using partial = mae::partial_gradients<model_type::network_type>;
  CHECK(partial::memories_for(8, 1) == 4);
  CHECK(partial::memories_for(8, 2) == 4);
  CHECK(partial::memories_for(8, 3) == 5);
  CHECK(partial::memories_for(8, 4) == 5);
  CHECK(partial::memories_for(8, 5) == 5);
  CHECK(partial::memories_for(8, 6) == 6);
  CHECK(partial::memories_for(8, 8) == 8);
  CHECK(partial::memories_for(5, 2) == 3);
  CHECK(partial::memories_for(4, 1) == 3);
  CHECK(partial::memories_for(2, 1) == 2);
  CHECK(partial::memories_for(1, 1) == 1);
  CHECK(partial::memories_for(0, 1) == 0);
}

TEST_CASE("a second batch for partial sums that share memory is refused") {
  reference const expected(24);
  auto sum = make_sum(expected, {.images = 24, .shards = 8, .sums = 8}, 2, {.adds_once = true});
  for (int round = 0; round < 2; ++round) {
    sum.clear();
    sum.add(expected.model().weights(), expected.batch());
    CHECK_THROWS_AS(sum.add(expected.model().weights(), expected.batch()), mae::config_error);
    sum.reduce(here);
    CHECK(relative_distance(sum.values(), expected.gradient()) < 2e-6);
  }
}
