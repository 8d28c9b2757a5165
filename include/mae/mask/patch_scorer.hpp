#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/log_information.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace mae {

/// What a mask's own network is made and trained by.
struct patch_scorer_options {
  index_t hidden = 32;  // units
  double lr = 1e-3;     // of Adam (Kingma and Ba 2014), beta 0.9 and 0.999
  std::uint64_t seed = 0;
};

/// A small network that gives each patch of an image a number, from what is in it and where it is:
/// s(x, n) = w . relu(V x + q_n). x are the patch's values and its log-information, q_n is learned
/// for each place n. It has no constant of its own: only differences of numbers count.
///
/// Runs on the host, in float, one image a call; its gradients are summed in double. At first all
/// numbers are 0.
class patch_scorer {
 public:
  /// What files keep: parameters, Adam's moments of them, and how many updates there were.
  static constexpr std::array state_names{"parameters", "moment1", "moment2", "updates"};

  /// Throws config_error for sizes below 1 and a learning rate that is not positive and finite.
  patch_scorer(model_config const& config, patch_scorer_options const& options)
      : values_(config.patch_values()),
        places_(config.num_patches()),
        hidden_(options.hidden),
        lr_(options.lr) {
    if (hidden_ < 1 || !(lr_ > 0) || !std::isfinite(lr_))
      throw config_error(
          "a mask's network needs at least one hidden unit and a positive learning rate");
    parameters_.resize(static_cast<std::size_t>((inputs() + places_ + 1) * hidden_));
    for (auto& moments : moments_) moments.resize(parameters_.size());
    random_stream random({.seed = options.seed, .use = purpose::mask_network});
    double const scale = 1 / std::sqrt(static_cast<double>(inputs()));
    for (index_t i = 0; i < inputs() * hidden_; ++i)
      parameters_[static_cast<std::size_t>(i)] = static_cast<float>(scale * random.normal());
  }

  index_t num_parameters() const { return static_cast<index_t>(parameters_.size()); }

  /// Writes all patches' numbers. Throws config_error for an image of other patches than the
  /// network's, and where one is not finite: the training has diverged.
  void score(mask_context const& image, std::span<float> scores) const {
    require_patches(image);
    std::vector<float> room(static_cast<std::size_t>(inputs() + hidden_));
    for (index_t n = 0; n < places_; ++n) {
      float const* const units = activate(image, n, room.data());
      float sum = 0;
      for (index_t j = 0; j < hidden_; ++j) sum += weights()[j] * units[j];
      if (!std::isfinite(sum))
        throw config_error("the mask's network gives patch " + std::to_string(n) +
                           " no finite number: its training has diverged; lower its learning rate");
      scores[static_cast<std::size_t>(n)] = sum;
    }
  }

  /// Adds the parameters' gradient, of which `slopes` (N) are those of the numbers, to the first
  /// num_parameters() of `sums`; patches of slope 0 are passed over.
  void add_gradient(mask_context const& image,
                    std::span<double const> slopes,
                    std::span<double> sums) const {
    std::vector<float> rows;  // of each patch its inputs, and the slopes of its units
    std::vector<float> room(static_cast<std::size_t>(inputs() + hidden_));
    double* const of_weights = sums.data() + (inputs() + places_) * hidden_;
    for (index_t n = 0; n < places_; ++n) {
      double const slope = slopes[static_cast<std::size_t>(n)];
      if (slope == 0) continue;
      float* const units = activate(image, n, room.data());
      double* const of_place = sums.data() + (inputs() + n) * hidden_;
      for (index_t j = 0; j < hidden_; ++j) {
        double const of_unit = units[j] > 0 ? slope * weights()[j] : 0;
        of_weights[j] += slope * units[j];
        of_place[j] += of_unit;
        units[j] = static_cast<float>(of_unit);
      }
      rows.insert(rows.end(), room.begin(), room.end());
    }
    add_products(rows, sums);
  }

  /// A step of Adam by the mean over so many images of gradients that were summed.
  void update(std::span<double const> sums, index_t images) {
    constexpr double epsilon = 1e-8;
    updates_ += 1;
    double const first = 1 - std::pow(0.9, static_cast<double>(updates_));
    double const second = 1 - std::pow(0.999, static_cast<double>(updates_));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      double const slope = sums[i] / static_cast<double>(images);
      double const mean = 0.9 * static_cast<double>(moments_[0][i]) + 0.1 * slope;
      double const square = 0.999 * static_cast<double>(moments_[1][i]) + 0.001 * slope * slope;
      moments_[0][i] = static_cast<float>(mean);
      moments_[1][i] = static_cast<float>(square);
      parameters_[i] -=
          static_cast<float>(lr_ * (mean / first) / (std::sqrt(square / second) + epsilon));
    }
  }

  std::span<float const> state(std::size_t k) const {
    return k == 0  ? std::span<float const>(parameters_)
           : k < 3 ? std::span<float const>(moments_[k - 1])
                   : std::span<float const>(&updates_, 1);
  }
  std::span<float> state(std::size_t k) {
    return k == 0  ? std::span(parameters_)
           : k < 3 ? std::span(moments_[k - 1])
                   : std::span(&updates_, 1);
  }

 private:
  index_t inputs() const { return values_ + 1; }
  float const* weights() const { return parameters_.data() + (inputs() + places_) * hidden_; }

  void require_patches(mask_context const& image) const {
    if (image.patches.rows != places_ || image.patches.cols != values_)
      throw config_error("the mask's network is made for " + std::to_string(places_) +
                         " patches of " + std::to_string(values_) + " values, an image has " +
                         std::to_string(image.patches.rows) + " of " +
                         std::to_string(image.patches.cols));
  }

  /// Units that are worked on at once, in registers.
  static constexpr index_t at_once = 32;
  using part = std::array<float, at_once>;

  /// Calls work(first unit, number) for all units; the number is mostly a constant.
  template <class Work>
  void for_units(Work const& work) const {
    index_t first = 0;
    for (; first + at_once <= hidden_; first += at_once)
      work(first, std::integral_constant<index_t, at_once>());
    if (first < hidden_) work(first, hidden_ - first);
  }

  /// Writes patch n's inputs to `room`; returns its hidden units, which lie behind them.
  float* activate(mask_context const& image, index_t n, float* room) const {
    auto const patch = image.patches.row(n);
    for (std::size_t p = 0; p < patch.size(); ++p) room[p] = 4 * (patch[p] - 0.5F);
    // About -8.3, of no information, to -1: to the range of the others.
    room[patch.size()] = 0.5F * (static_cast<float>(log_information(patch, image.channels)) + 5);
    float* const units = room + inputs();
    float const* const place = parameters_.data() + (inputs() + n) * hidden_;
    for_units([&](index_t first, auto number) {
      part sums{};
      for (index_t j = 0; j < number; ++j) at(sums, j) = place[first + j];
      for (index_t p = 0; p < inputs(); ++p) {
        float const* const row = parameters_.data() + p * hidden_ + first;
        for (index_t j = 0; j < number; ++j) at(sums, j) += room[p] * row[j];
      }
      for (index_t j = 0; j < number; ++j) units[first + j] = std::max(at(sums, j), 0.0F);
    });
    return units;
  }

  /// Adds the products of inputs and units' slopes, summed over patches.
  void add_products(std::vector<float> const& rows, std::span<double> sums) const {
    index_t const each = inputs() + hidden_;
    auto const all = static_cast<index_t>(rows.size());
    for (index_t p = 0; p < inputs(); ++p)
      for_units([&](index_t first, auto number) {
        part products{};
        for (index_t row = 0; row < all; row += each) {
          float const* const slopes = rows.data() + row + inputs() + first;
          float const input = rows[static_cast<std::size_t>(row + p)];
          for (index_t j = 0; j < number; ++j) at(products, j) += input * slopes[j];
        }
        double* const to = sums.data() + p * hidden_ + first;
        for (index_t j = 0; j < number; ++j) to[j] += at(products, j);
      });
  }

  static float& at(part& values, index_t j) { return values[static_cast<std::size_t>(j)]; }

  index_t values_;
  index_t places_;
  index_t hidden_;
  double lr_;
  std::vector<float> parameters_;              // V (P + 1, hidden), q (N, hidden), w (hidden)
  std::array<std::vector<float>, 2> moments_;  // likewise
  float updates_ = 0;
};

}  // namespace mae
