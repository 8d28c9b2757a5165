#pragma once

#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/op/attention.hpp>
#include <mae/op/tokens.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace mae {

/// Which patches the decoder's head predicts: the targets, as training needs; or every present
/// patch, as a picture of a whole reconstruction needs.
enum class predicted_patches { targets, all_present };

/// What a pass reads of a shard: counts, and lists of rows in the memory of its backend.
struct shard_view {
  index_t images = 0;
  std::span<index_t const> visible_patches;  // rows of the shard's patches (images * N, P)
  std::span<index_t const> target_patches;   // likewise
  row_offsets encoder_offsets;
  row_offsets decoder_offsets;
  token_sources encoder_tokens;          // from embedded visible patches to encoder rows
  token_sources decoder_tokens;          // from encoder rows to decoder rows
  std::span<index_t const> target_rows;  // decoder rows, in the order of target_patches
  row_offsets target_offsets;            // where each image's lie among target_patches
  /// What each image's residual branches in the encoder are multiplied by (images, 2 depth); none
  /// where paths are not dropped.
  matrix_view<float const> branch_scales = {};

  index_t num_visible() const { return std::ssize(visible_patches); }
  index_t num_targets() const { return std::ssize(target_patches); }
  index_t encoder_rows() const { return std::ssize(encoder_tokens.source); }
  index_t decoder_rows() const { return std::ssize(decoder_tokens.source); }
};

/// The packed rows of a few images that the network works on at once: which patches enter, where
/// every token comes from and goes to. Images may keep different numbers of patches. An encoder
/// sequence is the class token, then the visible patches; a decoder sequence the class token, then
/// all present patches in their order. An image without anything to predict has none.
class shard_rows {
 public:
  /// Makes room for images of `patches` patches, of which at most `max_visible` each are seen, and
  /// of the levels that tokens are told, where they are.
  void reserve(index_t images, index_t patches, index_t max_visible, bool tells_levels = false) {
    auto const make_room = [](index_t size, auto&... rows) {
      (rows.reserve(static_cast<std::size_t>(size)), ...);
    };
    make_room(images * max_visible, visible_patches_);
    make_room(images * patches, target_patches_, target_rows_);
    make_room(images * (max_visible + 1), encoder_source_, encoder_position_);
    make_room(images * (patches + 1), decoder_source_, decoder_position_);
    make_room(images + 1, encoder_offsets_, decoder_offsets_, target_offsets_);
    if (!tells_levels) return;
    make_room(images * (max_visible + 1), encoder_level_);
    make_room(images * (patches + 1), decoder_level_);
  }

  /// Lays out images [first, last) of the plan. Allocates only beyond the largest shard seen.
  void assign(mask_plan const& plan,
              index_t first,
              index_t last,
              predicted_patches predicted = predicted_patches::targets) {
    clear();
    for (index_t image = first; image < last; ++image) {
      index_t const base = (image - first) * plan.patches();
      add_encoder_rows(plan.visible(image), base);
      add_decoder_rows(plan.visible(image), plan.target(image), base, predicted);
      target_offsets_.push_back(num_targets());
    }
    images_ = last - first;
  }

  /// Tells tokens the levels of their patches (images * N), those that are to be told.
  void tell_levels(std::span<index_t const> of_patches, told_tokens told) {
    if (told != told_tokens::mask)
      for (index_t const source : encoder_source_)
        encoder_level_.push_back(source < 0
                                     ? token_sources::no_level
                                     : of_patches[static_cast<std::size_t>(
                                           visible_patches_[static_cast<std::size_t>(source)])]);
    if (told == told_tokens::visible) return;
    decoder_level_.assign(decoder_source_.size(), token_sources::no_level);
    for (std::size_t i = 0; i < target_rows_.size(); ++i) {
      auto const row = static_cast<std::size_t>(target_rows_[i]);
      if (decoder_source_[row] == token_sources::shared_token)
        decoder_level_[row] = of_patches[static_cast<std::size_t>(target_patches_[i])];
    }
  }

  index_t images() const { return images_; }
  index_t num_visible() const { return std::ssize(visible_patches_); }
  index_t num_targets() const { return std::ssize(target_patches_); }
  index_t encoder_rows() const { return encoder_offsets_.back(); }
  index_t decoder_rows() const { return decoder_offsets_.back(); }

  /// In the host's memory.
  shard_view view() const {
    return {.images = images_,
            .visible_patches = visible_patches_,
            .target_patches = target_patches_,
            .encoder_offsets = encoder_offsets(),
            .decoder_offsets = decoder_offsets(),
            .encoder_tokens = encoder_tokens(),
            .decoder_tokens = decoder_tokens(),
            .target_rows = target_rows_,
            .target_offsets = {target_offsets_}};
  }
  operator shard_view() const { return view(); }  // NOLINT(google-explicit-constructor)

  /// Rows of the shard's patches (images * N, P) that are visible, and that are predicted.
  std::span<index_t const> visible_patches() const { return visible_patches_; }
  std::span<index_t const> target_patches() const { return target_patches_; }
  row_offsets encoder_offsets() const { return {encoder_offsets_}; }
  row_offsets decoder_offsets() const { return {decoder_offsets_}; }
  /// From embedded visible patches to encoder rows.
  token_sources encoder_tokens() const {
    return {encoder_source_, encoder_position_, encoder_level_};
  }
  /// From encoder rows to decoder rows.
  token_sources decoder_tokens() const {
    return {decoder_source_, decoder_position_, decoder_level_};
  }
  /// The decoder rows of the targets, in the order of target_patches().
  std::span<index_t const> target_rows() const { return target_rows_; }

 private:
  void clear() {
    for (auto* rows : {&visible_patches_,
                       &target_patches_,
                       &encoder_source_,
                       &encoder_position_,
                       &decoder_source_,
                       &decoder_position_,
                       &target_rows_,
                       &encoder_level_,
                       &decoder_level_})
      rows->clear();
    encoder_offsets_.assign(1, 0);
    decoder_offsets_.assign(1, 0);
    target_offsets_.assign(1, 0);
  }

  void add_encoder_rows(std::span<patch_index const> visible, index_t base) {
    encoder_source_.push_back(token_sources::shared_token);
    encoder_position_.push_back(0);
    for (index_t const patch : visible) {
      encoder_source_.push_back(num_visible());
      encoder_position_.push_back(patch + 1);
      visible_patches_.push_back(base + patch);
    }
    encoder_offsets_.push_back(std::ssize(encoder_source_));
  }

  /// Merges the two ascending lists, so that present patches stand in their order.
  void add_decoder_rows(std::span<patch_index const> visible,
                        std::span<patch_index const> target,
                        index_t base,
                        predicted_patches predicted) {
    if (target.empty() && predicted == predicted_patches::targets) return;
    index_t encoder_row = encoder_offsets_.end()[-2];
    decoder_source_.push_back(encoder_row);
    decoder_position_.push_back(0);
    auto seen = visible.begin();
    auto hidden = target.begin();
    while (seen != visible.end() || hidden != target.end()) {
      bool const is_visible = hidden == target.end() || (seen != visible.end() && *seen < *hidden);
      index_t const patch = is_visible ? *seen++ : *hidden++;
      if (!is_visible || predicted == predicted_patches::all_present) {
        target_patches_.push_back(base + patch);
        target_rows_.push_back(std::ssize(decoder_source_));
      }
      decoder_source_.push_back(is_visible ? ++encoder_row : token_sources::shared_token);
      decoder_position_.push_back(patch + 1);
    }
    decoder_offsets_.push_back(std::ssize(decoder_source_));
  }

  index_t images_ = 0;
  std::vector<index_t> visible_patches_, target_patches_;
  std::vector<index_t> encoder_offsets_{0}, decoder_offsets_{0}, target_offsets_{0};
  std::vector<index_t> encoder_source_, encoder_position_;
  std::vector<index_t> decoder_source_, decoder_position_;
  std::vector<index_t> target_rows_;
  std::vector<index_t> encoder_level_, decoder_level_;  // none: tokens are not told
};

}  // namespace mae
