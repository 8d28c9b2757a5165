#pragma once

#include <mae/core/config.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/objective.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <vector>

namespace mae {

/// Predicts how strong each frequency of a patch is, whatever its phase: of each channel the
/// magnitudes of the two-dimensional discrete Fourier transform over the patch's own pixels, those
/// of real values (numpy.fft.rfft2 with the norm "ortho", so that no patch size is louder). In a
/// target a channel's come row by row: (C, h, w / 2 + 1), the column frequency fastest.
///
/// Any patch: CA-MAE's (Kraus et al. 2024) transforms over the pixels of one patch only where an
/// image has as many patches as a patch has pixels.
class fourier_magnitudes {
 public:
  constexpr index_t target_width(model_config const& config) const {
    return config.image.channels * config.patch.height * half(config.patch.width);
  }

  template <class T>
  void target(model_config const& config,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    thread_local work<T> room;
    prepare(config.patch, room);
    index_t const width = config.patch.height * half(config.patch.width);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const target = targets.row(static_cast<index_t>(i));
      for (index_t channel = 0; channel < config.image.channels; ++channel) {
        along_rows(patches.row(rows[i]).data() + channel, config.image.channels, room);
        along_columns(room, target.data() + channel * width);
      }
    }
  }

  settings_list settings() const { return {{"objective", "fourier"}}; }

 private:
  /// Frequencies of so many real values that are not another's mirror.
  static constexpr index_t half(index_t size) { return size / 2 + 1; }

  /// A constant matrix of the transform, real and imaginary: (frequencies, size).
  template <class T>
  struct waves {
    std::vector<T> cosine, sine;
  };
  template <class T>
  struct work {
    patch_extent patch;
    waves<T> across;                 // (w / 2 + 1, w)
    waves<T> down;                   // (h, h)
    std::vector<T> real, imaginary;  // (h, w / 2 + 1), of a patch's rows
  };

  template <class T>
  static waves<T> waves_of(index_t frequencies, index_t size, double scale) {
    waves<T> made;
    for (index_t k = 0; k < frequencies; ++k)
      for (index_t i = 0; i < size; ++i) {
        // Whole turns are left out while the numbers are whole.
        double const angle =
            2 * std::numbers::pi * static_cast<double>(k * i % size) / static_cast<double>(size);
        made.cosine.push_back(static_cast<T>(scale * std::cos(angle)));
        made.sine.push_back(static_cast<T>(-scale * std::sin(angle)));
      }
    return made;
  }
  template <class T>
  static void prepare(patch_extent const& patch, work<T>& room) {
    if (room.patch == patch) return;
    auto const norm = [](index_t size) { return 1 / std::sqrt(static_cast<double>(size)); };
    room.across = waves_of<T>(half(patch.width), patch.width, norm(patch.width));
    room.down = waves_of<T>(patch.height, patch.height, norm(patch.height));
    room.real.resize(static_cast<std::size_t>(patch.height * half(patch.width)));
    room.imaginary.resize(room.real.size());
    room.patch = patch;
  }

  /// The first product: each row of one channel's pixels, whose values lie `step` apart.
  template <class T>
  static void along_rows(T const* pixels, index_t step, work<T>& room) {
    auto const& [height, width] = room.patch;
    std::size_t to = 0;
    for (index_t row = 0; row < height; ++row, pixels += width * step) {
      std::size_t wave = 0;
      for (index_t k = 0; k < half(width); ++k, ++to) {
        T real = 0;
        T imaginary = 0;
        for (index_t i = 0; i < width; ++i, ++wave) {
          real += pixels[i * step] * room.across.cosine[wave];
          imaginary += pixels[i * step] * room.across.sine[wave];
        }
        room.real[to] = real;
        room.imaginary[to] = imaginary;
      }
    }
  }

  /// The second: the columns of those, of which the magnitudes are kept, (h, w / 2 + 1).
  template <class T>
  static void along_columns(work<T> const& room, T* magnitudes) {
    index_t const height = room.patch.height;
    index_t const columns = half(room.patch.width);
    for (index_t u = 0; u < height; ++u)
      for (index_t v = 0; v < columns; ++v) {
        T real = 0;
        T imaginary = 0;
        for (index_t row = 0; row < height; ++row) {
          auto const at = static_cast<std::size_t>(row * columns + v);
          auto const wave = static_cast<std::size_t>(u * height + row);
          real +=
              room.real[at] * room.down.cosine[wave] - room.imaginary[at] * room.down.sine[wave];
          imaginary +=
              room.real[at] * room.down.sine[wave] + room.imaginary[at] * room.down.cosine[wave];
        }
        *magnitudes++ = std::sqrt(real * real + imaginary * imaginary);
      }
  }
};
static_assert(Objective<fourier_magnitudes>);

}  // namespace mae
