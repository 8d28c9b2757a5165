#pragma once

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace mae {

/// Numbers the connected parts of a mask's foreground (values above 0, 255 being none) from 1 on,
/// in the order of their first pixels; neighbours are the four beside a pixel. Parts of fewer than
/// `least` pixels become background.
inline std::vector<std::uint32_t> connected_components(std::span<std::uint8_t const> mask,
                                                       map_shape const& shape,
                                                       index_t least = 1) {
  assert(static_cast<index_t>(mask.size()) == shape.size());
  constexpr std::uint8_t none = 255;
  std::vector<std::uint32_t> parts(mask.size());
  std::vector<index_t> waiting;
  std::vector<index_t> own;
  std::uint32_t number = 0;
  auto const is_open = [&](index_t at) {
    auto const i = static_cast<std::size_t>(at);
    return mask[i] > 0 && mask[i] != none && parts[i] == 0;
  };
  std::vector<bool> dropped(mask.size());
  for (index_t start = 0; start < shape.size(); ++start) {
    if (!is_open(start) || dropped[static_cast<std::size_t>(start)]) continue;
    ++number;
    own.clear();
    waiting.assign(1, start);
    parts[static_cast<std::size_t>(start)] = number;
    while (!waiting.empty()) {
      index_t const at = waiting.back();
      waiting.pop_back();
      own.push_back(at);
      index_t const column = at % shape.columns;
      auto const visit = [&](bool inside, index_t to) {
        if (!inside || !is_open(to)) return;
        parts[static_cast<std::size_t>(to)] = number;
        waiting.push_back(to);
      };
      visit(column > 0, at - 1);
      visit(column + 1 < shape.columns, at + 1);
      visit(at >= shape.columns, at - shape.columns);
      visit(at + shape.columns < shape.size(), at + shape.columns);
    }
    if (std::ssize(own) >= least) continue;
    for (index_t const at : own) {
      parts[static_cast<std::size_t>(at)] = 0;
      dropped[static_cast<std::size_t>(at)] = true;
    }
    --number;
  }
  return parts;
}

/// How instances that were found agree with those that are there, at overlaps (IoU) of 0.5, 0.55,
/// ..., 0.95. A pair with an IoU above one half is the only one of both; at exactly one half the
/// first counts.
class instance_matches {
 public:
  static constexpr std::size_t num_thresholds = 10;

  /// Of one image; 0 is background.
  template <std::integral Truth, std::integral Found>
  void add(std::span<Truth const> truth, std::span<Found const> found) {
    assert(truth.size() == found.size());
    std::map<Truth, index_t> truth_sizes;
    std::map<Found, index_t> found_sizes;
    std::map<std::pair<Truth, Found>, index_t> shared;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (truth[i] > 0) ++truth_sizes[truth[i]];
      if (found[i] > 0) ++found_sizes[found[i]];
      if (truth[i] > 0 && found[i] > 0) ++shared[{truth[i], found[i]}];
    }
    truth_ += std::ssize(truth_sizes);
    found_ += std::ssize(found_sizes);
    std::array<index_t, num_thresholds> hits{};
    std::map<Truth, bool> taken_truth;
    std::map<Found, bool> taken_found;
    for (auto const& [pair, both] : shared) {
      index_t const either = truth_sizes[pair.first] + found_sizes[pair.second] - both;
      for (std::size_t t = 0; t < num_thresholds; ++t) {
        // both / either >= 0.5 + 0.05 t, in whole numbers
        if (20 * both < (10 + static_cast<index_t>(t)) * either) break;
        if (t == 0 && (std::exchange(taken_truth[pair.first], true) ||
                       std::exchange(taken_found[pair.second], true)))
          break;
        ++hits[t];
      }
    }
    for (std::size_t t = 0; t < num_thresholds; ++t) matched_[t] += hits[t];
  }

  index_t truth() const { return truth_; }
  index_t found() const { return found_; }
  /// 2 TP / (2 TP + FP + FN), over all images; 1 where there is nothing and nothing was found.
  double f1(std::size_t threshold = 0) const {
    index_t const all = truth_ + found_;
    return all == 0 ? 1 : 2 * static_cast<double>(matched_[threshold]) / static_cast<double>(all);
  }
  /// TP / (TP + FP + FN), over all images (what the Data Science Bowl 2018 and StarDist call
  /// average precision).
  double average_precision(std::size_t threshold = 0) const {
    index_t const all = truth_ + found_ - matched_[threshold];
    return all == 0 ? 1 : static_cast<double>(matched_[threshold]) / static_cast<double>(all);
  }
  /// Its mean over all thresholds.
  double mean_average_precision() const {
    double sum = 0;
    for (std::size_t t = 0; t < num_thresholds; ++t) sum += average_precision(t);
    return sum / static_cast<double>(num_thresholds);
  }

 private:
  index_t truth_ = 0;
  index_t found_ = 0;
  std::array<index_t, num_thresholds> matched_{};  // pairs
};

}  // namespace mae
