#include <mae/backend/block.hpp>
#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/clock.hpp>
#include <mae/data/synthetic.hpp>
#include <mae/mask/uniform.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/configs.hpp>
#include <mae/train/gradients.hpp>
#include <mae/train/options.hpp>
#include <mae/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

// What it costs to find a step that is not finite: requirement R14.

namespace {

/// The shortest of five times, in seconds: what other programs do lengthens a time.
template <class Work>
double shortest(Work const& work) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    double const start = mae::monotonic_seconds();
    work();
    best = std::min(best, mae::monotonic_seconds() - start);
  }
  return best;
}

}  // namespace

// The norm of the gradient tells whether all of it is finite. A training sums its squares while it
// sums the gradient, whose values are at hand then; here they are summed alone, on one thread,
// which takes longer than what they add to a step.
TEST_CASE("finding a step that is not finite costs less than 1% of the step") {
  using backend = mae::eigen_backend<float>;
  constexpr auto config = mae::configs::tiny4;
  mae::synthetic_dataset const images(256, 3, config.image);
  mae::autoencoder<config, mae::uniform_mask<mae::ratio{3, 4}>, backend> model(
      {.seed = 5, .backend = backend(1)});
  mae::trainer trainer(model, images, {.batch_size = 64, .epochs = 10, .lr = 1e-4});
  trainer.step();
  double const step = shortest([&] { trainer.step(); });

  std::vector<float> const gradient(static_cast<std::size_t>(model.layout().size()), 1e-3F);
  double norm = 0;
  double const finding = shortest([&] {
    norm += mae::serial_block{}.sum<double>(model.layout().size(),
                                            mae::kernel::square_element<float>{gradient.data()});
    CHECK(std::isfinite(norm));
  });
  MESSAGE("a step takes ", 1e3 * step, " ms, finding ", 1e3 * finding, " ms");
  CHECK(finding <= step / 100);
}
