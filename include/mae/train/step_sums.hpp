#pragma once

#include <mae/core/types.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/head_shares.hpp>
#include <mae/train/report.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace mae {

/// What a step sums up of each head beside gradients, of all processes.
template <class Parts>
class step_sums {
  static constexpr std::size_t num_heads = Parts::num_heads;

 public:
  using of_each_head = std::array<double, num_heads>;

  explicit step_sums(Parts const& parts) {
    for (std::size_t head = 0; head < num_heads; ++head)
      reports_[head] = {.name = Parts::names()[head], .weight = parts.weights[head]};
  }

  /// Begins a step in which the heads have these weights.
  void clear(of_each_head const& weights) {
    counted_ = zero_losses_ = {};
    weighed_ = 0;
    for (std::size_t head = 0; head < num_heads; ++head) reports_[head].weight = weights[head];
  }

  /// Adds the weight of a batch's counted rows, a batch of `images` images of which this process
  /// has those from `first` on: weights that are no counts in the order of one process.
  template <Exchange E, class Batch>
  void count(E& exchange, Batch const& batch, index_t first, index_t images) {
    bool const in_order = batch.has_row_weights && exchange.ranks() > 1;
    for (std::size_t head = in_order ? 1 : 0; head < num_heads; ++head)
      counted_[head] += batch.labels[head].weight;
    if (!in_order) return;
    all_.assign(static_cast<std::size_t>(images), 0.0);
    weighed_ += sum_in_order(exchange, batch.image_weights, first, all_, received_);
  }
  /// The weight of the rows that were counted, in all processes: their number, where no mask weighs
  /// them; 1 of each head that couples images.
  template <Exchange E>
  of_each_head counted(E& exchange, std::array<bool, num_heads> const& coupling) {
    of_each_head all = counted_;
    if (exchange.ranks() > 1) sum_over_ranks(exchange, std::span<double>(all), received_);
    all[0] += weighed_;
    for (std::size_t head = 0; head < num_heads; ++head)
      if (coupling[head]) all[head] = reports_[head].weight == 0 ? 0 : 1;
    return all;
  }

  /// Adds what predicting zero costs on a batch of `images` images, of which this process has those
  /// from `first` on: in the order of one process.
  template <Exchange E, class Loader, class Batch>
  void add_zero_losses(
      E& exchange, Loader const& loader, Batch const& batch, index_t first, index_t images) {
    for (std::size_t head = 0; head < num_heads; ++head) {
      if (batch.labels[head].width == 0) continue;
      if (exchange.ranks() == 1) {
        zero_losses_[head] += batch.labels[head].zero_loss;
        continue;
      }
      all_.assign(static_cast<std::size_t>(images), 0.0);
      zero_losses_[head] +=
          sum_in_order(exchange, loader.zero_losses(head), first, all_, received_);
    }
  }

  /// Each head's mean loss, and their weighted sum, in the step's report.
  void report(of_each_head const& losses, of_each_head const& counted, step_report& step) {
    step.loss = step.baseline = 0;
    for (std::size_t head = 0; head < num_heads; ++head) {
      auto& of = reports_[head];
      of.counted = counted[head];
      of.loss = of.baseline = 0;
      if (of.weight == 0 || counted[head] == 0) continue;
      of.loss = losses[head] / counted[head];
      of.baseline = zero_losses_[head] / counted[head];
      step.loss += of.weight * of.loss;
      step.baseline += of.weight * of.baseline;
    }
    step.heads = reports_;
  }

 private:
  of_each_head counted_{};
  double weighed_ = 0;  // of the first head, in all processes
  of_each_head zero_losses_{};
  std::array<head_report, num_heads> reports_;
  std::vector<double> all_, received_;
};

}  // namespace mae
