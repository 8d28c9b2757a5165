#include "labelled_images.hpp"
#include "replaying_lane.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/core/types.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

namespace {

using mae_test::replaying_backend;

template <class B>
mae_test::training_state train(int threads = 1, mae::index_t accumulate = 2) {
  static mae_test::labelled_images const images(300);
  mae_test::three_heads<B> model(mae_test::three_heads_parts(B(threads)));
  mae::trainer trainer(
      model,
      images,
      {.batch_size = 150 / accumulate, .accumulate = accumulate, .steps = 6, .lr = 1e-3});
  CHECK(trainer.shards().sums > 3);
  trainer.run();
  return mae_test::state_of(trainer);
}

/// Takes the last first, one at a time, each as another worker's.
class backward_backend : public mae::eigen_backend<float> {
 public:
  using eigen_backend::eigen_backend;

  template <class Body>
  void for_each(mae::index_t count, Body&& body) const {
    for (mae::index_t i = count; i-- > 0;) body(i, static_cast<int>(i) % num_workers());
  }
};
static_assert(mae::Backend<backward_backend>);

}  // namespace

// Ragged masks: shards of other rows have recordings of their own.
TEST_CASE("recorded work, replayed with what its first run captured, leaves the same bits") {
  CHECK(train<replaying_backend<float>>() == train<mae::eigen_backend<float>>());
  CHECK(train<replaying_backend<mae::bfloat16>>() == train<mae::eigen_backend<mae::bfloat16>>());
}

TEST_CASE("a key that tells neither phases nor heads apart is seen") {
  CHECK_FALSE(train<replaying_backend<float, 2>>() == train<mae::eigen_backend<float>>());
}

TEST_CASE("work of several threads, recorded, adds to the partial sums that share memory") {
  auto const expected = train<mae::eigen_backend<float>>(1, 1);
  for (int const threads : {1, 2, 3})
    CHECK(train<replaying_backend<float>>(threads, 1) == expected);
}

TEST_CASE("a backend may take shards in any order") {
  auto const expected = train<mae::eigen_backend<float>>(1, 1);
  for (int const threads : {1, 2, 3}) CHECK(train<backward_backend>(threads, 1) == expected);
}
