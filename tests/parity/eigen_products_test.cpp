#include "compare.hpp"
#include "eigen_products_run.hpp"
#include "eigen_run.hpp"

#include <doctest/doctest.h>

#include <cstddef>

// R3 and R4 with Eigen's products: every op, the whole model's gradients, ten training steps,
// evaluation and files.

TEST_CASE("R4: Eigen's products give what the tile kernel's do") {
  mae_test::check_equal(mae_test::run_on_eigen_products(), mae_test::run_on_eigen(), 1e-5);
}

TEST_CASE("R4: so they do in mixed precision, and R3: its losses are float's within 2%") {
  auto const mixed = mae_test::run_on_eigen_products_bf16();
  mae_test::check_equal(mixed, mae_test::run_on_eigen_bf16(), 1e-2);
  auto const& losses = mixed.values.at("ten losses");
  auto const exact = mae_test::run_on_eigen_products().values.at("ten losses");
  REQUIRE(losses.size() == exact.size());
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i] == doctest::Approx(exact[i]).epsilon(0.02));
    CHECK(losses[i] != exact[i]);  // bfloat16 was indeed multiplied
  }
}
