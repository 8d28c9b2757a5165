#pragma once

#include <mae/backend/tile/quantise.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/onnx_graph.hpp>
#include <mae/io/quantised_tensor.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

// int8 products in a graph of ONNX, as quantised_lane has them, floats between: whole numbers with
// a scale for each row of weights and each row of what they multiply. QuantizeLinear, of the pairs
// that are called QDQ, has no scale for each row of a batch of any size; MatMulInteger's factors
// may have any. Both factors are unsigned, of zero point 128: where processors lack VNNI, ONNX
// Runtime (1.32) saturates the sums of unsigned by signed, and takes three times as long for signed
// by signed.

namespace mae::detail {

/// What stands for 0.
inline constexpr int int8_zero_point = 128;

/// Names in the graph of x as whole numbers of 128 + [-127, 127], and of the scale of each of its
/// rows: a 127th of the row's greatest magnitude. A row of zeros has the least scale.
inline std::pair<std::string, std::string> int8_rows(onnx_graph& graph,
                                                     std::string const& x,
                                                     std::string const& name) {
  auto const scalar = [&](std::string const& what, float value) {
    return graph.add_weights({.name = what, .shape = {}, .own = {value}});
  };
  auto const magnitude = graph.add("Abs", {x}, name + ".magnitude");
  auto const most = graph.add("ReduceMax",
                              {magnitude},
                              name + ".most",
                              {onnx_attribute("axes", std::vector<std::int64_t>{-1}),
                               onnx_attribute("keepdims", std::int64_t{1})});
  auto const part =
      graph.add("Div", {most, scalar("int8.most", most_quantised)}, name + ".part_of_most");
  auto const scale =
      graph.add("Max",
                {part, scalar("int8.least_scale", std::numeric_limits<float>::min())},
                name + ".row_scale");
  auto const scaled = graph.add("Div", {x, scale}, name + ".scaled");
  auto const rounded = graph.add("Round", {scaled}, name + ".rounded");
  auto const raised =
      graph.add("Add", {rounded, scalar("int8.zero", int8_zero_point)}, name + ".raised");
  return {graph.add("Cast", {raised}, name + ".rows", {onnx_attribute("to", onnx_uint8)}), scale};
}

/// x W^T, of weights (out, in). Throws numeric_error for a weight that is not finite.
inline std::string int8_product(onnx_graph& graph,
                                std::string const& x,
                                std::string const& name,
                                std::span<float const> weights,
                                index_t out) {
  std::string const name_of_weights = name + ".weight";
  index_t const in = std::ssize(weights) / out;
  std::vector<std::uint8_t> integers(weights.size());
  std::vector<float> scales;
  for (index_t row = 0; row < out; ++row)
    scales.push_back(quantise_row(weights.data() + row * in,
                                  in,
                                  name_of_weights.c_str(),
                                  int8_zero_point,
                                  integers.data() + row * in));
  auto const rows_of_weights =
      graph.add_weights({.name = name_of_weights,
                         .shape = {in, out},
                         .integers = transposed(std::span<std::uint8_t const>(integers), in, out)});
  auto const weight_scale = graph.add_weights(
      {.name = scale_name(name_of_weights), .shape = {out}, .own = std::move(scales)});
  auto const zero =
      graph.add_weights({.name = "int8.zero_point", .shape = {}, .integers = {int8_zero_point}});
  auto const [rows, row_scale] = int8_rows(graph, x, name);
  auto const sums = graph.add("MatMulInteger", {rows, rows_of_weights, zero, zero}, name + ".sums");
  auto const floats =
      graph.add("Cast", {sums}, name + ".float_sums", {onnx_attribute("to", onnx_float)});
  auto const by_row = graph.add("Mul", {floats, row_scale}, name + ".by_row");
  return graph.add("Mul", {by_row, weight_scale}, name + ".product");
}

}  // namespace mae::detail
