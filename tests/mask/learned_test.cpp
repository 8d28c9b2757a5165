#include "mask_images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/drawn_set.hpp>
#include <mae/mask/learned.hpp>
#include <mae/mask/patch_scorer.hpp>
#include <mae/mask/sampling.hpp>
#include <mae/mask/uniform.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

using mae::index_t;
using mask_images::plan_of;
using mask_images::visible_positions;

namespace {

constexpr mae::model_config config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 1, .width = 12, .heads = 1},
    .decoder = {.depth = 1, .width = 12, .heads = 1},
};

mask_images::patched_image noisy_image(std::uint64_t seed) {
  mask_images::patched_image image;
  mae::random_stream random({.seed = seed, .use = mae::purpose::synthetic});
  for (float& value : image.values) value = random.uniform();
  return image;
}

/// A network whose numbers differ.
template <class Mask>
void scatter(Mask& mask, float size) {
  mae::random_stream random({.seed = 3, .use = mae::purpose::probe});
  for (float& value : mask.state(0)) value = size * static_cast<float>(random.normal());
}

/// A network whose units are far from where they switch, off in every fourth: its numbers are then
/// bilinear in the parameters, and their differences exact but for rounding.
template <class Network>
void make_smooth(Network& network, index_t hidden) {
  scatter(network, 0.05F);
  auto const parameters = network.state(0);
  constexpr index_t inputs = mask_images::patch_values + 1;
  for (index_t i = inputs * hidden; i < (inputs + mask_images::patches) * hidden; ++i)
    parameters[static_cast<std::size_t>(i)] += i % hidden == 3 ? -3.0F : 3.0F;
  for (std::size_t j = 0; j < static_cast<std::size_t>(hidden); ++j)
    parameters[parameters.size() - 1 - j] += 0.2F;
}

/// The probability of a set by adding up all orders in which it can be drawn.
double by_all_orders(std::vector<double> const& weights, std::vector<std::size_t> set) {
  std::sort(set.begin(), set.end());
  double all = 0;
  do {
    double left = std::accumulate(weights.begin(), weights.end(), 0.0);
    double probability = 1;
    for (std::size_t const i : set) {
      probability *= weights[i] / left;
      left -= weights[i];
    }
    all += probability;
  } while (std::next_permutation(set.begin(), set.end()));
  return all;
}

double log_probability(std::vector<double> const& weights, std::vector<std::size_t> const& set) {
  std::vector<double> drawn;
  double outside = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (std::size_t const i : set) {
    drawn.push_back(weights[i]);
    outside -= weights[i];
  }
  return mae::drawn_set(drawn, outside).log_probability();
}

}  // namespace

TEST_CASE("a drawn set has the probability of all its orders") {
  std::vector<double> const weights = {0.1, 2.0, 0.7, 30.0, 1.0, 1e-3, 4.0};
  for (auto const& set : std::vector<std::vector<std::size_t>>{
           {0}, {3}, {5}, {0, 1}, {3, 5}, {1, 2, 6}, {0, 2, 5}, {0, 1, 2, 4, 5}, {1, 3, 4, 6}}) {
    CAPTURE(set.size());
    CHECK(std::exp(log_probability(weights, set)) ==
          doctest::Approx(by_all_orders(weights, set)).epsilon(1e-7));
  }
  // With equal weights each of the sets is as likely as another: 1 / (64 choose 16).
  std::vector<double> const equal(16, 0.25);
  CHECK(mae::drawn_set(equal, 12.0).log_probability() ==
        doctest::Approx(-std::lgamma(65.0) + std::lgamma(17.0) + std::lgamma(49.0)).epsilon(1e-9));
}

TEST_CASE("the slopes of a drawn set's probability are its differences") {
  std::vector<double> const logits = {-1.0, 0.5, 0.2, 2.0, 0.0, -3.0, 1.0};
  std::vector<std::size_t> const set = {1, 3, 5};
  auto const at = [&](std::size_t moved, double by) {
    std::vector<double> weights;
    for (std::size_t i = 0; i < logits.size(); ++i)
      weights.push_back(std::exp(logits[i] + (i == moved ? by : 0)));
    return log_probability(weights, set);
  };
  std::vector<double> drawn;
  double outside = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) outside += std::exp(logits[i]);
  for (std::size_t const i : set) {
    drawn.push_back(std::exp(logits[i]));
    outside -= drawn.back();
  }
  mae::drawn_set const found(drawn, outside);
  for (std::size_t k = 0; k < set.size(); ++k)
    CHECK(found.slopes()[k] ==
          doctest::Approx((at(set[k], 1e-4) - at(set[k], -1e-4)) / 2e-4).epsilon(1e-5));
}

TEST_CASE("a patch scorer's gradient is its differences") {
  auto const image = noisy_image(1);
  mae::patch_scorer network(config, {.hidden = 5});
  make_smooth(network, 5);
  std::vector<double> slopes(mask_images::patches);
  slopes[0] = 1.5;
  slopes[17] = -0.5;
  slopes[63] = 2;
  std::vector<double> sums(static_cast<std::size_t>(network.num_parameters()));
  network.add_gradient(image.context(), slopes, sums);
  auto const value = [&] {
    std::vector<float> scores(mask_images::patches);
    network.score(image.context(), scores);
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) sum += slopes[i] * scores[i];
    return sum;
  };
  constexpr float step = 1e-2F;
  for (std::size_t i = 0; i < sums.size(); i += 7) {
    CAPTURE(i);
    float& parameter = network.state(0)[i];
    float const before = parameter;
    parameter = before + step;
    double const above = value();
    parameter = before - step;
    double const below = value();
    parameter = before;
    CHECK((above - below) / (2 * step) == doctest::Approx(sums[i]).epsilon(2e-3).scale(1));
  }
}

TEST_CASE("a learned mask is the uniform one before it decides anything") {
  auto const image = noisy_image(2);
  mae::learned_mask mask(config, {});
  scatter(mask, 1.0F);
  for (std::uint64_t i = 0; i < 20; ++i)
    CHECK(visible_positions(plan_of(mask, image.context(i))) ==
          visible_positions(plan_of(mae::uniform_mask<>(0.75), image.context(i))));
}

TEST_CASE("a learned mask hides what it finds hardest, or shows it") {
  auto const image = noisy_image(3);
  auto context = image.context();
  context.progress = 0.5;
  std::vector<float> hardness(mask_images::patches);
  auto const is_seen = [](mae::mask_plan const& plan, std::size_t position) {
    auto const seen = visible_positions(plan);
    return std::find(seen.begin(), seen.end(), static_cast<mae::patch_index>(position)) !=
           seen.end();
  };
  for (auto const hard : {mae::hard_patches::hidden, mae::hard_patches::shown}) {
    bool const hides = hard == mae::hard_patches::hidden;
    mae::learned_mask mask(config, {.decided = 0.5, .hard = hard});
    scatter(mask, 1.0F);
    mask.hardness(context, hardness);
    std::vector<std::size_t> order(hardness.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(
        order.begin(), order.end(), [&](auto a, auto b) { return hardness[a] > hardness[b]; });
    // Half the progress of a half: 12 of 48 hidden ones, 4 of 16 visible ones.
    std::size_t const decided = hides ? 12 : 4;
    std::vector<int> seen(order.size());
    for (std::uint64_t i = 0; i < 200; ++i) {
      context.dataset_index = i;
      auto const plan = plan_of(mask, context);
      CHECK(plan.counts(0) == mae::mask_counts{16, 48});
      for (std::size_t k = 0; k < order.size(); ++k) seen[k] += is_seen(plan, order[k]) ? 1 : 0;
    }
    for (std::size_t k = 0; k < decided; ++k) CHECK(seen[k] == (hides ? 0 : 200));
    // The others blindly: 16 of 52 are seen, or 12 of 60.
    double const share = hides ? 16.0 / 52 : 12.0 / 60;
    for (std::size_t k = decided; k < order.size(); ++k)
      CHECK(std::abs(seen[k] - 200 * share) < 5 * std::sqrt(200 * share * (1 - share)));
  }
}

TEST_CASE("a learned mask's gradient is that of the pairs' logistic loss") {
  auto const image = noisy_image(4);
  auto const context = image.context();
  mae::learned_mask mask(config, {.network = {.hidden = 4}});
  make_smooth(mask, 4);
  std::vector<mae::patch_index> const visible = {0, 1, 2}, targets = {5, 9, 20, 41, 60};
  std::vector<float> const losses = {0.5F, 0.1F, 0.9F, 0.5F, 0.3F};
  mae::mask_feedback const told{context, visible, targets, losses};
  std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
  mask.add_gradient(told, sums);

  auto const loss = [&] {
    std::vector<float> s(mask_images::patches);
    mask.hardness(context, s);
    double sum = 0;
    int pairs = 0;
    int right = 0;
    for (std::size_t i = 0; i < losses.size(); ++i)
      for (std::size_t j = 0; j < losses.size(); ++j) {
        if (!(losses[i] > losses[j])) continue;
        double const ahead =
            s[static_cast<std::size_t>(targets[i])] - s[static_cast<std::size_t>(targets[j])];
        sum += std::log1p(std::exp(-ahead));
        ++pairs;
        right += ahead > 0 ? 1 : 0;
      }
    CHECK(pairs == 9);  // two losses are equal
    return std::pair(sum / pairs, static_cast<double>(right) / pairs);
  };
  CHECK(sums.back() == 1);
  CHECK(sums[sums.size() - 2] == doctest::Approx(loss().second));
  for (std::size_t i = 0; i + 2 < sums.size(); i += 5) {
    CAPTURE(i);
    float& parameter = mask.state(0)[i];
    float const before = parameter;
    parameter = before + 1e-2F;
    double const above = loss().first;
    parameter = before - 1e-2F;
    double const below = loss().first;
    parameter = before;
    CHECK((above - below) / 2e-2 == doctest::Approx(sums[i]).epsilon(2e-3).scale(0.2));
  }
}

TEST_CASE("a learned mask finds what makes patches hard") {
  // Bright patches of the left half are hard.
  mae::learned_mask mask(config, {.network = {.lr = 1e-2}});
  auto const is_hard = [](mask_images::patched_image const& image, std::size_t n) {
    float const brightness = image.values[n * mask_images::patch_values];
    return brightness + (n % 8 < 4 ? 1.0F : 0.0F);
  };
  std::vector<mae::patch_index> targets(48);
  std::iota(targets.begin(), targets.end(), mae::patch_index{16});
  std::vector<mae::patch_index> visible(16);
  std::iota(visible.begin(), visible.end(), mae::patch_index{0});
  for (std::uint64_t step = 0; step < 200; ++step) {
    std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
    for (std::uint64_t i = 0; i < 4; ++i) {
      auto image = noisy_image(10 + 4 * step + i);
      for (std::size_t n = 0; n < 64; ++n)
        std::fill_n(
            image.values.begin() + static_cast<std::ptrdiff_t>(48 * n), 48, image.values[48 * n]);
      std::vector<float> losses;
      for (auto const target : targets)
        losses.push_back(is_hard(image, static_cast<std::size_t>(target)));
      mask.add_gradient({image.context(), visible, targets, losses}, sums);
    }
    mask.update(sums, 4);
  }
  CHECK(mask.state(3)[0] == 200);
  CHECK(mask.state(4)[0] > 0.9);  // of the pairs of images that it has not seen before
}

TEST_CASE("a sampling mask draws by the weights of its network") {
  auto const image = noisy_image(5);
  mae::sampling_mask mask(config, {.ratio = 63.0 / 64});  // one is seen
  scatter(mask, 0.3F);
  std::vector<float> logits(mask_images::patches);
  mask.hardness(image.context(), logits);
  double sum = 0;
  for (float const logit : logits) sum += std::exp(static_cast<double>(logit));
  constexpr int images = 20000;
  std::vector<int> seen(mask_images::patches);
  for (std::uint64_t i = 0; i < images; ++i)
    ++seen[static_cast<std::size_t>(visible_positions(plan_of(mask, image.context(i))).at(0))];
  for (std::size_t n = 0; n < seen.size(); ++n) {
    double const expected = images * std::exp(static_cast<double>(logits[n])) / sum;
    CHECK(std::abs(seen[n] - expected) < 5 * std::sqrt(expected) + 1);
  }
}

TEST_CASE("a sampling mask's gradient is that of its objective") {
  auto const image = noisy_image(6);
  auto const context = image.context();
  for (auto const hard : {mae::hard_patches::hidden, mae::hard_patches::shown}) {
    mae::sampling_mask mask(config, {.hard = hard, .entropy = 0.3, .network = {.hidden = 4}});
    make_smooth(mask, 4);
    mask.state(4)[0] = 0.5F;  // the baseline
    std::vector<mae::patch_index> visible = {2, 3, 11, 40}, targets;
    for (mae::patch_index i = 41; i < 64; ++i) targets.push_back(i);
    std::vector<float> const losses(targets.size(), 0.8F);
    std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
    mask.add_gradient({context, visible, targets, losses}, sums);
    CHECK(sums[sums.size() - 2] == doctest::Approx(0.8));

    auto const objective = [&] {
      std::vector<float> logits(mask_images::patches);
      mask.hardness(context, logits);
      std::vector<double> weights;
      double sum = 0;
      for (float const logit : logits) {
        weights.push_back(std::exp(static_cast<double>(logit)));
        sum += weights.back();
      }
      double entropy = 0;
      for (double const weight : weights) entropy -= weight / sum * std::log(weight / sum);
      double const gained = 0.8 / 0.5 - 1;
      return (hard == mae::hard_patches::shown ? gained : -gained) *
                 log_probability(weights, {2, 3, 11, 40}) -
             0.3 * entropy;
    };
    for (std::size_t i = 0; i + 2 < sums.size(); i += 5) {
      CAPTURE(i);
      float& parameter = mask.state(0)[i];
      float const before = parameter;
      parameter = before + 1e-2F;
      double const above = objective();
      parameter = before - 1e-2F;
      double const below = objective();
      parameter = before;
      CHECK((above - below) / 2e-2 == doctest::Approx(sums[i]).epsilon(2e-3).scale(0.2));
    }
  }
}

TEST_CASE("a sampling mask learns to show what lowers the loss") {
  // An image's loss is the share of the four corners that is hidden.
  constexpr mae::patch_index corners[] = {0, 7, 56, 63};
  for (auto const hard : {mae::hard_patches::hidden, mae::hard_patches::shown}) {
    mae::sampling_mask mask(config, {.hard = hard, .network = {.lr = 2e-2}});
    auto const image = noisy_image(7);
    int late = 0;  // in the last 50 steps; blindly, a quarter of 3,200
    for (std::uint64_t step = 0; step < 300; ++step) {
      std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
      for (std::uint64_t i = 0; i < 16; ++i) {
        auto const context = image.context(16 * step + i);
        auto const plan = plan_of(mask, context);
        int shown = 0;
        for (auto const corner : corners)
          for (auto const position : plan.visible(0)) shown += position == corner ? 1 : 0;
        late += step >= 250 ? shown : 0;
        std::vector<float> const losses(48, 1 - static_cast<float>(shown) / 4);
        mask.add_gradient({context, plan.visible(0), plan.target(0), losses}, sums);
      }
      mask.update(sums, 16);
    }
    CAPTURE(late);
    if (hard == mae::hard_patches::shown)
      CHECK(late > 2400);
    else
      CHECK(late < 400);
    CHECK(mask.state(5)[0] > 0.5);  // of the uniform distribution's entropy
  }
}

TEST_CASE("masks that learn refuse what they cannot be, and a network that diverged") {
  CHECK_THROWS_AS(mae::learned_mask(config, {.decided = 1.5}), mae::config_error);
  CHECK_THROWS_AS(mae::learned_mask(config, {.ratio = 1}), mae::config_error);
  CHECK_THROWS_AS(mae::learned_mask(config, {.network = {.hidden = 0}}), mae::config_error);
  CHECK_THROWS_WITH_AS(mae::learned_mask(config, {.ratio = 0.01}).max_visible(64),
                       doctest::Contains("hides one"),
                       mae::config_error);
  CHECK_THROWS_AS(mae::sampling_mask(config, {.network = {.lr = 0}}), mae::config_error);
  CHECK_THROWS_AS(mae::sampling_mask(config, {.entropy = -1}), mae::config_error);
  auto const image = noisy_image(8);
  auto context = image.context();
  context.progress = 1;
  mae::learned_mask mask(config, {});
  mask.state(0).back() = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(
      plan_of(mask, context), doctest::Contains("its training has diverged"), mae::config_error);
  context.patches.cols = 47;
  CHECK_THROWS_WITH_AS(plan_of(mask, context),
                       doctest::Contains("64 patches of 48 values, an image has 64 of 47"),
                       mae::config_error);
}
