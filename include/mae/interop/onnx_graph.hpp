#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/version.hpp>
#include <mae/interop/protobuf_message.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/file.hpp>
#include <mae/io/finite.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A graph of ONNX operators with its weights, and its file. The numbers of fields are those of
// onnx.proto (github.com/onnx/onnx, IR version 8).

namespace mae::detail {

/// The operators are those of this set: the first with LayerNormalization. ONNX Runtime runs it
/// since 1.12 (July 2022), which reads files up to IR version 8; later sets have a Gelu, and other
/// forms of ReduceMean and Split, that it does not know.
inline constexpr std::int64_t onnx_opset = 17;
inline constexpr std::int64_t onnx_ir_version = 8;

/// Types of values.
inline constexpr std::int64_t onnx_float = 1;
inline constexpr std::int64_t onnx_uint8 = 2;
inline constexpr std::int64_t onnx_int64 = 7;

/// No message of Protocol Buffers may be longer.
inline constexpr std::uint64_t longest_protobuf = 0x7FFF'FFFF;

/// Throws config_error for a file of ONNX's that nobody could read.
inline void require_protobuf_size(std::string const& path, std::uint64_t bytes) {
  if (bytes <= longest_protobuf) return;
  throw config_error(path + ": as ONNX the encoder takes " + std::to_string(bytes) +
                     " bytes, but such a file, a protobuf message, ends at " +
                     std::to_string(longest_protobuf) +
                     ": use safetensors (--to official, timm or huggingface) for a model so large");
}

/// An attribute of an operator.
inline protobuf_message onnx_attribute(std::string_view name, std::int64_t value) {
  constexpr std::int64_t is_int = 2;
  return protobuf_message().text(1, name).number(3, value).number(20, is_int);
}
inline protobuf_message onnx_attribute(std::string_view name, float value) {
  constexpr std::int64_t is_float = 1;
  return protobuf_message().text(1, name).real(2, value).number(20, is_float);
}
inline protobuf_message onnx_attribute(std::string_view name,
                                       std::vector<std::int64_t> const& values) {
  constexpr std::int64_t is_ints = 7;
  protobuf_message attribute;
  attribute.text(1, name);
  for (auto const value : values) attribute.number(8, value);
  attribute.number(20, is_ints);
  return attribute;
}

/// Weights of a graph.
struct onnx_weights {
  std::string name;
  std::vector<index_t> shape;               // as it is written
  std::span<float const> values = {};       // of another's memory, or
  std::vector<float> own = {};              // made for the graph
  bool is_transposed = false;               // the values are (shape[1], shape[0])
  std::vector<std::uint8_t> integers = {};  // in their place

  bool are_integers() const { return !integers.empty(); }
  std::span<float const> all() const { return own.empty() ? values : std::span<float const>(own); }
  std::span<std::byte const> bytes() const {
    return are_integers() ? std::as_bytes(std::span(integers)) : std::as_bytes(all());
  }
};

/// Values (rows, columns) of values (columns, rows).
template <class T>
std::vector<T> transposed(std::span<T const> values, index_t rows, index_t columns) {
  std::vector<T> turned(values.size());
  constexpr index_t tile = 32;
  for (index_t top = 0; top < rows; top += tile)
    for (index_t column = 0; column < columns; ++column)
      for (index_t row = top; row < std::min(top + tile, rows); ++row)
        turned[static_cast<std::size_t>(row * columns + column)] =
            values[static_cast<std::size_t>(column * rows + row)];
  return turned;
}

/// Operators in the order in which they run, each of which names its output, which others take as
/// an input. Weights are views, which must outlive the graph.
class onnx_graph {
 public:
  /// Adds an operator of one output, `name`, and returns that.
  std::string add(std::string_view op,
                  std::vector<std::string> const& inputs,
                  std::string const& name,
                  std::vector<protobuf_message> const& attributes = {}) {
    return add(op, inputs, std::vector{name}, attributes).front();
  }
  std::vector<std::string> add(std::string_view op,
                               std::vector<std::string> const& inputs,
                               std::vector<std::string> outputs,
                               std::vector<protobuf_message> const& attributes) {
    protobuf_message node;
    for (auto const& input : inputs) node.text(1, input);
    for (auto const& output : outputs) node.text(2, output);
    node.text(3, outputs.front()).text(4, op);
    for (auto const& attribute : attributes) node.message(5, attribute);
    graph_.message(1, node);
    return outputs;
  }

  /// Adds whole numbers that operators take as an input, once for each name.
  std::string add_numbers(std::string const& name, std::vector<std::int64_t> const& values) {
    if (!names_.insert(name).second) return name;
    protobuf_message tensor;
    tensor.number(1, std::ssize(values)).number(2, onnx_int64);
    for (auto const value : values) tensor.number(7, value);
    tensor.text(8, name);
    graph_.message(5, tensor);
    return name;
  }
  /// One of them, of no dimension.
  std::string add_number(std::string const& name, std::int64_t value) {
    if (!names_.insert(name).second) return name;
    graph_.message(5, protobuf_message().number(2, onnx_int64).number(7, value).text(8, name));
    return name;
  }
  std::string add_weights(onnx_weights weights) {
    std::string name = weights.name;
    if (names_.insert(name).second) weights_.push_back(std::move(weights));
    return name;
  }

  /// Says an input or an output of the whole graph: floats (n, extents...) of any number n.
  void add_input(std::string const& name,
                 std::vector<index_t> const& extents,
                 std::string const& what) {
    graph_.message(11, value(name, extents, what));
  }
  void add_output(std::string const& name,
                  std::vector<index_t> const& extents,
                  std::string const& what) {
    graph_.message(12, value(name, extents, what));
  }

  /// Writes the graph as a file of ONNX's: as a whole or not at all. Throws io_error; config_error
  /// for more than 2 GiB; numeric_error, which names the tensor, for a value that is not finite.
  void save(std::string const& path,
            std::string const& name,
            safetensors_metadata const& metadata) {
    graph_.text(2, name);
    std::uint64_t graph_bytes = graph_.bytes().size();
    std::vector<protobuf_message> heads;
    for (auto const& weights : weights_) {
      auto const bytes = weights.bytes().size();
      auto const head = head_of(weights, bytes);
      auto const length = head.bytes().size() + bytes;
      heads.emplace_back().begin_bytes(5, length).append(head);
      graph_bytes += heads.back().bytes().size() + bytes;
    }
    auto model = model_of(metadata);
    model.begin_bytes(7, graph_bytes).append(graph_);
    std::uint64_t total = model.bytes().size();
    total += graph_bytes - graph_.bytes().size();
    require_protobuf_size(path, total);
    for (auto const& weights : weights_)
      if (!weights.are_integers() && !all_finite(dtype::f32, weights.bytes()))
        throw numeric_error(path, weights.name);
    atomic_file file(path);
    file.write(std::as_bytes(std::span(model.bytes())));
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      file.write(std::as_bytes(std::span(heads[i].bytes())));
      write_values(file, weights_[i]);
    }
    file.commit();
  }

 private:
  static protobuf_message value(std::string const& name,
                                std::vector<index_t> const& extents,
                                std::string const& what) {
    protobuf_message shape;
    shape.message(1, protobuf_message().text(2, "n"));
    for (auto const extent : extents) shape.message(1, protobuf_message().number(1, extent));
    auto const tensor = protobuf_message().number(1, onnx_float).message(2, shape);
    return protobuf_message()
        .text(1, name)
        .message(2, protobuf_message().message(1, tensor))
        .text(3, what);
  }
  /// All of a tensor but its values.
  static protobuf_message head_of(onnx_weights const& weights, std::uint64_t bytes) {
    protobuf_message head;
    for (auto const extent : weights.shape) head.number(1, extent);
    head.number(2, weights.are_integers() ? onnx_uint8 : onnx_float)
        .text(8, weights.name)
        .begin_bytes(9, bytes);
    return head;
  }
  static protobuf_message model_of(safetensors_metadata const& metadata) {
    protobuf_message model;
    model.number(1, onnx_ir_version).text(2, "mae").text(3, MAE_VERSION);
    model.message(8, protobuf_message().text(1, "").number(2, onnx_opset));
    for (auto const& [key, entry] : metadata)
      model.message(14, protobuf_message().text(1, key).text(2, entry));
    return model;
  }
  static void write_values(atomic_file& file, onnx_weights const& weights) {
    if (!weights.is_transposed) return file.write(weights.bytes());
    auto const turned = transposed(weights.all(), weights.shape[0], weights.shape[1]);
    file.write(std::as_bytes(std::span(turned)));
  }

  protobuf_message graph_;
  std::vector<onnx_weights> weights_;
  std::set<std::string> names_;
};

}  // namespace mae::detail
