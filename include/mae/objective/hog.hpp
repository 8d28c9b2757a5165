#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/objective/objective.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Which of two published histograms of oriented gradients.
enum class hog_form {
  /// MaskFeat's (Wei et al. 2022, arXiv 2112.09133; mmpretrain's HOGGenerator): Sobel's gradients,
  /// directions from the vertical, a Gaussian window over each patch of half its sides.
  maskfeat,
  /// Dalal and Triggs' (2005; scikit-image's `hog` with blocks of one cell and the norm L2):
  /// differences of neighbours, directions from the horizontal, no window.
  plain,
};

struct hog_options {
  index_t cell = 0;  // pixels of a cell's side; 0: the largest up to 8 that divides the patch's
  index_t bins = 9;  // directions between 0 and 180 degrees
  hog_form form = hog_form::maskfeat;
};

/// Predicts where the edges of a patch point: of each channel and each cell, a histogram over
/// directions, weighted by the gradients' lengths and of length 1; a flat cell's is zeros. In a
/// target the cells come fastest, then the directions, then the channels, as in mmpretrain.
/// Gradients look beyond the patch, and at the image's border at its mirrored pixels.
///
/// Any image, patch and number of channels: mmpretrain's own is right for 14 x 14 patches of 16 x
/// 16 pixels alone.
class hog {
 public:
  /// Throws config_error for fewer than two directions or a negative cell.
  constexpr explicit hog(hog_options const& options = {}) : options_(options) {
    if (options.bins < 2) throw config_error("hog: at least two directions are needed");
    if (options.cell < 0) throw config_error("hog: a cell's side cannot be negative");
  }

  hog_options const& options() const { return options_; }

  /// The side of the cells of such patches. Throws config_error where it does not divide theirs.
  constexpr index_t cell_of(patch_extent const& patch) const {
    index_t cell = options_.cell;
    if (cell == 0) {
      constexpr index_t most = 8;
      index_t const sides = std::gcd(patch.height, patch.width);
      for (cell = std::min(most, sides); sides % cell != 0;) --cell;
    }
    if (patch.height % cell != 0 || patch.width % cell != 0)
      throw config_error("hog: cells of " + std::to_string(cell) + " pixels do not divide a patch" +
                         " of " + std::to_string(patch.height) + "x" + std::to_string(patch.width) +
                         " pixels: a cell's side must divide both of the patch's");
    return cell;
  }
  /// Throws likewise.
  constexpr index_t target_width(model_config const& config) const {
    index_t const cell = cell_of(config.patch);
    return config.image.channels * options_.bins * (config.patch.height / cell) *
           (config.patch.width / cell);
  }

  template <class T>
  void target(model_config const& config,
              matrix_view<T const> patches,
              std::span<patch_index const> rows,
              matrix_view<T> targets) const {
    thread_local work<T> room;
    prepare(config, patches, room);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      auto const row = targets.row(static_cast<index_t>(i));
      std::ranges::fill(row, T{0});
      for (index_t channel = 0; channel < config.image.channels; ++channel)
        add_channel(config, room, rows[i], channel, row);
    }
  }

  settings_list settings() const {
    return {{"objective", "hog"},
            {"hog_cell", std::to_string(options_.cell)},
            {"hog_bins", std::to_string(options_.bins)},
            {"hog_form", options_.form == hog_form::maskfeat ? "maskfeat" : "plain"}};
  }

 private:
  /// What an image's targets are made from.
  template <class T>
  struct work {
    std::vector<T> image;                        // with a border of one pixel: (H + 2, W + 2, C)
    std::vector<T> cosines, sines;               // (bins - 1), of the angles between two bins
    std::vector<T> row_weights, column_weights;  // of a patch's pixels
  };
  template <class T>
  struct gradient {
    T x;
    T y;
  };

  template <class T>
  void prepare(model_config const& config, matrix_view<T const> patches, work<T>& room) const {
    add_border(config, patches, room.image);
    room.cosines.resize(static_cast<std::size_t>(options_.bins - 1));
    room.sines.resize(room.cosines.size());
    for (std::size_t k = 0; k < room.cosines.size(); ++k) {
      double const angle =
          std::numbers::pi * static_cast<double>(k + 1) / static_cast<double>(options_.bins);
      room.cosines[k] = static_cast<T>(std::cos(angle));
      room.sines[k] = static_cast<T>(std::sin(angle));
    }
    find_weights(config.patch.height, room.row_weights);
    find_weights(config.patch.width, room.column_weights);
  }

  template <class T>
  static void add_border(model_config const& config,
                         matrix_view<T const> patches,
                         std::vector<T>& image) {
    index_t const height = config.image.height;
    index_t const width = config.image.width;
    index_t const channels = config.image.channels;
    index_t const values = width * channels;
    index_t const line = values + 2 * channels;
    index_t const run = config.patch.width * channels;
    image.resize(static_cast<std::size_t>((height + 2) * line));
    T* const first = image.data();
    detail::for_each_patch_row(
        config.image, config.patch, [&](index_t to, index_t index, index_t from) {
          std::copy_n(patches.row(index).data() + from,
                      run,
                      first + (to / values + 1) * line + channels + to % values);
        });
    // A side of one pixel has no neighbour to mirror: its gradient is zero.
    index_t const inside = std::min<index_t>(2, width) * channels;
    for (T* row = first + line; row < first + (height + 1) * line; row += line) {
      std::copy_n(row + inside, channels, row);
      std::copy_n(row + values + channels - inside, channels, row + values + channels);
    }
    index_t const below = std::min<index_t>(2, height);
    std::copy_n(first + below * line, line, first);
    std::copy_n(first + (height + 1 - below) * line, line, first + (height + 1) * line);
  }

  /// The window along a side of so many pixels.
  template <class T>
  void find_weights(index_t size, std::vector<T>& weights) const {
    weights.assign(static_cast<std::size_t>(size), T{1});
    if (options_.form == hog_form::plain) return;
    double const deviation = static_cast<double>(size) / 2;
    for (index_t i = 0; i < size; ++i) {
      double const place = (static_cast<double>(i) - static_cast<double>(size - 1) / 2) / deviation;
      weights[static_cast<std::size_t>(i)] = static_cast<T>(std::exp(-place * place / 2));
    }
  }

  /// At one value, from the rows above and below and the columns beside it.
  template <class T>
  gradient<T> gradient_at(T const* at, index_t line, index_t channels) const {
    T const* const above = at - line;
    T const* const below = at + line;
    if (options_.form == hog_form::plain)
      return {at[channels] - at[-channels], below[0] - above[0]};
    return {(above[channels] - above[-channels]) + 2 * (at[channels] - at[-channels]) +
                (below[channels] - below[-channels]),
            (below[-channels] - above[-channels]) + 2 * (below[0] - above[0]) +
                (below[channels] - above[channels])};
  }

  /// floor(angle / pi * bins) of a direction without a sign: how many boundaries it has passed.
  template <class T>
  index_t bin_of(gradient<T> along, work<T> const& room) const {
    // mmpretrain's atan2(gx, gy) is measured from the vertical.
    if (options_.form == hog_form::maskfeat) std::swap(along.x, along.y);
    if (along.y < 0 || (along.y == 0 && along.x < 0)) along = {-along.x, -along.y};
    index_t passed = 0;
    for (std::size_t k = 0; k < room.cosines.size(); ++k)
      passed += room.cosines[k] * along.y >= room.sines[k] * along.x ? 1 : 0;
    return passed;
  }

  /// The histograms of a channel of a patch, in `target`, which is zero there.
  template <class T>
  void add_channel(model_config const& config,
                   work<T> const& room,
                   patch_index patch,
                   index_t channel,
                   std::span<T> target) const {
    index_t const cell = cell_of(config.patch);
    index_t const cell_rows = config.patch.height / cell;
    index_t const cell_columns = config.patch.width / cell;
    index_t const cells = cell_rows * cell_columns;
    for (index_t i = 0; i < cells; ++i) {
      index_t const row = i / cell_columns * cell;
      index_t const column = i % cell_columns * cell;
      T* const histogram = target.data() + channel * options_.bins * cells + i;
      add_cell(config, room, {patch, channel, row, column, cell}, histogram, cells);
      normalise(histogram, cells, cell);
    }
  }

  struct cell_place {
    patch_index patch;
    index_t channel;
    index_t row, column;  // of its first pixel in the patch
    index_t side;
  };
  /// Adds a cell's gradients to its histogram, whose values lie `step` apart.
  template <class T>
  void add_cell(model_config const& config,
                work<T> const& room,
                cell_place const& place,
                T* histogram,
                index_t step) const {
    index_t const channels = config.image.channels;
    index_t const line = (config.image.width + 2) * channels;
    index_t const top = place.patch / config.grid_columns() * config.patch.height;
    index_t const left = place.patch % config.grid_columns() * config.patch.width;
    for (index_t row = place.row; row < place.row + place.side; ++row) {
      T const weight = room.row_weights[static_cast<std::size_t>(row)];
      T const* at = room.image.data() + (top + row + 1) * line +
                    (left + place.column + 1) * channels + place.channel;
      for (index_t column = place.column; column < place.column + place.side; ++column) {
        auto const along = gradient_at(at, line, channels);
        histogram[bin_of(along, room) * step] +=
            std::sqrt(along.x * along.x + along.y * along.y) * weight *
            room.column_weights[static_cast<std::size_t>(column)];
        at += channels;
      }
    }
  }

  /// To length 1. The epsilon is scikit-image's, of the mean over the cell's pixels: what rounding
  /// leaves in a flat cell stays small.
  template <class T>
  void normalise(T* histogram, index_t step, index_t cell) const {
    double const epsilon = 1e-5 * static_cast<double>(cell * cell);
    double squares = epsilon * epsilon;
    for (index_t bin = 0; bin < options_.bins; ++bin) {
      auto const value = static_cast<double>(histogram[bin * step]);
      squares += value * value;
    }
    auto const scale = static_cast<T>(1 / std::sqrt(squares));
    for (index_t bin = 0; bin < options_.bins; ++bin) histogram[bin * step] *= scale;
  }

  hog_options options_;
};
static_assert(Objective<hog>);

}  // namespace mae
