#pragma once

#include "padded_matrix.hpp"

#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace mae_test {

/// One of the files that tests/reference/make_fixtures.py made with PyTorch.
class fixture {
 public:
  explicit fixture(std::string const& name)
      : file_(mae::safetensors_file::load(std::string(MAE_TESTS_DIR) + "/reference/fixtures/" +
                                          name + ".safetensors")) {}

  /// A tensor (rows, cols), or (cols) as one row.
  padded_matrix<float> matrix(std::string const& name) const {
    auto const& tensor = find(name, mae::dtype::f32);
    REQUIRE(tensor.shape.size() <= 2);
    index_t const rows = tensor.shape.size() == 2 ? tensor.shape.front() : 1;
    padded_matrix<float> values(rows, tensor.shape.back());
    auto const* source = tensor.bytes.data();
    for (index_t row = 0; row < rows; ++row) {
      auto const target = values.view().row(row);
      std::memcpy(target.data(), source, target.size_bytes());
      source += target.size_bytes();
    }
    return values;
  }

  std::vector<index_t> indices(std::string const& name) const {
    auto const& tensor = find(name, mae::dtype::i32);
    std::vector<std::int32_t> stored(tensor.bytes.size() / sizeof(std::int32_t));
    std::memcpy(stored.data(), tensor.bytes.data(), tensor.bytes.size());
    return {stored.begin(), stored.end()};
  }

  std::string metadata(std::string const& key) const { return file_.metadata().at(key); }

 private:
  mae::tensor_entry const& find(std::string const& name, mae::dtype type) const {
    auto const* const tensor = file_.find(name);
    CAPTURE(name);
    REQUIRE(tensor != nullptr);
    REQUIRE(tensor->type == type);
    return *tensor;
  }

  mae::safetensors_file file_;
};

/// What parity with PyTorch means in float: R2.
inline constexpr double output_tolerance = 1e-5;
inline constexpr double gradient_absolute_tolerance = 1e-5;
inline constexpr double gradient_relative_tolerance = 1e-4;

inline void check_output(padded_matrix<float> const& actual, padded_matrix<float> const& expected) {
  CHECK(largest_difference(actual, expected) <= output_tolerance);
  CHECK(actual.gaps_are_intact());
}

/// Element by element: 1e-5 and 1e-4 of the element.
inline void check_gradient_parity(padded_matrix<float> const& actual,
                                  padded_matrix<float> const& expected) {
  auto const view = expected.view();
  REQUIRE(actual.view().rows == view.rows);
  REQUIRE(actual.view().cols == view.cols);
  for (index_t row = 0; row < view.rows; ++row)
    for (index_t col = 0; col < view.cols; ++col) {
      double const exact = view(row, col);
      REQUIRE(std::abs(actual(row, col) - exact) <=
              gradient_absolute_tolerance + gradient_relative_tolerance * std::abs(exact));
    }
  CHECK(actual.gaps_are_intact());
}

}  // namespace mae_test
