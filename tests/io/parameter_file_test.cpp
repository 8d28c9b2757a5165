#include "safetensors_bytes.hpp"

#include <mae/core/error.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>

// What no type can hold is refused where values change their type, with the tensor's name.

namespace {

mae::parameter_layout one_tensor() {
  mae::parameter_layout layout;
  layout.add({.name = "norm.weight", .shape = {3}});
  return layout;
}

std::string refusal(auto const& action) {
  try {
    action();
  } catch (mae::error const& error) {
    return error.what();
  }
  return "";
}

/// What is refused where `value` is written as `stored`.
std::string refusal_of_write(float value, mae::dtype stored) {
  std::array<float, 3> const values{1, value, 2};
  mae::tensor_collector<float> tensors(stored);
  return refusal([&] { tensors.add(one_tensor(), std::span<float const>(values)); });
}

/// What is refused where a value of a file of type `type` is read into a model of T.
template <class T, class Stored>
std::string refusal_of_read(Stored value, char const* type) {
  std::array<Stored, 3> const values{Stored{}, value, Stored{}};
  std::string bytes(sizeof(values), '\0');
  std::memcpy(bytes.data(), values.data(), sizeof(values));
  auto const file = mae::safetensors_file::parse(
      "f",
      buffer_of(framed(R"({"norm.weight":{"dtype":")" + std::string(type) +
                           R"(","shape":[3],"data_offsets":[0,)" + std::to_string(sizeof(values)) +
                           "]}}",
                       bytes)));
  return refusal([&] { mae::read_tensors<T>(file, "f", one_tensor()); });
}

bool names(std::string const& message, std::string const& what) {
  return message.find("norm.weight") != std::string::npos &&
         message.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("a value that a short type would make infinite is not written") {
  CHECK(refusal_of_write(65504, mae::dtype::f16).empty());
  CHECK(refusal_of_write(-65519.99F, mae::dtype::f16).empty());  // rounds to the largest
  CHECK(names(refusal_of_write(65520, mae::dtype::f16), "65520"));
  CHECK(names(refusal_of_write(-1e30F, mae::dtype::f16), "--precision"));
  CHECK(refusal_of_write(-1e30F, mae::dtype::bf16).empty());
  CHECK(names(refusal_of_write(3.4e38F, mae::dtype::bf16), "3.3999"));
  CHECK(refusal_of_write(3.4e38F, mae::dtype::f32).empty());
}

TEST_CASE("a value that is not finite in the model is not read") {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(refusal_of_read<float>(3.4e38, "F64").empty());
  CHECK(names(refusal_of_read<float>(1e39, "F64"), "1e+39"));
  CHECK(refusal_of_read<double>(1e39, "F64").empty());
  CHECK(names(refusal_of_read<double>(-infinity, "F64"), "-inf"));
  CHECK(names(refusal_of_read<float>(std::numeric_limits<float>::quiet_NaN(), "F32"), "nan"));
  CHECK(names(refusal_of_read<double>(std::numeric_limits<float>::infinity(), "F32"), "inf"));
  CHECK(names(refusal_of_read<float>(std::uint16_t{0x7C00}, "F16"), "inf"));
  CHECK(refusal_of_read<float>(std::uint16_t{0x7BFF}, "F16").empty());
  CHECK(names(refusal_of_read<float>(std::uint16_t{0x7FC0}, "BF16"), "nan"));
  CHECK(refusal_of_read<float>(std::uint16_t{0x7F7F}, "BF16").empty());
}
