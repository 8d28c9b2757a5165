#include "training_plan.hpp"

#include <mae/model/configs.hpp>

#include <doctest/doctest.h>

namespace {

TEST_CASE("a step's operations are those of its products, counted one by one") {
  // Patches of 8x8x3 = 192 values, 16 of them, 4 seen; encoder 1 x 48, decoder 1 x 24, hidden 4
  // times.
  auto const config = mae::configs::micro8;
  REQUIRE(config.num_patches() == 16);
  REQUIRE(config.encoder.width == 48);
  REQUIRE(config.decoder.width == 24);
  auto const product = [](double rows, double in, double out) { return 2 * rows * in * out; };
  auto const block = [&](double tokens, double width) {
    return product(tokens, width, 3 * width) + product(tokens, width, width) +
           product(tokens, width, 4 * width) + product(tokens, 4 * width, width) +
           2 * product(tokens, width, tokens);  // queries by keys, probabilities by values
  };
  double const embedding = product(4, 192, 48);
  double const rest = block(5, 48) + product(5, 48, 24) + block(17, 24) + product(12, 24, 192);
  CHECK(pretrain::training_flops(config, 4, 12) == doctest::Approx(2 * embedding + 3 * rest));
  double const half = block(5, 48) + product(5, 48, 24) + block(11, 24) + product(6, 24, 192);
  CHECK(pretrain::training_flops(config, 4, 6) == doctest::Approx(2 * embedding + 3 * half));
  double const all = half + product(4, 24, 192);
  CHECK(pretrain::training_flops(config, 4, 6, 4) == doctest::Approx(2 * embedding + 3 * all));
  double const unpainted = block(5, 48) + product(5, 48, 24);
  CHECK(pretrain::training_flops(config, 4, 0) == doctest::Approx(2 * embedding + 3 * unpainted));
  // Whole images with noise, which are painted.
  double const whole = block(17, 48) + product(17, 48, 24) + block(17, 24) + product(16, 24, 192);
  CHECK(pretrain::training_flops(config, 16, 0, 16) ==
        doctest::Approx(2 * product(16, 192, 48) + 3 * whole));
}

}  // namespace
