#pragma once

#include <mae/core/bfloat16.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/float16.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/quantised_tensor.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/network/layout.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mae {

/// The order of a patch projection's values in files, [D, C, p, p], and in memory, [D, p, p, C].
enum class channel_order { first, last };

/// A value of a file's type as one of the computation's, or the other way; short types by way of
/// float.
template <class Out, class In>
Out converted(In value) {
  if constexpr (std::is_floating_point_v<In> && std::is_floating_point_v<Out>)
    return static_cast<Out>(value);
  else
    return static_cast<Out>(static_cast<float>(value));
}

/// Copies a patch projection from memory's order to a file's, or back. `shape` [D, p, p, C].
template <class In, class Out>
void reorder_channels(std::vector<index_t> const& shape,
                      channel_order to,
                      std::span<In const> from,
                      std::span<Out> result) {
  index_t const pixels = shape[1] * shape[2];
  index_t const channels = shape[3];
  for (index_t d = 0; d < shape[0]; ++d)
    for (index_t p = 0; p < pixels; ++p)
      for (index_t c = 0; c < channels; ++c) {
        auto const last = static_cast<std::size_t>((d * pixels + p) * channels + c);
        auto const first = static_cast<std::size_t>((d * channels + c) * pixels + p);
        if (to == channel_order::first)
          result[first] = converted<Out>(from[last]);
        else
          result[last] = converted<Out>(from[first]);
      }
}

namespace detail {

/// The first finite value that becomes infinite as an `Out`; nothing where `Out` holds them all.
template <class Out, class In>
std::optional<double> first_overflow(std::span<In const> values) {
  for (In const value : values) {
    auto const exact = converted<double>(value);
    if (std::isfinite(exact) && !std::isfinite(converted<double>(converted<Out>(value))))
      return exact;
  }
  return std::nullopt;
}

}  // namespace detail

/// Whether a tensor is the weights of a layer, which a file may hold in I8.
inline bool is_layer_weight(tensor_spec const& tensor) {
  return tensor.shape.size() >= 2 && tensor.name.ends_with(".weight");
}

/// The shape of a tensor in a file.
inline std::vector<index_t> file_shape(tensor_spec const& tensor) {
  if (!tensor.channels_last) return tensor.shape;
  return {tensor.shape[0], tensor.shape[3], tensor.shape[1], tensor.shape[2]};
}

namespace detail {

/// The bytes of a tensor's values as a file holds them, in its type and order of channels. Throws
/// config_error for a value that the type cannot hold.
template <class Stored, class T>
std::vector<std::byte> stored_copy(tensor_spec const& tensor, std::span<T const> values) {
  if constexpr (!std::is_same_v<Stored, T>)
    if (auto const lost = first_overflow<Stored>(values))
      throw config_error("tensor " + tensor.name + " holds " + decimal_text(*lost) +
                         ", which this type would make infinite: choose bf16 or fp32 "
                         "(--precision)");
  std::vector<Stored> stored(values.size());
  if (tensor.channels_last)
    reorder_channels(tensor.shape, channel_order::first, values, std::span(stored));
  else
    std::ranges::transform(
        values, stored.begin(), [](T value) { return converted<Stored>(value); });
  auto const bytes = std::as_bytes(std::span(stored));
  return {bytes.begin(), bytes.end()};
}

}  // namespace detail

/// Gathers tensors of flat arrays for a file, without copying but for what files order or round
/// differently.
template <class T>
class tensor_collector {
 public:
  static constexpr dtype own_type = std::is_same_v<T, float> ? dtype::f32 : dtype::f64;

  /// For a file of type T, or, where that is float, of f16 or bf16.
  explicit tensor_collector(dtype stored = own_type) : stored_(stored) {}

  /// Adds every tensor of `layout` from `values`, a flat array of it, under `prefix` + its name.
  void add(parameter_layout const& layout,
           std::span<T const> values,
           std::string const& prefix = {}) {
    for (auto const& tensor : layout.tensors()) add(tensor, values, prefix);
  }
  void add(tensor_spec const& tensor, std::span<T const> values, std::string const& prefix = {}) {
    auto const own = values.subspan(static_cast<std::size_t>(tensor.offset),
                                    static_cast<std::size_t>(tensor.size()));
    auto bytes = std::as_bytes(own);
    if (tensor.channels_last || stored_ != own_type) {
      copies_.push_back(stored_ == dtype::f16    ? detail::stored_copy<float16>(tensor, own)
                        : stored_ == dtype::bf16 ? detail::stored_copy<bfloat16>(tensor, own)
                                                 : detail::stored_copy<T>(tensor, own));
      bytes = copies_.back();
    }
    entries_.push_back({.name = prefix + tensor.name,
                        .type = stored_,
                        .shape = file_shape(tensor),
                        .bytes = bytes});
  }

  /// Adds a tensor of any type as it lies in memory, which outlives the collector.
  void add(tensor_entry entry) { entries_.push_back(std::move(entry)); }

  std::span<tensor_entry const> entries() const { return entries_; }

 private:
  dtype stored_;
  std::vector<tensor_entry> entries_;
  std::vector<std::vector<std::byte>> copies_;
};

namespace detail {

inline std::string shape_text(std::vector<index_t> const& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// Throws format_error for a value that is not finite, or would not be as a T.
template <class Stored, class T>
void copy_values(std::string const& path,
                 tensor_entry const& entry,
                 tensor_spec const& tensor,
                 std::vector<Stored> const& stored,
                 std::span<T> values) {
  for (Stored const value : stored)
    if (!std::isfinite(converted<T>(value)))
      throw format_error(path,
                         8,
                         "tensor " + entry.name + " holds " +
                             decimal_text(converted<double>(value)) +
                             ", which is no finite number of the model's type");
  if (tensor.channels_last)
    reorder_channels(tensor.shape, channel_order::last, std::span<Stored const>(stored), values);
  else
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = converted<T>(stored[i]);
}

template <class Stored, class T>
void copy_tensor(std::string const& path,
                 tensor_entry const& entry,
                 tensor_spec const& tensor,
                 std::span<T> values) {
  std::vector<Stored> stored(values.size());
  std::memcpy(stored.data(), entry.bytes.data(), entry.bytes.size());
  copy_values(path, entry, tensor, stored, values);
}

}  // namespace detail

/// Throws format_error, with both shapes, unless `entry`, which a file has under `name`, is there
/// (not nullptr) and is what the model has: of the same shape, in F16, BF16, F32 or F64, or, the
/// weights of a layer, in I8.
inline void require_fit(tensor_entry const* entry,
                        std::string const& path,
                        std::string const& name,
                        tensor_spec const& tensor) {
  auto const refuse = [&](std::string const& why) {
    throw format_error(path, 8, "tensor " + name + " " + why);
  };
  auto const wanted = file_shape(tensor);
  if (entry == nullptr) refuse("is missing; the model has it as " + detail::shape_text(wanted));
  if (entry->shape != wanted)
    refuse("is " + detail::shape_text(entry->shape) + " in the file, but " +
           detail::shape_text(wanted) + " in the model");
  if (entry->type == dtype::i8 && is_layer_weight(tensor)) return;
  if (entry->type != dtype::f16 && entry->type != dtype::bf16 && entry->type != dtype::f32 &&
      entry->type != dtype::f64)
    refuse("is " + std::string(dtype_name(entry->type)) + ", not F16, BF16, F32 or F64");
}

/// Copies a file's tensor that fits into its place in a flat array; of one in I8, times its scales,
/// which the file is to have beside it. Throws format_error for a value that is not finite there,
/// and for wrong scales.
template <class T>
void read_entry(std::string const& path,
                tensor_entry const& entry,
                tensor_entry const* scales,
                tensor_spec const& tensor,
                std::span<T> values) {
  auto const place = values.subspan(static_cast<std::size_t>(tensor.offset),
                                    static_cast<std::size_t>(tensor.size()));
  if (entry.type == dtype::i8) {
    require_scales(scales, path, entry.name, entry.shape.front());
    return detail::copy_values(path, entry, tensor, dequantised(path, entry, *scales), place);
  }
  if (entry.type == dtype::f32)
    detail::copy_tensor<float>(path, entry, tensor, place);
  else if (entry.type == dtype::f64)
    detail::copy_tensor<double>(path, entry, tensor, place);
  else if (entry.type == dtype::f16)
    detail::copy_tensor<float16>(path, entry, tensor, place);
  else
    detail::copy_tensor<bfloat16>(path, entry, tensor, place);
}

/// Copies the tensor `prefix` + its name from a file into its place in a flat array. Throws as
/// require_fit and read_entry.
template <class T>
void read_tensor(safetensors_file const& file,
                 std::string const& path,
                 tensor_spec const& tensor,
                 std::span<T> values,
                 std::string const& prefix = {}) {
  std::string const name = prefix + tensor.name;
  auto const* const entry = file.find(name);
  require_fit(entry, path, name, tensor);
  read_entry(path, *entry, file.find(scale_name(name)), tensor, values);
}

/// Reads a whole flat array of `layout`; nothing of the caller's is touched when it throws.
template <class T>
host_buffer<T> read_tensors(safetensors_file const& file,
                            std::string const& path,
                            parameter_layout const& layout,
                            std::string const& prefix = {}) {
  host_buffer<T> values(layout.size());
  for (auto const& tensor : layout.tensors())
    read_tensor(file, path, tensor, values.span(), prefix);
  return values;
}

namespace detail {

[[noreturn]] inline void refuse_unknown(std::string const& path, tensor_entry const& entry) {
  throw format_error(path,
                     8,
                     "tensor " + entry.name + " " + shape_text(entry.shape) +
                         " is in the file, but not in the model");
}

}  // namespace detail

/// Throws format_error for a tensor of the file that is neither in `layout` nor begins with one of
/// `allowed`.
inline void reject_unknown_tensors(safetensors_file const& file,
                                   std::string const& path,
                                   parameter_layout const& layout,
                                   std::initializer_list<std::string_view> allowed = {}) {
  for (auto const& entry : file.tensors()) {
    bool is_known = layout.contains(entry.name);
    for (std::string_view const start : allowed)
      is_known = is_known || entry.name.starts_with(start);
    is_known =
        is_known || is_scale(entry.name, [&](std::string_view name) { return file.find(name); });
    if (!is_known) detail::refuse_unknown(path, entry);
  }
}

}  // namespace mae
