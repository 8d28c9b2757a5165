#pragma once

#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors_header.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

// Weights of a layer as int8: NAME.weight is I8 of [-127, 127], NAME.weight_scale F32, a number for
// each row; a weight is their product.

namespace mae {

/// The name of the scales of a tensor.
inline std::string scale_name(std::string const& weight) {
  return weight + "_scale";
}

/// Whether a tensor of this name is the scales of an I8 tensor; find(name) is a file's.
template <class Find>
bool is_scale(std::string_view name, Find const& find) {
  std::string_view const end = "_scale";
  if (!name.ends_with(end)) return false;
  tensor_entry const* const weight = find(name.substr(0, name.size() - end.size()));
  return weight != nullptr && weight->type == dtype::i8;
}

/// Throws format_error unless `scales` is there (not nullptr) and is F32, a positive finite number
/// for each of the rows of the I8 tensor `name`.
inline void require_scales(tensor_entry const* scales,
                           std::string const& path,
                           std::string const& name,
                           index_t rows) {
  auto const refuse = [&](std::string const& why) {
    throw format_error(path, 8, "tensor " + scale_name(name) + " " + why);
  };
  std::string const wanted = "F32 [" + std::to_string(rows) + "], a scale for each row of " + name;
  if (scales == nullptr) refuse("is missing: it is to be " + wanted);
  if (scales->type != dtype::f32 || scales->shape != std::vector{rows})
    refuse("is to be " + wanted);
  for (index_t row = 0; row < rows; ++row) {
    float scale = 0;
    std::memcpy(&scale, scales->bytes.data() + row * index_t{sizeof(scale)}, sizeof(scale));
    if (!(scale > 0) || !std::isfinite(scale))
      refuse("holds " + decimal_text(scale) + ", and a scale is positive and finite");
  }
}

/// The weights of a tensor and its scales, which were required. Throws format_error for an integer
/// that is not symmetric, and for a weight that is not finite.
inline std::vector<float> dequantised(std::string const& path,
                                      tensor_entry const& entry,
                                      tensor_entry const& scales) {
  auto const rows = scales.bytes.size() / sizeof(float);
  std::size_t const each = rows == 0 ? 0 : entry.bytes.size() / rows;
  std::vector<float> weights(entry.bytes.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    float scale = 0;
    std::memcpy(&scale, scales.bytes.data() + i / each * sizeof(scale), sizeof(scale));
    auto const value = static_cast<std::int8_t>(entry.bytes[i]);
    weights[i] = static_cast<float>(value) * scale;
    if (value == -128 || !std::isfinite(weights[i]))
      throw format_error(path,
                         8,
                         "tensor " + entry.name + " holds " + std::to_string(value) + " of scale " +
                             decimal_text(scale) + ": int8 weights are of [-127, 127], and finite");
  }
  return weights;
}

}  // namespace mae
