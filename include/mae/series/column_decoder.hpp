#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/head/decoder_pass.hpp>
#include <mae/network/carver.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/transformer_block.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/layer_norm.hpp>
#include <mae/op/linear.hpp>
#include <mae/op/tokens.hpp>
#include <mae/series/column_attention.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace mae {

/// The layer of the last block's queries, keys and values as two: of the few rows that are
/// predicted, and of all.
template <Lane L>
class parted_attention {
  using T = scalar_of<L>;
  using packing = weight_packing<L>;

 public:
  parted_attention() = default;
  parted_attention(L const& lane, linear_weights<T const> const& qkv)
      : width_(qkv.weight.cols),
        bias_(qkv.bias),
        query_(packing::cells(width_, width_)),
        key_value_(packing::cells(width_, 2 * width_)) {
    packing::pack(lane, qkv.weight.middle_rows(0, width_), query_.data());
    packing::pack(lane, qkv.weight.middle_rows(width_, 2 * width_), key_value_.data());
  }

  linear_operands<L> query() {
    auto const size = static_cast<std::size_t>(width_);
    return {packing::at(query_.data(), width_, width_), {}, bias_.first(size)};
  }
  linear_operands<L> key_value() {
    auto const size = static_cast<std::size_t>(width_);
    return {packing::at(key_value_.data(), width_, 2 * width_), {}, bias_.subspan(size)};
  }

 private:
  index_t width_ = 0;
  std::span<T const> bias_;
  host_buffer<typename L::cell> query_;
  host_buffer<typename L::cell> key_value_;
};

/// Which patches of a picture are seen, and which of the others are asked for.
struct painted_patches {
  std::vector<index_t> seen;    // ascending
  std::vector<index_t> hidden;  // all others, ascending
  std::vector<index_t> wanted;

  friend bool operator==(painted_patches const&, painted_patches const&) = default;
};

/// A decoder for inference that predicts some patches of one picture after the other. What is
/// hidden enters its first block as the same tokens in each, so that their part of it is computed
/// once for pictures of which the same is seen; of the last block nothing but the wanted rows goes
/// on. Rows are the class token, the seen patches, the hidden ones.
template <Lane L>
class column_decoder {
  using T = scalar_of<L>;

 public:
  /// Refers to the weights.
  column_decoder(L lane,
                 decoder_sizes const& sizes,
                 T norm_epsilon,
                 decoder_operands<L> const& weights,
                 linear_operands<L> const& query,
                 linear_operands<L> const& key_value)
      : lane_(std::move(lane)),
        sizes_(sizes),
        epsilon_(norm_epsilon),
        weights_(&weights),
        query_(query),
        key_value_(key_value) {
    index_t const rows = sizes.patches + 1;
    index_t const width = sizes.stack.width;
    carver<T> counter;
    carve(counter);
    memory_ = host_buffer<T>(counter.used());
    carver<T> memory(memory_.data());
    carve(memory);
    room_ = head_room<L>(rows, rows, width / sizes.stack.heads);
  }

  /// What is seen of the pictures from here on.
  void show(painted_patches const& patches) {
    if (patches == patches_) return;
    patches_ = patches;
    others_ = std::ssize(patches.seen) + 1;
    rows_ = others_ + std::ssize(patches.hidden);
    position_.assign(1, 0);
    for (index_t const patch : patches.seen) position_.push_back(patch + 1);
    for (index_t const patch : patches.hidden) position_.push_back(patch + 1);
    wanted_.clear();
    for (index_t const patch : patches.wanted)
      wanted_.push_back(std::find(position_.begin() + 1, position_.end(), patch + 1) -
                        position_.begin());
    offsets_ = {0, rows_};
    if (sizes_.stack.depth == 1) return;
    place_hidden();
    index_t const same = rows_ - others_;
    auto const& first = weights_->blocks.front();
    normalise(
        input_rows().middle_rows(others_, same), first.norm1, keep_.norm1.middle_rows(0, same));
    auto const qkv = first_qkv_.middle_rows(others_, same);
    linear_forward(lane_, keep_.norm1.middle_rows(0, same), first.qkv, qkv);
    first_.emplace(lane_, qkv, sizes_.stack.heads, others_);
  }

  /// The wanted patches (W, target width) from the encoder's tokens of a picture, (1 + seen, D),
  /// valid until the next call.
  matrix_view<T> predict(matrix_view<T const> tokens) {
    auto const embedded = embedded_.middle_rows(0, others_);
    linear_forward(lane_, tokens, weights_->embed, embedded);
    for (index_t row = 0; row < others_; ++row) place(row, embedded.row(row));
    place_hidden();
    auto const& blocks = weights_->blocks;
    auto const x = input_rows();
    for (std::size_t i = 0; i + 1 < blocks.size(); ++i) {
      auto const keep = keep_.first_rows(rows_);
      if (i == 0)
        attend_first(blocks[i], keep);
      else
        attention_half_forward(lane_, context(), blocks[i], keep);
      mlp_half_forward(lane_, context(), blocks[i], keep, x);
    }
    return predict_wanted(blocks.back());
  }

 private:
  void carve(carver<T>& memory) {
    index_t const rows = sizes_.patches + 1;
    auto const& stack = sizes_.stack;
    keep_ = block_activations<L>::carve(memory, stack, rows);
    embedded_ = memory.matrix(rows, stack.width);
    first_qkv_ = memory.matrix(rows, 3 * stack.width);
    key_values_ = memory.matrix(rows, 2 * stack.width);
    targets_ = memory.matrix(rows, stack.width);
    prediction_ = memory.matrix(rows, sizes_.target_width);
    scratch_ = memory.vector(attention_scratch_size<L>(
        {rows, rows, stack.heads, stack.width / stack.heads, lane_.num_members()}));
  }
  block_context<T> context() const {
    return {row_offsets(offsets_), sizes_.stack.heads, epsilon_, scratch_};
  }
  matrix_view<T> input_rows() const { return keep_.input.middle_rows(0, rows_); }
  void normalise(matrix_view<T const> x, norm_weights<T const> const& norm, matrix_view<T> y) {
    layer_norm_forward(lane_, x, norm, epsilon_, y, keep_.norm1_statistics.middle_rows(0, x.rows));
  }
  /// A token, with its position, to its row of the first block's input.
  void place(index_t row, std::span<T const> token) {
    auto const position = weights_->positions.row(position_[static_cast<std::size_t>(row)]);
    auto const to = keep_.input.row(row);
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = token[i] + position[i];
  }
  void place_hidden() {
    for (index_t row = others_; row < rows_; ++row) place(row, weights_->mask_token);
  }

  /// The first half of the first block.
  void attend_first(block_operands<L> const& block, block_activations<L> const& keep) {
    auto const normalised = keep.norm1.middle_rows(0, others_);
    normalise(keep.input.middle_rows(0, others_), block.norm1, normalised);
    linear_forward(
        lane_, matrix_view<T const>(normalised), block.qkv, first_qkv_.middle_rows(0, others_));
    first_->forward(lane_, first_qkv_.middle_rows(0, rows_), others_, keep.attended);
    linear_residual_forward<L>(lane_, keep.attended, block.proj, keep.input, keep.middle);
  }

  /// The last block and the head, of the wanted rows.
  matrix_view<T> predict_wanted(block_operands<L> const& block) {
    index_t const count = std::ssize(wanted_);
    auto const normalised = keep_.norm1.middle_rows(0, rows_);
    normalise(input_rows(), block.norm1, normalised);
    auto const key_values = key_values_.middle_rows(0, rows_);
    linear_forward(lane_, matrix_view<T const>(normalised), key_value_, key_values);
    auto const keep = keep_.first_rows(count);
    gather_rows_forward(lane_, matrix_view<T const>(normalised), wanted_, keep.norm2);
    auto const queries = embedded_.middle_rows(0, count);
    linear_forward(lane_, matrix_view<T const>(keep.norm2), query_, queries);
    attend_from(lane_, queries, key_values, sizes_.stack.heads, room_, keep.attended);
    auto const targets = targets_.middle_rows(0, count);
    gather_rows_forward(lane_, matrix_view<T const>(input_rows()), wanted_, targets);
    linear_residual_forward<L>(lane_, keep.attended, block.proj, targets, keep.middle);
    mlp_half_forward(lane_, context(), block, keep, targets);
    normalise(targets, weights_->norm, keep.norm2);
    auto const prediction = prediction_.middle_rows(0, count);
    linear_forward(lane_, matrix_view<T const>(keep.norm2), weights_->head, prediction);
    return prediction;
  }

  L lane_;
  decoder_sizes sizes_;
  T epsilon_;
  decoder_operands<L> const* weights_;
  linear_operands<L> query_;  // of the last block
  linear_operands<L> key_value_;
  host_buffer<T> memory_;
  block_activations<L> keep_;
  matrix_view<T> embedded_;    // (rows, d)
  matrix_view<T> first_qkv_;   // (rows, 3 d)
  matrix_view<T> key_values_;  // (rows, 2 d)
  matrix_view<T> targets_;     // (W, d)
  matrix_view<T> prediction_;  // (W, target width)
  std::span<T> scratch_;
  head_room<L> room_;
  painted_patches patches_;
  index_t others_ = 0;             // the class token and what is seen
  index_t rows_ = 0;               // all
  std::vector<index_t> position_;  // of each row
  std::vector<index_t> wanted_;    // rows
  std::vector<index_t> offsets_;
  std::optional<attention_to_same<L>> first_;
};

}  // namespace mae
