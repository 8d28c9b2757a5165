#pragma once

#include <mae/backend/tile/quantise.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/quantised_tensor.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/network/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mae::detail {

/// Gathers tensors for a file whose layers' weights are int8, by the very integers and scales that
/// int8 products would read of them; all else stays in float.
class int8_collector {
 public:
  /// Throws numeric_error for a weight that is not finite.
  void add(tensor_spec const& tensor, std::span<float const> values) {
    if (!is_layer_weight(tensor)) return floats_.add(tensor, values);
    index_t const rows = tensor.shape.front();
    index_t const each = tensor.size() / rows;
    std::vector<std::int8_t> integers(static_cast<std::size_t>(tensor.size()));
    auto& scales = scales_.emplace_back();
    for (index_t row = 0; row < rows; ++row)
      scales.push_back(quantise_row(values.data() + tensor.offset + row * each,
                                    each,
                                    tensor.name.c_str(),
                                    0,
                                    integers.data() + row * each));
    auto& stored = integers_.emplace_back(integers);
    if (tensor.channels_last)
      reorder_channels(tensor.shape,
                       channel_order::first,
                       std::span<std::int8_t const>(integers),
                       std::span(stored));
    floats_.add({.name = scale_name(tensor.name),
                 .type = dtype::f32,
                 .shape = {rows},
                 .bytes = std::as_bytes(std::span(scales))});
    weights_.push_back({.name = tensor.name,
                        .type = dtype::i8,
                        .shape = file_shape(tensor),
                        .bytes = std::as_bytes(std::span(stored))});
  }

  /// Those of four bytes a value first, which so stay aligned.
  std::vector<tensor_entry> entries() const {
    std::vector<tensor_entry> all(floats_.entries().begin(), floats_.entries().end());
    all.insert(all.end(), weights_.begin(), weights_.end());
    return all;
  }

 private:
  tensor_collector<float> floats_;
  std::vector<tensor_entry> weights_;
  std::vector<std::vector<float>> scales_;
  std::vector<std::vector<std::int8_t>> integers_;
};

}  // namespace mae::detail
