#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/mask/plan.hpp>
#include <mae/network/capacity.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/shard.hpp>
#include <mae/network/shard_input.hpp>
#include <mae/network/staging.hpp>
#include <mae/op/set_zero.hpp>

#include <array>
#include <bitset>
#include <cstddef>
#include <memory>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// What heads learn to predict: targets, unless one that is on says that it is all that is present.
template <class... Heads>
predicted_patches predicted_by(network_parts<Heads...> const& parts) {
  auto predicted = predicted_patches::targets;
  std::size_t number = 0;
  auto const ask = [&](auto const& head) {
    bool const is_on = parts.is_on(number++);
    if constexpr (requires { head.predicts(); })
      if (is_on && head.predicts() == predicted_patches::all_present) predicted = head.predicts();
  };
  std::apply([&](auto const&... head) { (ask(head), ...); }, parts.heads);
  return predicted;
}

}  // namespace detail

/// What one worker works on, shard after shard: a network's pass, the rows of its shard, and the
/// room into which the host's arrays are brought.
template <class Network>
class worker_pass {
  using B = typename Network::backend_type;
  using T = typename B::scalar;
  using lane_type = typename B::lane;
  using input_type = typename Network::input_type;
  using each_head = std::make_index_sequence<Network::num_heads>;

 public:
  using active_set = std::bitset<Network::num_heads>;
  /// The labels of each head, in the host's memory.
  using labels_type = std::array<matrix_view<T const>, Network::num_heads>;

  /// The network's constructor's arguments, the lane first.
  template <class... Arguments>
  explicit worker_pass(lane_type lane, Arguments const&... network)
      : network_(std::move(lane), network...) {}

  Network& network() { return network_; }
  lane_type const& lane() const { return network_.lane(); }
  /// Of the shard that was brought last, in the host's memory.
  shard_rows const& rows() const { return rows_; }

  /// Makes room, so that no larger shard allocates.
  void reserve(typename Network::parts_type const& parts, shard_capacity const& room) {
    network_.fit(room);
    bool const tells_levels = parts.levels.is_on();
    index_t const patches = parts.config.num_patches();
    rows_.reserve(room.images, patches, room.longest_encoder_sequence - 1, tells_levels);
    if (tells_levels) found_levels_.reserve(static_cast<std::size_t>(room.images * patches));
    shard_.reserve(room, 2 * parts.config.encoder.depth, tells_levels);
    patches_.reserve(room.visible * parts.config.patch_values());
    if constexpr (!B::uses_host_memory) {
      visible_.reserve(static_cast<std::size_t>(room.visible * parts.config.patch_values()));
      in_order_.reserve(static_cast<std::size_t>(room.visible));
    }
    reserve_labels(each_head{}, parts, room);
    row_weights_.reserve(room.targets);
  }

  /// Lays out images [first, last) of a plan, and brings them and their patches, labels and scales
  /// of residual branches to the backend, and the weights of the first head's rows (none: each
  /// counts once): valid until the next call. Predicted is what is asked for, or all where a head
  /// learns from that.
  input_type bring(mask_plan const& plan,
                   index_t first,
                   index_t last,
                   matrix_view<T const> patches,
                   labels_type const& labels = {},
                   matrix_view<float const> branch_scales = {},
                   predicted_patches predicted = predicted_patches::targets,
                   std::span<T const> row_weights = {}) {
    if (predicted == predicted_patches::targets) predicted = detail::predicted_by(network_.parts());
    rows_.assign(plan, first, last, predicted);
    if (network_.parts().levels.is_on()) tell_levels(patches);
    auto [shard, visible] = seen_of(patches);
    shard.branch_scales = branch_scales;
    input_type in{shard_.stage(lane(), shard), patches_.stage(lane(), visible), {}};
    for (std::size_t head = 0; head < labels.size(); ++head)
      in.labels[head] = labels_[head].stage(lane(), labels[head]);
    in.weights = row_weights_.stage(lane(), row_weights);
    return in;
  }

  /// Brings what the passes just done found of a shard to the host, where it is asked for.
  void tell(input_type const& in, told_rows<T> const& told) const {
    if (!told.losses.empty())
      lane().download(network_.losses(0, std::ssize(told.losses)), told.losses);
    if (!told.slopes.empty()) lane().download(network_.slopes(in.shard), told.slopes);
  }

  /// The summed losses of the active heads on a shard that was brought.
  std::array<double, Network::num_heads> losses(typename Network::operands_type const& weights,
                                                input_type const& in,
                                                active_set const& active) {
    if (totals_.size() == 0) totals_ = typename B::template buffer_of<double>(Network::num_heads);
    set_zero(lane(), totals_.span());
    network_.forward(weights, in, {.set = active}, totals_.data());
    std::array<double, Network::num_heads> sums{};
    lane().download(std::span<double const>(totals_.span()), std::span<double>(sums));
    return sums;
  }

 private:
  struct seen_patches {
    shard_view shard;
    matrix_view<T const> patches;
  };

  /// The shard, and of its patches those that are brought: all of them where the memory is the
  /// host's, elsewhere the visible ones alone, in their order.
  seen_patches seen_of(matrix_view<T const> patches) {
    seen_patches seen{rows_.view(), patches};
    index_t const visible = rows_.num_visible();
    if constexpr (!B::uses_host_memory)
      if (visible < patches.rows) {
        visible_.clear();
        in_order_.resize(static_cast<std::size_t>(visible));
        std::iota(in_order_.begin(), in_order_.end(), index_t{0});
        for (index_t const row : rows_.visible_patches())
          visible_.insert(visible_.end(), patches.row(row).begin(), patches.row(row).end());
        seen.shard.visible_patches = in_order_;
        seen.patches = {visible_.data(), visible, patches.cols};
      }
    return seen;
  }

  /// Finds the levels that tokens are told, of `patches` (images * N, P), normalised.
  void tell_levels(matrix_view<T const> patches) {
    auto const& parts = network_.parts();
    found_levels_.assign(static_cast<std::size_t>(patches.rows), token_sources::no_level);
    level_finder find(parts.levels, parts.config, level_pixels_);
    auto const find_all = [&](std::span<index_t const> rows) {
      for (index_t const row : rows)
        found_levels_[static_cast<std::size_t>(row)] = find(patches.row(row));
    };
    if (parts.levels.of_visible() > 0) find_all(rows_.visible_patches());
    if (parts.levels.of_hidden() > 0) find_all(rows_.target_patches());
    rows_.tell_levels(found_levels_, parts.levels.told);
  }

  template <std::size_t... I>
  void reserve_labels(std::index_sequence<I...> /*each*/,
                      typename Network::parts_type const& parts,
                      shard_capacity const& room) {
    ((parts.is_on(I) ? labels_[I].reserve(std::get<I>(parts.heads).label_rows(room) *
                                          std::get<I>(parts.heads).label_width())
                     : void()),
     ...);
  }

  Network network_;
  shard_rows rows_;
  staged_shard<B> shard_;
  staged_array<B, T> patches_;
  std::vector<T> visible_;         // of the shard, (V, P)
  std::vector<index_t> in_order_;  // 0, 1, ..., V - 1
  std::vector<index_t> found_levels_;
  std::vector<float> level_pixels_;
  std::array<staged_array<B, T>, Network::num_heads> labels_;
  staged_array<B, T> row_weights_;
  typename B::template buffer_of<double> totals_;
};

/// The passes of several workers, each on a lane of its own.
template <class Network>
class worker_passes {
  using B = typename Network::backend_type;

 public:
  template <class... Arguments>
  worker_passes(index_t workers, B const& backend, Arguments const&... network) {
    for (index_t i = 0; i < workers; ++i)
      passes_.push_back(std::make_unique<worker_pass<Network>>(backend.make_lane(), network...));
  }

  index_t size() const { return std::ssize(passes_); }
  worker_pass<Network>& operator[](index_t worker) const {
    return *passes_[static_cast<std::size_t>(worker)];
  }

 private:
  std::vector<std::unique_ptr<worker_pass<Network>>> passes_;
};

}  // namespace mae
