#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/update_groups.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {
inline namespace MAE_ISA {

/// What a step does to the values of a group of neighbours.
enum class update_kind : std::uint8_t { leave, update, update_and_decay };

namespace kernel {

/// An element functor for the values from `first` on.
template <class Element>
struct element_from {
  Element element;
  index_t first;

  MAE_HOST_DEVICE void operator()(index_t i) const { element(first + i); }
};

/// One for a block of tensors: `kinds` has one for each `group` neighbours.
template <class Element>
struct element_of_groups {
  Element plain;
  Element decaying;
  update_kind const* kinds;
  index_t group;
  index_t first;  // value, of the block

  MAE_HOST_DEVICE void operator()(index_t i) const {
    update_kind const kind = kinds[(first + i) / group];
    if (kind == update_kind::update) plain(first + i);
    if (kind == update_kind::update_and_decay) decaying(first + i);
  }
};

template <class T>
struct copy_element {
  T const* from;
  T* to;

  MAE_HOST_DEVICE void operator()(index_t i) const { to[i] = from[i]; }
};

}  // namespace kernel

/// A rule over a flat block of parameters; its states are flat arrays of the same layout. A warm
/// step allocates nothing, and its bits depend on no number of threads.
template <UpdateRule Rule, Backend B>
class optimizer {
  using T = typename B::scalar;

 public:
  /// Throws config_error for groups that cannot be.
  optimizer(parameter_layout const& layout,
            Rule const& rule,
            B backend,
            update_groups const& groups = {})
      : rule_(rule), groups_(groups), backend_(std::move(backend)) {
    require_valid(groups);
    if (groups.frozen > 0 && groups.frozen_from > 0 && averages())
      throw config_error(
          "an encoder that is frozen during a training has no average any more: freeze it from the "
          "first step, or leave the average");
    for (std::size_t k = 0; k < std::size(rule_.state_names); ++k) {
      states_.emplace_back(layout.size());
      state_data_.push_back(states_.back().data());
    }
    index_t deepest = 0;
    for (auto const& tensor : layout.tensors()) deepest = std::max(deepest, tensor.depth);
    for (auto const& tensor : layout.tensors()) {
      begin_range(tensor.offset,
                  std::pow(groups.layer_decay, deepest - tensor.depth),
                  is_frozen(tensor) && groups.frozen_from > 0);
      if (is_updated(tensor)) cut(tensor);
      ranges_.back().last_value = tensor.offset + round_up(tensor.size(), tensor_alignment);
      ranges_.back().last_piece = std::ssize(pieces_);
    }
    if constexpr (B::lane::is_parallel) set_kinds(layout);
  }

  /// Copies `values` into the states that begin as the parameters. A step that is the first does
  /// so itself; before it, this makes them ones that can be read.
  void begin(std::span<T const> values) {
    for (std::size_t k = 0; k < states_.size(); ++k)
      if (begins_as_parameters<Rule>(k))
        backend_.make_lane().for_each(std::ssize(values),
                                      kernel::copy_element<T>{values.data(), state_data_[k]});
  }

  /// Updates `values` by the gradients times `gradient_scale`: 1 / W for a sum over W targets, less
  /// where a gradient is clipped. `progress` of the whole training, in [0, 1], is for rules that
  /// follow a schedule.
  void step(std::span<T> values,
            std::span<T const> gradients,
            double lr,
            double gradient_scale,
            double progress = 0) {
    if (steps_ == 0) begin(values);
    ++steps_;
    update_arrays<T> const arrays{values.data(), gradients.data(), state_data_};
    for (auto const& range : ranges_) {
      if (range.freezes && progress >= groups_.frozen_from) continue;
      update_moment moment{.step = steps_,
                           .progress = progress,
                           .lr = lr * range.rate,
                           .gradient_scale = gradient_scale};
      auto const plain = rule_.element(moment, arrays);
      moment.decays = true;
      update(range, plain, rule_.element(moment, arrays));
    }
  }

  Rule const& rule() const { return rule_; }
  std::int64_t steps() const { return steps_; }
  /// The state of this name, in the backend's memory. Throws config_error for a name that the rule
  /// does not have.
  std::span<T const> state(std::string_view name) const {
    for (std::size_t k = 0; k < states_.size(); ++k)
      if (name == rule_.state_names[k]) return states_[k].span();
    throw config_error("the update rule " + rule_.name() + " has no state named " +
                       std::string(name));
  }
  /// Continues after `steps` steps, with states that lie in the host's memory, in the rule's order.
  void resume(std::int64_t steps, std::span<std::span<T const> const> states) {
    auto const lane = backend_.make_lane();
    for (std::size_t k = 0; k < states_.size(); ++k) lane.upload(states[k], states_[k].span());
    steps_ = steps;
  }

 private:
  struct tensor_piece {
    index_t offset;
    index_t size;
    bool decays;
  };
  /// Neighbours of one learning rate.
  struct rate_range {
    double rate = 1;       // times the step's
    bool freezes = false;  // during the training
    index_t first_value = 0, last_value = 0;
    index_t first_piece = 0, last_piece = 0;
  };

  /// Whether a state begins as the parameters, as an average of theirs does.
  bool averages() const {
    for (std::size_t k = 0; k < std::size(rule_.state_names); ++k)
      if (begins_as_parameters<Rule>(k)) return true;
    return false;
  }
  bool is_frozen(tensor_spec const& tensor) const {
    return tensor.segment == encoder_segment && tensor.depth < groups_.frozen;
  }
  bool is_updated(tensor_spec const& tensor) const {
    return tensor.kind == tensor_kind::parameter && (groups_.frozen_from > 0 || !is_frozen(tensor));
  }
  bool decays(tensor_spec const& tensor) const {
    return tensor.decays && (groups_.tokens_decay || !tensor.is_token);
  }
  void begin_range(index_t first_value, double rate, bool freezes) {
    if (!ranges_.empty() && ranges_.back().rate == rate && ranges_.back().freezes == freezes)
      return;
    ranges_.push_back({.rate = rate,
                       .freezes = freezes,
                       .first_value = first_value,
                       .first_piece = std::ssize(pieces_)});
  }

  /// Large tensors become several pieces, so that all cores have work.
  void cut(tensor_spec const& tensor) {
    constexpr index_t largest = 1 << 14;
    for (index_t done = 0; done < tensor.size(); done += largest)
      pieces_.push_back({.offset = tensor.offset + done,
                         .size = std::min(largest, tensor.size() - done),
                         .decays = decays(tensor)});
  }

  /// What is done to each group of neighbours: a tensor begins with a group of its own.
  void set_kinds(parameter_layout const& layout) {
    std::vector<update_kind> kinds(
        static_cast<std::size_t>(ceil_div(layout.size(), tensor_alignment)), update_kind::leave);
    for (auto const& tensor : layout.tensors())
      if (is_updated(tensor))
        std::fill_n(kinds.begin() + tensor.offset / tensor_alignment,
                    ceil_div(tensor.size(), tensor_alignment),
                    decays(tensor) ? update_kind::update_and_decay : update_kind::update);
    kinds_ = typename B::template buffer_of<update_kind>(std::ssize(kinds));
    backend_.make_lane().upload(std::span<update_kind const>(kinds), kinds_.span());
  }

  template <class Element>
  void update(rate_range const& range, Element const& plain, Element const& decaying) {
    if constexpr (B::lane::is_parallel)
      backend_.make_lane().for_each(
          range.last_value - range.first_value,
          kernel::element_of_groups<Element>{
              plain, decaying, kinds_.data(), tensor_alignment, range.first_value});
    else
      backend_.threads().for_each(
          range.last_piece - range.first_piece, [&](index_t i, int /*worker*/) {
            auto const& piece = pieces_[static_cast<std::size_t>(range.first_piece + i)];
            backend_.make_lane().for_each(
                piece.size,
                kernel::element_from<Element>{piece.decays ? decaying : plain, piece.offset});
          });
  }

  Rule rule_;
  update_groups groups_;
  B backend_;
  std::vector<typename B::buffer> states_;
  std::vector<T*> state_data_;  // where they lie
  std::vector<rate_range> ranges_;
  std::vector<tensor_piece> pieces_;                   // where threads share them out
  typename B::template buffer_of<update_kind> kinds_;  // where one lane takes all at once
  std::int64_t steps_ = 0;
};

}  // namespace MAE_ISA
}  // namespace mae
