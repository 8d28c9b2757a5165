#include "compare.hpp"
#include "eigen_run.hpp"
#include "forked_child.hpp"
#include "thrust_run.hpp"

#include <mae/core/error.hpp>

#include <doctest/doctest.h>

#include <string>

// R4: every op, the whole model's gradients, ten training steps, evaluation and files.

TEST_CASE("Thrust's host systems compute what Eigen's backend does") {
  auto const expected = mae_test::run_on_eigen();
  SUBCASE("cpp") {
    mae_test::check_equal(mae_test::run_on_thrust_cpp(), expected, 1e-5);
  }
  SUBCASE("omp") {
    mae_test::check_equal(mae_test::run_on_thrust_omp(), expected, 1e-5);
  }
  SUBCASE("tbb") {
    mae_test::check_equal(mae_test::run_on_thrust_tbb(), expected, 1e-5);
  }
}

TEST_CASE("Thrust's host systems compute in mixed precision what Eigen's backend does") {
  mae_test::check_equal(mae_test::run_on_thrust_omp_bf16(), mae_test::run_on_eigen_bf16(), 1e-2);
}

TEST_CASE("a training on Thrust has the same bits in every run and on every host system") {
  auto const first = mae_test::run_on_thrust_omp();
  CHECK(first.parameters == mae_test::run_on_thrust_omp().parameters);
  CHECK(first.parameters == mae_test::run_on_thrust_cpp().parameters);
  CHECK(first.parameters == mae_test::run_on_thrust_tbb().parameters);
}

namespace {

/// Whether a forked child's run is refused, with the system's name.
bool refused_in_child(mae_test::backend_run (*run)(), std::string const& name) {
  return mae_test::holds_in_child([&] {
    try {
      run();
    } catch (mae::device_error const& error) {
      return std::string(error.what()).starts_with(name + ": this process was forked");
    }
    return false;
  });
}

}  // namespace

TEST_CASE("a forked child is refused by systems whose threads it does not have") {
  auto const expected = mae_test::run_on_thrust_omp();
  mae_test::run_on_thrust_tbb();
  CHECK(refused_in_child(mae_test::run_on_thrust_omp, "thrust-omp"));
  CHECK(refused_in_child(mae_test::run_on_thrust_tbb, "thrust-tbb"));
  CHECK(mae_test::holds_in_child(
      [&] { return mae_test::run_on_thrust_cpp().parameters == expected.parameters; }));
}
