#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>
#include <mae/model/layout.hpp>

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace mae {

/// The order of a patch projection's values in files, [D, C, p, p], and in memory, [D, p, p, C].
enum class channel_order { first, last };

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
          result[first] = static_cast<Out>(from[last]);
        else
          result[last] = static_cast<Out>(from[first]);
      }
}

/// The shape of a tensor in a file.
inline std::vector<index_t> file_shape(tensor_spec const& tensor) {
  if (!tensor.channels_last) return tensor.shape;
  return {tensor.shape[0], tensor.shape[3], tensor.shape[1], tensor.shape[2]};
}

/// Gathers tensors of flat arrays for a file, without copying but for what files order differently.
template <class T>
class tensor_collector {
 public:
  /// Adds every tensor of `layout` from `values`, a flat array of it, under `prefix` + its name.
  void add(parameter_layout const& layout,
           std::span<T const> values,
           std::string const& prefix = {}) {
    for (auto const& tensor : layout.tensors()) add(tensor, values, prefix);
  }
  void add(tensor_spec const& tensor, std::span<T const> values, std::string const& prefix = {}) {
    auto span = values.subspan(static_cast<std::size_t>(tensor.offset),
                               static_cast<std::size_t>(tensor.size()));
    if (tensor.channels_last) {
      auto& copy = reordered_.emplace_back(span.size());
      reorder_channels(tensor.shape, channel_order::first, span, std::span<T>(copy));
      span = copy;
    }
    entries_.push_back({.name = prefix + tensor.name,
                        .type = std::is_same_v<T, float> ? dtype::f32 : dtype::f64,
                        .shape = file_shape(tensor),
                        .bytes = std::as_bytes(span)});
  }

  std::span<tensor_entry const> entries() const { return entries_; }

 private:
  std::vector<tensor_entry> entries_;
  std::vector<std::vector<T>> reordered_;
};

namespace detail {

inline std::string shape_text(std::vector<index_t> const& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

template <class Stored, class T>
void copy_tensor(tensor_spec const& tensor, std::span<std::byte const> bytes, std::span<T> values) {
  std::vector<Stored> stored(values.size());
  std::memcpy(stored.data(), bytes.data(), bytes.size());
  if (tensor.channels_last)
    reorder_channels(tensor.shape, channel_order::last, std::span<Stored const>(stored), values);
  else
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(stored[i]);
}

}  // namespace detail

/// Copies the tensor `prefix` + its name from a file into its place in a flat array. Throws
/// format_error, with both shapes, when it is missing, has another shape, or is neither F32 nor
/// F64.
template <class T>
void read_tensor(safetensors_file const& file,
                 std::string const& path,
                 tensor_spec const& tensor,
                 std::span<T> values,
                 std::string const& prefix = {}) {
  std::string const name = prefix + tensor.name;
  auto const* const entry = file.find(name);
  auto const refuse = [&](std::string const& why) {
    throw format_error(path, 8, "tensor " + name + " " + why);
  };
  auto const wanted = file_shape(tensor);
  if (entry == nullptr) refuse("is missing; the model has it as " + detail::shape_text(wanted));
  if (entry->shape != wanted)
    refuse("is " + detail::shape_text(entry->shape) + " in the file, but " +
           detail::shape_text(wanted) + " in the model");
  auto const place = values.subspan(static_cast<std::size_t>(tensor.offset),
                                    static_cast<std::size_t>(tensor.size()));
  if (entry->type == dtype::f32)
    detail::copy_tensor<float>(tensor, entry->bytes, place);
  else if (entry->type == dtype::f64)
    detail::copy_tensor<double>(tensor, entry->bytes, place);
  else
    refuse("is neither F32 nor F64");
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
    if (!is_known)
      throw format_error(path,
                         8,
                         "tensor " + entry.name + " " + detail::shape_text(entry.shape) +
                             " is in the file, but not in the model");
  }
}

}  // namespace mae
