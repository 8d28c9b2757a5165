#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/shard.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace mae {

/// Brings the host's arrays into a backend's memory, one after the other: the array itself where
/// the memory is the host's, elsewhere a copy, which is valid until the next. Grows with the
/// largest array seen or reserved for.
template <Backend B, class T>
class staged_array {
 public:
  std::span<T const> stage(typename B::lane const& lane, std::span<T const> host) {
    if constexpr (B::uses_host_memory) {
      return host;
    } else {
      if (host.empty()) return {};
      reserve(static_cast<index_t>(host.size()));
      std::span<T> const copy(memory_.data(), host.size());
      lane.upload(host, copy);
      return copy;
    }
  }
  matrix_view<T const> stage(typename B::lane const& lane, matrix_view<T const> host) {
    auto const values = stage(lane, std::span(host.data, static_cast<std::size_t>(host.size())));
    return {values.data(), host.rows, host.cols};
  }
  /// Makes room for arrays of so many values.
  void reserve(index_t size) {
    if constexpr (!B::uses_host_memory)
      if (memory_.size() < size) memory_ = typename B::template buffer_of<T>(size);
  }

 private:
  typename B::template buffer_of<T> memory_;
};

/// The same for a shard's lists of rows.
template <Backend B>
class staged_shard {
  using list = staged_array<B, index_t>;

 public:
  /// Makes room for shards of no more rows, of an encoder of so many residual branches, whose
  /// tokens are told levels or not.
  void reserve(shard_capacity const& room, index_t branches, bool tells_levels = false) {
    branch_scales_.reserve(room.images * branches);
    encoder_level_.reserve(tells_levels ? room.encoder_rows : 0);
    decoder_level_.reserve(tells_levels ? room.decoder_rows : 0);
    visible_patches_.reserve(room.visible);
    for (list* const staged : {&target_patches_, &target_rows_}) staged->reserve(room.targets);
    for (list* const staged : {&encoder_offsets_, &decoder_offsets_, &target_offsets_})
      staged->reserve(room.images + 1);
    for (list* const staged : {&encoder_source_, &encoder_position_})
      staged->reserve(room.encoder_rows);
    for (list* const staged : {&decoder_source_, &decoder_position_})
      staged->reserve(room.decoder_rows);
  }

  shard_view stage(typename B::lane const& lane, shard_view const& host) {
    auto const offsets = [&](list& staged, row_offsets const& from) {
      return row_offsets(staged.stage(lane, from.values()), from.longest());
    };
    return {.images = host.images,
            .visible_patches = visible_patches_.stage(lane, host.visible_patches),
            .target_patches = target_patches_.stage(lane, host.target_patches),
            .encoder_offsets = offsets(encoder_offsets_, host.encoder_offsets),
            .decoder_offsets = offsets(decoder_offsets_, host.decoder_offsets),
            .encoder_tokens = {encoder_source_.stage(lane, host.encoder_tokens.source),
                               encoder_position_.stage(lane, host.encoder_tokens.position),
                               encoder_level_.stage(lane, host.encoder_tokens.level)},
            .decoder_tokens = {decoder_source_.stage(lane, host.decoder_tokens.source),
                               decoder_position_.stage(lane, host.decoder_tokens.position),
                               decoder_level_.stage(lane, host.decoder_tokens.level)},
            .target_rows = target_rows_.stage(lane, host.target_rows),
            .target_offsets = offsets(target_offsets_, host.target_offsets),
            .branch_scales = branch_scales_.stage(lane, host.branch_scales)};
  }

 private:
  list visible_patches_, target_patches_, encoder_offsets_, decoder_offsets_, encoder_source_,
      encoder_position_, decoder_source_, decoder_position_, target_rows_, target_offsets_,
      encoder_level_, decoder_level_;
  staged_array<B, float> branch_scales_;
};

/// Values of a backend's memory as the host reads them: the values themselves, or a copy.
template <Backend B>
class host_values {
  using T = typename B::scalar;

 public:
  host_values(B const& backend, std::span<T const> values) : values_(values) {
    if constexpr (!B::uses_host_memory) {
      copy_.resize(values.size());
      backend.make_lane().download(values, std::span(copy_));
      values_ = copy_;
    }
  }
  host_values(host_values const&) = delete;
  host_values& operator=(host_values const&) = delete;
  host_values(host_values&&) noexcept = default;  // what a span shows stays where it is
  host_values& operator=(host_values&&) noexcept = default;
  ~host_values() = default;

  std::span<T const> span() const { return values_; }

 private:
  std::span<T const> values_;
  std::vector<T> copy_;
};

}  // namespace mae
