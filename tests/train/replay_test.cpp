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
mae_test::training_state train() {
  static mae_test::labelled_images const images(300);
  mae_test::three_heads<B> model(mae_test::three_heads_parts(B(1)));
  mae::trainer trainer(model, images, {.batch_size = 75, .accumulate = 2, .steps = 6, .lr = 1e-3});
  trainer.run();
  return mae_test::state_of(trainer);
}

}  // namespace

// Ragged masks: shards of other rows have recordings of their own.
TEST_CASE("recorded work, replayed with what its first run captured, leaves the same bits") {
  CHECK(train<replaying_backend<float>>() == train<mae::eigen_backend<float>>());
  CHECK(train<replaying_backend<mae::bfloat16>>() == train<mae::eigen_backend<mae::bfloat16>>());
}

TEST_CASE("a key that tells neither phases nor heads apart is seen") {
  CHECK_FALSE(train<replaying_backend<float, 2>>() == train<mae::eigen_backend<float>>());
}
