#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/io/dtype.hpp>
#include <mae/io/parameter_file.hpp>
#include <mae/io/progress_reader.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_header.hpp>
#include <mae/mask/learning.hpp>
#include <mae/network/layout.hpp>
#include <mae/train/report.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mae::detail {

/// What the tensors of a mask that learns are called before their names.
inline constexpr std::string_view mask_prefix = "mask.";
/// The gradient that it has not learned from yet, and the entry that counts its images.
inline constexpr char const* pending_sums = "mask.pending";
inline constexpr char const* pending_images = "mask_pending_images";

/// The table of what a mask has learned; empty for one that does not learn.
template <class Mask>
parameter_layout layout_of_mask(Mask const& mask) {
  parameter_layout layout;
  if constexpr (LearningMask<Mask>) {
    std::size_t k = 0;
    for (char const* const name : mask.state_names)
      layout.add({.name = std::string(mask_prefix) + name, .shape = {std::ssize(mask.state(k++))}});
  }
  return layout;
}

/// Adds what a mask has learned to a file's tensors.
template <class T, class Mask>
void add_mask(tensor_collector<T>& tensors, Mask const& mask) {
  if constexpr (LearningMask<Mask>) {
    std::size_t k = 0;
    auto const layout = layout_of_mask(mask);
    for (auto const& tensor : layout.tensors())
      tensors.add({.name = tensor.name,
                   .type = dtype::f32,
                   .shape = tensor.shape,
                   .bytes = std::as_bytes(mask.state(k++))});
  }
}

/// Adds what it has not learned from yet.
template <class T>
void add_pending(tensor_collector<T>& tensors, pending_mask_gradient const& pending) {
  if (pending.images > 0)
    tensors.add({.name = pending_sums,
                 .type = dtype::f64,
                 .shape = {std::ssize(pending.sums)},
                 .bytes = std::as_bytes(std::span(pending.sums))});
}

/// Reads what a mask has learned; nothing where the file has none, or the mask does not learn.
/// Throws format_error for a tensor that is missing or of another length.
template <class Mask>
std::optional<host_buffer<float>> read_mask(safetensors_file const& file,
                                            std::string const& path,
                                            Mask const& mask) {
  auto const layout = layout_of_mask(mask);
  bool const is_there = std::ranges::any_of(file.tensors(), [](tensor_entry const& tensor) {
    return tensor.name.starts_with(mask_prefix);
  });
  if (layout.size() == 0 || !is_there) return std::nullopt;
  return read_tensors<float>(file, path, layout);
}

/// Puts values, laid out as layout_of_mask says, into a mask.
template <class Mask>
void put_mask(Mask& mask, host_buffer<float> const& values) {
  if constexpr (LearningMask<Mask>) {
    std::size_t k = 0;
    auto const layout = layout_of_mask(mask);
    for (auto const& tensor : layout.tensors())
      std::copy_n(values.data() + tensor.offset, tensor.size(), mask.state(k++).begin());
  }
}

/// Reads what a mask has not learned from yet, of steps of so many images. Throws format_error for
/// a gradient that is missing, of another length or of other images.
template <class Mask>
pending_mask_gradient read_pending(safetensors_file const& file,
                                   std::string const& path,
                                   Mask const& mask,
                                   index_t images_of_step) {
  pending_mask_gradient pending;
  if constexpr (LearningMask<Mask>) {
    if (!learns(mask)) return pending;
    pending.images = progress_reader(path, file.metadata()).count(pending_images);
    if (pending.images == 0) return pending;
    if (pending.images != images_of_step)
      throw format_error(path,
                         8,
                         "metadata: the progress contradicts itself: mask_pending_images are no "
                         "step's images");
    pending.sums.resize(static_cast<std::size_t>(mask.num_sums()));
    read_tensor(file,
                path,
                {.name = pending_sums, .shape = {mask.num_sums()}},
                std::span<double>(pending.sums));
  }
  return pending;
}

}  // namespace mae::detail

namespace mae {

/// Puts into a mask what it has learned in the training of a model's or a training's file; false
/// where the file has nothing that a mask has learned, or the mask does not learn. Throws io_error;
/// format_error for a file of another mask, or of one for other patches.
template <class Mask>
bool load_mask(std::string const& path, Mask& mask) {
  auto const file = safetensors_file::load(path);
  auto const values = detail::read_mask(file, path, mask);
  if (values) detail::put_mask(mask, *values);
  return values.has_value();
}

}  // namespace mae
