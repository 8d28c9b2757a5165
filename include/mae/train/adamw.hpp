#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/model/layout.hpp>
#include <mae/op/adamw.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// AdamW's constants; the learning rate comes with each step.
struct adamw_options {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.05;
};

/// AdamW over a flat block of parameters. Its moments are flat arrays of the same layout.
template <Backend B>
class adamw {
  using T = typename B::scalar;

 public:
  adamw(parameter_layout const& layout, adamw_options const& options, B backend)
      : options_(options),
        backend_(std::move(backend)),
        first_moments_(layout.size()),
        second_moments_(layout.size()) {
    if constexpr (!B::lane::is_parallel) {
      for (auto const& tensor : layout.tensors())
        if (tensor.kind == tensor_kind::parameter) cut(tensor);
    } else {
      set_rules(layout);
    }
  }

  /// Updates `values` by the gradients times `gradient_scale`: 1 / W for a sum over W targets, less
  /// where a gradient is clipped.
  void step(std::span<T> values, std::span<T const> gradients, double lr, double gradient_scale) {
    ++steps_;
    auto const t = static_cast<double>(steps_);
    adamw_factors<T> const factors{
        .beta1 = static_cast<T>(options_.beta1),
        .beta2 = static_cast<T>(options_.beta2),
        .epsilon = static_cast<T>(options_.epsilon),
        .gradient_scale = static_cast<T>(gradient_scale),
        .decay = static_cast<T>(1.0 - lr * options_.weight_decay),
        .step_size = static_cast<T>(lr / (1.0 - std::pow(options_.beta1, t))),
        .second_correction = static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t)))};
    if constexpr (!B::lane::is_parallel)
      step_pieces(values, gradients, factors);
    else
      adamw_block_step(backend_.make_lane(),
                       values,
                       first_moments_.data(),
                       second_moments_.data(),
                       gradients.data(),
                       factors,
                       rules_.data(),
                       tensor_alignment);
  }

  std::int64_t steps() const { return steps_; }
  /// In the backend's memory.
  std::span<T const> first_moments() const { return first_moments_.span(); }
  std::span<T const> second_moments() const { return second_moments_.span(); }
  /// Continues after `steps` steps, with moments that lie in the host's memory.
  void resume(std::int64_t steps,
              std::span<T const> first_moments,
              std::span<T const> second_moments) {
    auto const lane = backend_.make_lane();
    lane.upload(first_moments, first_moments_.span());
    lane.upload(second_moments, second_moments_.span());
    steps_ = steps;
  }

 private:
  struct tensor_piece {
    index_t offset;
    index_t size;
    bool decays;
  };

  /// Large tensors become several pieces, so that all cores have work.
  void cut(tensor_spec const& tensor) {
    constexpr index_t largest = 1 << 14;
    for (index_t done = 0; done < tensor.size(); done += largest)
      pieces_.push_back({.offset = tensor.offset + done,
                         .size = std::min(largest, tensor.size() - done),
                         .decays = tensor.decays});
  }

  void step_pieces(std::span<T> values,
                   std::span<T const> gradients,
                   adamw_factors<T> const& factors) {
    backend_.threads().for_each(std::ssize(pieces_), [&](index_t i, int /*worker*/) {
      auto const& piece = pieces_[static_cast<std::size_t>(i)];
      auto mine = factors;
      if (!piece.decays) mine.decay = T{1};
      adamw_step(backend_.make_lane(),
                 piece.size,
                 values.data() + piece.offset,
                 first_moments_.data() + piece.offset,
                 second_moments_.data() + piece.offset,
                 gradients.data() + piece.offset,
                 mine);
    });
  }

  /// What is done to each group of neighbours: a tensor begins with a group of its own.
  void set_rules(parameter_layout const& layout) {
    std::vector<adamw_rule> rules(
        static_cast<std::size_t>(ceil_div(layout.size(), tensor_alignment)), adamw_rule::leave);
    for (auto const& tensor : layout.tensors())
      if (tensor.kind == tensor_kind::parameter)
        std::fill_n(rules.begin() + tensor.offset / tensor_alignment,
                    ceil_div(tensor.size(), tensor_alignment),
                    tensor.decays ? adamw_rule::update_and_decay : adamw_rule::update);
    rules_ = typename B::template buffer_of<adamw_rule>(std::ssize(rules));
    backend_.make_lane().upload(std::span<adamw_rule const>(rules), rules_.span());
  }

  adamw_options options_;
  B backend_;
  typename B::buffer first_moments_;
  typename B::buffer second_moments_;
  std::vector<tensor_piece> pieces_;                  // where lanes share them out
  typename B::template buffer_of<adamw_rule> rules_;  // where one lane takes all at once
  std::int64_t steps_ = 0;
};

}  // namespace mae
