#define DOCTEST_CONFIG_IMPLEMENT
#include "compare.hpp"
#include "cuda_run.hpp"
#include "eigen_run.hpp"

#include <doctest/doctest.h>

#include <iostream>

// R4: every op, the whole model's gradients, ten training steps, evaluation and files.

TEST_CASE("a GPU computes what Eigen's backend does") {
  mae_test::check_equal(mae_test::run_on_cuda(), mae_test::run_on_eigen(), 1e-5);
}

TEST_CASE("TensorFloat-32 has 10 bits of precision") {
  mae_test::check_equal(mae_test::run_on_cuda_tf32(), mae_test::run_on_eigen(), 1e-2);
}

TEST_CASE("a GPU computes in mixed precision what Eigen's backend does") {
  mae_test::check_equal(mae_test::run_on_cuda_bf16(), mae_test::run_on_eigen_bf16(), 1e-2);
}

TEST_CASE("a training on a GPU has the same bits in every run") {
  auto const first = mae_test::run_on_cuda();
  CHECK(first.parameters == mae_test::run_on_cuda().parameters);
  auto const mixed = mae_test::run_on_cuda_bf16();
  CHECK(mixed.parameters == mae_test::run_on_cuda_bf16().parameters);
}

int main(int argc, char** argv) {
  if (auto const why = mae_test::why_no_gpu(); !why.empty()) {
    std::cout << "skipped: no GPU to test with: " << why << '\n';
    return 77;
  }
  return doctest::Context(argc, argv).run();
}
