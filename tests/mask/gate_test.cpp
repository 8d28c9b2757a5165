#include "mask_images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/budget.hpp>
#include <mae/mask/gate.hpp>
#include <mae/mask/learned.hpp>
#include <mae/mask/learning.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

using mae::index_t;
using mask_images::plan_of;

namespace {

constexpr mae::model_config gated_config{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 1, .width = 12, .heads = 1},
    .decoder = {.depth = 1, .width = 12, .heads = 1},
};

mask_images::patched_image image_of_noise(std::uint64_t seed) {
  mask_images::patched_image image;
  mae::random_stream random({.seed = seed, .use = mae::purpose::synthetic});
  for (float& value : image.values) value = random.uniform();
  return image;
}

/// A mask whose gates differ: units far from where they switch, off in every fourth, so that the
/// patches' numbers are bilinear in the parameters.
mae::gate_mask spread_mask(mae::gate_mask_options const& options, float size = 0.05F) {
  mae::gate_mask mask(gated_config, options);
  mae::random_stream random({.seed = 3, .use = mae::purpose::probe});
  auto const parameters = mask.state(0);
  for (float& value : parameters) value = size * static_cast<float>(random.normal());
  auto const hidden = options.network.hidden;
  constexpr index_t inputs = mask_images::patch_values + 1;
  for (index_t i = inputs * hidden; i < (inputs + mask_images::patches) * hidden; ++i)
    parameters[static_cast<std::size_t>(i)] += i % hidden == 3 ? -3.0F : 3.0F;
  for (std::size_t j = 0; j < static_cast<std::size_t>(hidden); ++j)
    parameters[parameters.size() - 1 - j] += 0.2F;
  return mask;
}

std::vector<float> gates_of(mae::gate_mask const& mask, mae::mask_context const& image) {
  std::vector<float> gates(mask_images::patches);
  mask.gates(image, gates);
  return gates;
}

mae::mask_feedback told_of(mae::mask_context const& image,
                           std::span<mae::patch_index const> visible,
                           std::span<mae::patch_index const> targets,
                           std::span<float const> losses,
                           std::span<float const> slopes) {
  return {
      .image = image, .visible = visible, .targets = targets, .losses = losses, .slopes = slopes};
}

double sum_of(std::span<double const> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

}  // namespace

TEST_CASE("gates amount to the budget, whatever their logits") {
  mae::random_stream random({.seed = 1, .use = mae::purpose::probe});
  for (double const spread : {0.0, 1e-9, 0.3, 3.0, 30.0, 60.0})
    for (std::size_t const patches : {2U, 5U, 64U, 196U})
      for (auto const budget :
           {index_t{1}, static_cast<index_t>(patches) / 4, static_cast<index_t>(patches) - 1}) {
        if (budget < 1) continue;
        CAPTURE(spread);
        CAPTURE(patches);
        CAPTURE(budget);
        std::vector<double> logits;
        for (std::size_t i = 0; i < patches; ++i) logits.push_back(7 + spread * random.normal());
        mae::budgeted_gates const found(logits, budget);
        CHECK(std::abs(sum_of(found.gates()) - static_cast<double>(budget)) <=
              1e-12 * static_cast<double>(patches));
        for (std::size_t i = 0; i < patches; ++i) {
          REQUIRE(found.gates()[i] > 0);
          REQUIRE(found.closed()[i] > 0);
          REQUIRE(found.gates()[i] ==
                  doctest::Approx(1 / (1 + std::exp(found.threshold() - logits[i]))));
        }
      }
  mae::budgeted_gates const equal(std::vector<double>(64, -3.0), 16);
  for (double const gate : equal.gates()) CHECK(gate == doctest::Approx(0.25).epsilon(1e-15));
}

TEST_CASE("gates that cannot amount to the budget are refused") {
  std::vector<double> logits(16, 0.5);
  for (index_t const budget : {-1, 0, 16, 17})
    CHECK_THROWS_WITH_AS(mae::budgeted_gates(logits, budget),
                         doctest::Contains("gates of 16 patches cannot amount to"),
                         mae::config_error);
  logits[3] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(
      mae::budgeted_gates(logits, 4), doctest::Contains("not finite"), mae::config_error);
}

TEST_CASE("the slopes of budgeted gates are their differences, the threshold's move among them") {
  std::vector<double> logits = {0.3, -1.0, 2.0, 0.0, -4.0, 1.0};
  std::vector<double> const worth = {1.0, -2.0, 0.5, 3.0, 0.7, -1.0};
  auto const value = [&] {
    mae::budgeted_gates const found(logits, 2);
    return std::inner_product(worth.begin(), worth.end(), found.gates().begin(), 0.0);
  };
  mae::budgeted_gates const at(logits, 2);
  std::vector<double> slopes;
  for (std::size_t i = 0; i < worth.size(); ++i)
    slopes.push_back(worth[i] * at.gates()[i] * at.closed()[i]);
  at.move_threshold(slopes);
  CHECK(std::abs(sum_of(slopes)) < 1e-15);  // all logits alike move nothing
  for (std::size_t i = 0; i < logits.size(); ++i) {
    double const before = logits[i];
    logits[i] = before + 1e-5;
    double const above = value();
    logits[i] = before - 1e-5;
    double const below = value();
    logits[i] = before;
    CHECK(slopes[i] == doctest::Approx((above - below) / 2e-5).epsilon(1e-6));
  }
}

TEST_CASE("patches are visible about as often as their gates say") {
  auto const image = image_of_noise(1);
  auto const mask = spread_mask({.network = {.hidden = 4}}, 0.5F);
  auto const gates = gates_of(mask, image.context());
  auto const [least, most] = std::minmax_element(gates.begin(), gates.end());
  CHECK(*least < 0.1F);
  CHECK(*most > 0.5F);
  constexpr int images = 4000;
  std::vector<int> seen(mask_images::patches);
  for (std::uint64_t i = 0; i < images; ++i) {
    auto const plan = plan_of(mask, image.context(i));
    CHECK(plan.counts(0) == mae::mask_counts{16, 48});
    for (auto const position : plan.visible(0)) ++seen[static_cast<std::size_t>(position)];
  }
  // The count is fixed: a little more than chance lies between.
  for (std::size_t n = 0; n < seen.size(); ++n)
    CHECK(std::abs(static_cast<float>(seen[n]) / images - gates[n]) < 0.05F);
}

TEST_CASE("targets weigh by how far their gates are closed, and amount to their number") {
  auto const image = image_of_noise(2);
  std::vector<mae::patch_index> targets(48);
  std::iota(targets.begin(), targets.end(), mae::patch_index{7});
  std::vector<float> weights(targets.size());
  mae::gate_mask const fresh(gated_config, {});
  fresh.weigh(image.context(), targets, weights);
  for (float const weight : weights) CHECK(weight == 1.0F);  // not nearly

  auto const mask = spread_mask({.network = {.hidden = 4}}, 0.5F);
  mask.weigh(image.context(), targets, weights);
  CHECK(std::accumulate(weights.begin(), weights.end(), 0.0) == doctest::Approx(48).epsilon(1e-6));
  auto const gates = gates_of(mask, image.context());
  for (std::size_t i = 1; i < targets.size(); ++i)
    CHECK(weights[i] * (1 - gates[7]) == doctest::Approx(weights[0] * (1 - gates[7 + i])));
}

TEST_CASE("a gate's gradient is that of its smoothed objective") {
  auto const image = image_of_noise(4);
  auto const context = image.context();
  std::vector<mae::patch_index> const visible = {0, 3, 11, 12}, targets = {5, 9, 20, 41, 60};
  std::vector<float> const losses = {0.5F, 0.1F, 0.9F, 0.5F, 0.3F};
  std::vector<float> const told_slopes = {-0.7F, 0.4F, -0.1F, -1.3F};
  for (auto const hard : {mae::hard_patches::hidden, mae::hard_patches::shown})
    for (bool const weighs : {false, true}) {
      CAPTURE(weighs);
      auto mask =
          spread_mask({.hard = hard, .weighs = weighs, .entropy = 0.3, .network = {.hidden = 4}});
      auto const start = gates_of(mask, context);
      std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
      mask.add_gradient(told_of(context, visible, targets, losses, told_slopes), sums);

      // Factors that are 1 at the start on tokens, and targets that count by their weights.
      auto const objective = [&] {
        auto const gates = gates_of(mask, context);
        double loss = 0;
        for (std::size_t i = 0; i < visible.size(); ++i) {
          auto const at = static_cast<std::size_t>(visible[i]);
          loss += static_cast<double>(told_slopes[i]) * (gates[at] / start[at] - 1.0) / 5;
        }
        double weighed = 0;
        double weight = 0;
        for (std::size_t i = 0; i < targets.size(); ++i) {
          auto const at = static_cast<std::size_t>(targets[i]);
          double const of = (1.0 - gates[at]) / (weighs ? 1.0 : 1.0 - start[at]);
          weighed += of * static_cast<double>(losses[i]);
          weight += of;
        }
        loss += weighed / weight;
        double entropy = 0;
        for (double const gate : gates)
          entropy -= (gate * std::log(gate) + (1 - gate) * std::log(1 - gate)) / 64;
        return (hard == mae::hard_patches::shown ? loss : -loss) - 0.3 * entropy;
      };
      for (std::size_t i = 0; i + 1 < sums.size(); i += 5) {
        CAPTURE(i);
        float& parameter = mask.state(0)[i];
        float const before = parameter;
        parameter = before + 1e-2F;
        double const above = objective();
        parameter = before - 1e-2F;
        double const below = objective();
        parameter = before;
        CHECK((above - below) / 2e-2 == doctest::Approx(sums[i]).epsilon(2e-3).scale(0.05));
      }
    }
}

namespace {

/// One unit beside those of spread_mask, which is 1 for every patch and more at the first: by its
/// weight all numbers move alike, and that one further.
mae::gate_mask shifted_mask(float weight, float more_at_first = 0) {
  auto mask = spread_mask({.entropy = 0, .network = {.hidden = 4}}, 0.5F);
  constexpr index_t inputs = mask_images::patch_values + 1;
  auto const parameters = mask.state(0);
  auto const set_unit = [&](index_t row, float value) {
    parameters[static_cast<std::size_t>(row * 4 + 3)] = value;
  };
  for (index_t row = 0; row < inputs; ++row) set_unit(row, 0);
  for (index_t n = 0; n < mask_images::patches; ++n)
    set_unit(inputs + n, n == 0 ? 1 + more_at_first : 1);
  set_unit(inputs + mask_images::patches, weight);
  return mask;
}

}  // namespace

TEST_CASE("numbers that all move alike move no gate, however far") {
  auto const image = image_of_noise(4);
  auto const expected = gates_of(shifted_mask(0), image.context());
  auto const visible = plan_of(shifted_mask(0), image.context());
  for (float const far : {-300.0F, 300.0F}) {
    auto const mask = shifted_mask(far);
    auto const found = gates_of(mask, image.context());
    for (std::size_t i = 0; i < found.size(); ++i)
      CHECK(found[i] == doctest::Approx(expected[i]).epsilon(1e-3));
    CHECK(std::ranges::equal(plan_of(mask, image.context()).visible(0), visible.visible(0)));
    // It learns as before: but for the unit that moves them, and what that depends on.
    std::vector<mae::patch_index> const targets = {5, 9, 20};
    std::vector<float> const losses = {0.5F, 0.1F, 0.9F};
    std::vector<float> const slopes(visible.visible(0).size(), -0.2F);
    auto const sums_of = [&](mae::gate_mask const& of) {
      std::vector<double> sums(static_cast<std::size_t>(of.num_sums()));
      of.add_gradient(told_of(image.context(), visible.visible(0), targets, losses, slopes), sums);
      return sums;
    };
    auto const sums = sums_of(mask);
    auto const before = sums_of(shifted_mask(0));
    double most = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      if (i + 1 < sums.size() && i % 4 == 3) continue;
      CHECK(sums[i] == doctest::Approx(before[i]).epsilon(1e-2).scale(0.01));
      most = std::max(most, std::abs(sums[i]));
    }
    CHECK(most > 1e-2);
  }
}

TEST_CASE(
    "beside a number that is pushed out of bounds, the gradient is through the mean as well") {
  auto const image = image_of_noise(4);
  auto const context = image.context();
  auto mask = shifted_mask(-1, 40);
  auto const start = gates_of(mask, context);
  std::vector<mae::patch_index> const visible = {0}, targets = {5, 9};
  std::vector<float> const losses = {0.5F, 0.5F}, slopes = {3.0F};  // the first raises the loss
  std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
  mask.add_gradient(told_of(context, visible, targets, losses, slopes), sums);
  auto const objective = [&] {
    return 3 * static_cast<double>(gates_of(mask, context)[0]) / static_cast<double>(start[0]) / 2;
  };
  for (std::size_t i = sums.size() - 5; i + 1 < sums.size(); ++i) {  // the units' weights
    CAPTURE(i);
    float& parameter = mask.state(0)[i];
    float const before = parameter;
    parameter = before + 1e-2F;
    double const above = objective();
    parameter = before - 1e-2F;
    double const below = objective();
    parameter = before;
    CHECK((above - below) / 2e-2 == doctest::Approx(sums[i]).epsilon(2e-3).scale(0.05));
  }
}

TEST_CASE("what is the same for all patches moves no gate, however often it is visible") {
  // Equal slopes and losses, of gates that differ: on average over draws the logits' slopes are 0.
  auto const image = image_of_noise(5);
  auto const mask = spread_mask({.entropy = 0, .network = {.hidden = 4}}, 0.5F);
  auto const gates = gates_of(mask, image.context());
  std::vector<double> ours(gates.size()), plain(gates.size());
  constexpr int images = 4000;
  for (std::uint64_t i = 0; i < images; ++i) {
    auto const plan = plan_of(mask, image.context(i));
    for (auto const position : plan.visible(0)) {
      auto const at = static_cast<std::size_t>(position);
      ours[at] -= (1 - static_cast<double>(gates[at])) / images;
      plain[at] -= gates[at] * (1 - static_cast<double>(gates[at])) / images;
    }
  }
  std::vector<double> logits;
  for (float const gate : gates) logits.push_back(std::log(gate / (1 - static_cast<double>(gate))));
  mae::budgeted_gates const budgeted(logits, 16);
  auto const left = [&](std::vector<double> slopes) {
    double before = 0;
    for (double const slope : slopes) before += slope * slope;
    budgeted.move_threshold(slopes);
    double after = 0;
    for (double const slope : slopes) after += slope * slope;
    return std::sqrt(after / before);
  };
  CHECK(left(ours) < left(plain) / 3);
  CHECK(left(plain) > 0.2);  // g + stop(1 - g): what is shown more often is pushed more often
}

TEST_CASE("a gate learns to show what lowers the loss, or to hide it") {
  // Each of the four corners that is visible lowers the image's loss; they are no easier to paint.
  constexpr std::array<mae::patch_index, 4> corners = {0, 7, 56, 63};
  auto const is_corner = [&](mae::patch_index position) {
    return std::find(corners.begin(), corners.end(), position) != corners.end();
  };
  for (auto const hard : {mae::hard_patches::hidden, mae::hard_patches::shown}) {
    mae::gate_mask mask(gated_config, {.hard = hard, .network = {.lr = 2e-2}});
    auto const image = image_of_noise(7);
    int late = 0;  // in the last 50 steps; blindly, a quarter of 3,200
    for (std::uint64_t step = 0; step < 300; ++step) {
      std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
      for (std::uint64_t i = 0; i < 16; ++i) {
        auto const context = image.context(16 * step + i);
        auto const plan = plan_of(mask, context);
        std::vector<float> slopes;
        for (auto const position : plan.visible(0)) {
          slopes.push_back(is_corner(position) ? -1.0F : 0.0F);
          late += step >= 250 && is_corner(position) ? 1 : 0;
        }
        std::vector<float> const losses(48, 0.5F);
        mask.add_gradient(told_of(context, plan.visible(0), plan.target(0), losses, slopes), sums);
      }
      mask.update(sums, 16);
    }
    CAPTURE(late);
    if (hard == mae::hard_patches::shown)
      CHECK(late > 2400);
    else
      CHECK(late < 400);
    CHECK(mask.state(4)[0] < 1);  // of equal gates' entropy
    CHECK(mask.state(4)[0] > 0.3);
  }
}

TEST_CASE("a gate shows what is hard to paint, so that it need not be painted") {
  mae::gate_mask mask(gated_config, {.network = {.lr = 2e-2}});
  auto const image = image_of_noise(8);
  for (std::uint64_t step = 0; step < 200; ++step) {
    std::vector<double> sums(static_cast<std::size_t>(mask.num_sums()));
    for (std::uint64_t i = 0; i < 16; ++i) {
      auto const context = image.context(16 * step + i);
      auto const plan = plan_of(mask, context);
      std::vector<float> losses;
      for (auto const position : plan.target(0)) losses.push_back(position < 8 ? 0.9F : 0.4F);
      std::vector<float> const slopes(16, -0.01F);
      mask.add_gradient(told_of(context, plan.visible(0), plan.target(0), losses, slopes), sums);
    }
    mask.update(sums, 16);
  }
  auto const gates = gates_of(mask, image.context());
  CHECK(*std::min_element(gates.begin(), gates.begin() + 8) >
        *std::max_element(gates.begin() + 8, gates.end()));
}

TEST_CASE("gates refuse what they cannot be, and a network that diverged") {
  CHECK_THROWS_AS(mae::gate_mask(gated_config, {.ratio = 1}), mae::config_error);
  CHECK_THROWS_AS(mae::gate_mask(gated_config, {.entropy = -1}), mae::config_error);
  CHECK_THROWS_AS(mae::gate_mask(gated_config, {.network = {.lr = 0}}), mae::config_error);
  CHECK_THROWS_WITH_AS(mae::gate_mask(gated_config, {.ratio = 0.99}),
                       doctest::Contains("leaves 0 visible"),
                       mae::config_error);
  CHECK_THROWS_WITH_AS(mae::gate_mask(gated_config, {.ratio = 1e-20}),
                       doctest::Contains("leaves 64 visible"),
                       mae::config_error);
  auto const image = image_of_noise(9);
  mae::gate_mask mask(gated_config, {});
  mask.state(0).back() = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(plan_of(mask, image.context()),
                       doctest::Contains("its training has diverged"),
                       mae::config_error);
  std::vector<float> weights(1);
  std::array<mae::patch_index, 1> const target = {5};
  CHECK_THROWS_AS(mask.weigh(image.context(), target, weights), mae::config_error);
}
