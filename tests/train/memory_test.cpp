#include "allocation_count.hpp"
#include "small_training.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/mask/random_ratio.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <cstdint>

namespace {

/// Trains for one step, then counts what those of eight epochs allocate, crops included.
template <class Operand, mae::MaskPolicy Mask>
void check_warm_steps(Mask const& mask, int threads) {
  using backend = mae::eigen_backend<Operand>;
  auto const images = mae_test::painted_images(240, 1);
  mae::autoencoder<mae_test::small_config, Mask, backend> model(
      {.seed = 5, .mask = mask, .backend = backend(threads)});
  mae::trainer trainer(
      model, images, {.batch_size = 60, .accumulate = 2, .epochs = 8, .lr = 1e-3, .clip = 1});
  trainer.step();
  std::int64_t const before = mae_test::allocation_count;
  CHECK(before > 0);  // the count works
  while (!trainer.is_done()) trainer.step();
  CHECK(mae_test::allocation_count == before);
}

}  // namespace

TEST_CASE_TEMPLATE("a warm step allocates nothing", Operand, float, mae::bfloat16) {
  check_warm_steps<Operand>(mae::uniform_mask<mae::ratio{3, 4}>{}, 1);
  check_warm_steps<Operand>(mae::uniform_mask<mae::ratio{3, 4}>{}, 3);
}

TEST_CASE_TEMPLATE("a warm step allocates nothing, however ragged its masks are",
                   Operand,
                   float,
                   mae::bfloat16) {
  check_warm_steps<Operand>(mae::random_ratio_mask({.low = 0.1, .high = 0.95}), 1);
  check_warm_steps<Operand>(mae::random_ratio_mask({.low = 0.1, .high = 0.95}), 3);
}
