#pragma once

#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/shard_input.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// What a head is to learn of a batch: rows of labels, image after image.
template <class T>
struct batch_labels {
  index_t width = 0;
  host_buffer<T> values;         // (rows, width)
  std::vector<index_t> offsets;  // (B + 1), image i has rows [offsets[i], offsets[i + 1])
  index_t counted = 0;           // rows over which the head's loss is the mean
  double weight = 0;             // of the counted rows; they count once, or as a mask says
  double zero_loss = 0;          // the losses of a prediction of zeros, weighed and summed

  /// The rows of images [first, last).
  matrix_view<T const> of(index_t first, index_t last) const {
    index_t const begin = offsets[static_cast<std::size_t>(first)];
    index_t const end = offsets[static_cast<std::size_t>(last)];
    return {values.data() + begin * width, end - begin, width};
  }
};

/// Makes room in a buffer; allocates only beyond the largest size seen.
template <class U>
void reserve(host_buffer<U>& buffer, index_t size) {
  if (buffer.size() < size) buffer = host_buffer<U>(size);
}

/// Lays out a head's rows of a batch with room for as many as there can be: no ragged batch needs
/// more.
template <class Head, class T>
void lay_out_labels(Head const& head,
                    model_config const& config,
                    mask_plan const& plan,
                    batch_labels<T>& labels) {
  labels.offsets.assign(1, 0);
  for (index_t i = 0; i < plan.images(); ++i) {
    auto const [visible, target] = plan.counts(i);
    labels.offsets.push_back(labels.offsets.back() +
                             head.label_rows(shard_capacity::exactly(1, visible, target)));
  }
  index_t const most =
      head.label_rows(shard_capacity::bound(config, plan.images(), config.num_patches()));
  reserve(labels.values, std::max(most, labels.offsets.back()) * labels.width);
}

/// All that the network needs of a batch: B images of N patches of P values, and each head's
/// labels.
template <class T, std::size_t NumHeads>
struct training_batch {
  mask_plan plan;
  index_t patch_values = 0;  // P
  host_buffer<T> patches;    // (B * N, P), normalised
  std::array<batch_labels<T>, NumHeads> labels;
  bool has_row_weights = false;       // of a mask that weighs targets
  host_buffer<T> row_weights;         // of the first head's rows
  std::vector<double> image_weights;  // (B), their sums
  /// What each image's residual branches are multiplied by (B, branches).
  host_buffer<float> branch_scales;
  index_t branches = 0;  // of the encoder, two a block; 0: paths are not dropped

  index_t images() const { return plan.images(); }
  /// The patches of images [first, last).
  matrix_view<T const> patches_of(index_t first, index_t last) const {
    index_t const count = plan.patches();
    return {patches.data() + first * count * patch_values, (last - first) * count, patch_values};
  }
  /// The scales of the branches of images [first, last); empty where there are none.
  matrix_view<float const> branch_scales_of(index_t first, index_t last) const {
    if (branches == 0) return {};
    return {branch_scales.data() + first * branches, last - first, branches};
  }
  /// The weights of the first head's rows of images [first, last); empty: each counts once.
  std::span<T const> row_weights_of(index_t first, index_t last) const {
    if (!has_row_weights) return {};
    auto const& offsets = labels[0].offsets;
    return row_weights.span().subspan(
        static_cast<std::size_t>(offsets[static_cast<std::size_t>(first)]),
        static_cast<std::size_t>(offsets[static_cast<std::size_t>(last)] -
                                 offsets[static_cast<std::size_t>(first)]));
  }
  /// The part of a batch's rows that is of images [first, last).
  told_rows<T> told_of(told_rows<T> const& all, index_t first, index_t last) const {
    auto const part = [](std::span<T> rows, index_t begin, index_t end) {
      if (rows.empty()) return rows;
      return rows.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    };
    if (all.losses.empty()) return {};  // nothing is asked for
    auto const& offsets = labels[0].offsets;
    index_t const seen_before = plan.total(0, first).visible;
    return {part(all.losses,
                 offsets[static_cast<std::size_t>(first)],
                 offsets[static_cast<std::size_t>(last)]),
            part(all.slopes, seen_before, seen_before + plan.total(first, last).visible)};
  }
  /// Each head's labels of images [first, last); empty where it has none.
  std::array<matrix_view<T const>, NumHeads> labels_of(index_t first, index_t last) const {
    std::array<matrix_view<T const>, NumHeads> of_heads;
    for (std::size_t head = 0; head < NumHeads; ++head)
      if (labels[head].width > 0) of_heads[head] = labels[head].of(first, last);
    return of_heads;
  }
};

}  // namespace mae
