#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/data/sampler.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/part.hpp>
#include <mae/train/conflicts.hpp>
#include <mae/train/gradient_products.hpp>
#include <mae/train/head_gradients.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bitset>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

// Rules of conflicts on gradients that can be computed by hand.

namespace {

using exact = mae::eigen_backend<double>;
using vectors = std::vector<std::vector<double>>;

double dot(std::vector<double> const& a, std::vector<double> const& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

mae::random_stream stream(std::uint64_t step) {
  return mae::random_stream({.use = mae::purpose::project, .index = step});
}

/// Of gradients of heads 0, 2, 3, ...: the head 1 has no part.
constexpr std::size_t most = 6;
std::vector<double> shares_of(vectors const& gradients, std::uint64_t step = 0) {
  auto const number = [](std::size_t i) { return i == 0 ? i : i + 1; };
  auto const place = [](std::size_t head) { return head == 0 ? head : head - 1; };
  std::bitset<most> heads;
  for (std::size_t i = 0; i < gradients.size(); ++i) heads.set(number(i));
  auto random = stream(step);
  auto const all = mae::projected_shares(
      heads,
      [&](std::size_t a, std::size_t b) { return dot(gradients[place(a)], gradients[place(b)]); },
      random);
  CHECK(all[1] == 0);
  std::vector<double> shares;
  for (std::size_t i = 0; i < gradients.size(); ++i) shares.push_back(all[number(i)]);
  return shares;
}

/// Algorithm 1 of the paper, on the vectors themselves.
std::vector<double> projected_sum(vectors const& gradients, std::uint64_t step) {
  auto random = stream(step);
  std::vector<double> sum(gradients.front().size());
  std::vector<std::size_t> order(gradients.size());
  for (auto const& gradient : gradients) {
    auto mine = gradient;
    std::iota(order.begin(), order.end(), std::size_t{0});
    mae::shuffle(std::span(order), random);
    for (std::size_t const other : order) {
      auto const& along = gradients[other];
      double const product = dot(mine, along);
      if (&along == &gradient || product >= 0) continue;
      double const share = product / dot(along, along);
      for (std::size_t i = 0; i < mine.size(); ++i) mine[i] -= share * along[i];
    }
    for (std::size_t i = 0; i < mine.size(); ++i) sum[i] += mine[i];
  }
  return sum;
}

/// Five values of an encoder at three depths, a table that is no parameter, and tensors of two
/// heads.
mae::parameter_layout small_layout() {
  mae::parameter_layout layout;
  layout.add({.name = "positions", .shape = {2}, .kind = mae::tensor_kind::buffer});
  layout.add({.name = "embedding", .shape = {2}});
  layout.add({.name = "block", .shape = {1}, .depth = 1});
  layout.add({.name = "norm", .shape = {2}, .depth = 2});
  layout.add({.name = "a", .shape = {2}, .segment = "painting", .depth = 2});
  layout.add({.name = "b", .shape = {1}, .segment = "comparing", .depth = 2});
  return layout;
}

constexpr std::array<std::string_view, 3> names{"painting", "absent", "comparing"};

std::vector<double> flat(mae::parameter_layout const& layout, vectors const& values) {
  std::vector<double> all(static_cast<std::size_t>(layout.size()));
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t k = 0; k < values[i].size(); ++k)
      all[static_cast<std::size_t>(layout.tensors()[i].offset) + k] = values[i][k];
  return all;
}

/// Two heads' gradients, of which the second conflicts with the first at depth 1 alone.
mae::head_gradients<exact, 3> taken(mae::parameter_layout const& layout, exact const& backend) {
  mae::head_gradients<exact, 3> gradients(layout, names, std::bitset<3>("101"));
  auto const lane = backend.make_lane();
  gradients.take(lane, 0, flat(layout, {{9, 9}, {3, 4}, {-2}, {0, 0}, {5, 6}, {}}));
  gradients.take(lane, 2, flat(layout, {{9, 9}, {4, -3}, {0.5}, {1, 2}, {}, {7}}));
  return gradients;
}

}  // namespace

TEST_CASE("conflicting gradients lose their components along each other") {
  // (1, 0) + (0.5, 0.5) * 0 ...: (0.5, 0.5) of the first, (0, 1) of the second
  CHECK(shares_of({{1, 0}, {-1, 1}}) == std::vector<double>{2, 1.5});
  CHECK(shares_of({{1, 0}, {0, 1}}) == std::vector<double>{1, 1});
  CHECK(shares_of({{1, 2}, {3, 1}}) == std::vector<double>{1, 1});
  CHECK(shares_of({{1, 0}}) == std::vector<double>{1});
  CHECK(shares_of({{1, 0}, {0, 0}}) == std::vector<double>{1, 1});
  // What points exactly the other way leaves nothing: (1 - 1) of the first and of the second.
  auto const opposite = shares_of({{1, 0}, {-2, 0}});
  CHECK(opposite[0] * 1 + opposite[1] * -2 == 0);
}

TEST_CASE("the shares of a sum are those of the paper's algorithm on the vectors") {
  std::vector<double> sums;
  bool depends_on_order = false;
  for (std::uint64_t step = 0; step < 40; ++step) {
    mae::random_stream random({.seed = 11, .index = step / 2});
    vectors gradients(step % 4 < 2 ? 3 : 5, std::vector<double>(4));
    for (auto& gradient : gradients)
      for (double& value : gradient) value = random.normal();
    auto const shares = shares_of(gradients, step);
    auto const expected = projected_sum(gradients, step);
    for (std::size_t i = 0; i < 4; ++i) {
      double found = 0;
      for (std::size_t k = 0; k < gradients.size(); ++k) found += shares[k] * gradients[k][i];
      CHECK(found == doctest::Approx(expected[i]).epsilon(1e-9));
    }
    // The same gradients in another order.
    if (step % 2 == 1)
      depends_on_order = depends_on_order || std::abs(sums.back() - shares[0]) > 1e-3;
    sums.push_back(shares[0]);
  }
  CHECK(depends_on_order);
}

TEST_CASE("balanced gradients have equal norms, by moving averages") {
  using numbers = std::array<double, 3>;
  std::bitset<3> const both("101");
  numbers averages{};
  auto const balance = [&](std::bitset<3> const& heads, numbers const& norms) {
    return mae::balanced_shares(heads, norms, 0.5, averages);
  };
  CHECK(balance(both, {1, 0, 3}) == numbers{2, 0, 2.0 / 3});
  CHECK(averages == numbers{1, 0, 3});
  CHECK(balance(both, {2, 0, 3}) == numbers{1.5, 0, 0.75});
  CHECK(averages == numbers{1.5, 0, 3});
  // One alone keeps its norm, and the other its average.
  CHECK(balance(std::bitset<3>("001"), {2.5, 0, 0}) == numbers{1, 0, 0});
  CHECK(averages == numbers{2, 0, 3});
  // A gradient that is 0 has no norm to be made equal.
  averages = {};
  CHECK(balance(both, {0, 0, 3}) == numbers{1, 0, 1});
  CHECK(balance(both, {5, 0, 3}) == numbers{0.8, 0, 4.0 / 3});
}

TEST_CASE("gradients meet by depth of the encoder, heads' own tensors apart") {
  auto const layout = small_layout();
  exact const backend(2);
  auto const gradients = taken(layout, backend);
  auto const products = gradients.products(backend.threads(), std::bitset<3>("101"), {2, 0, 10});
  REQUIRE(products.heads == 3);
  REQUIRE(products.depths == 3);
  CHECK(products.norm(0, 0) == 10);
  CHECK(products.norm(0, 2) == 50);
  CHECK(products.cosine(0, 0, 2) == 0);
  CHECK(products.norm(1, 0) == 4);
  CHECK(products.norm(1, 2) == 5);
  CHECK(products(1, 0, 2) == -20);
  CHECK(products.cosine(1, 2, 0) == -1);
  CHECK(products.norm(2, 0) == 0);
  CHECK(std::isnan(products.cosine(2, 0, 2)));
  CHECK(products.whole(0, 0) == 116);
  CHECK(products.whole(0, 2) == -20);
  CHECK(products.whole(2, 2) == 3025);
  CHECK(products.norm(0, 1) == 0);
}

TEST_CASE("gradients become one on the encoder, and stay on heads' own tensors") {
  auto const layout = small_layout();
  exact const backend(2);
  auto gradients = taken(layout, backend);
  double const squared =
      gradients.combine(backend.threads(), std::bitset<3>("101"), {1, 0, 2}, {1, 0, 3});
  auto const expected = flat(layout, {{27, 27}, {11, -2}, {-1}, {2, 4}, {5, 6}, {21}});
  CHECK(std::vector<double>(gradients.values().begin(), gradients.values().end()) == expected);
  CHECK(squared == dot(expected, expected));
  gradients.combine(backend.threads(), std::bitset<3>("001"), {1, 0, 2}, {1, 0, 3});
  CHECK(std::vector<double>(gradients.values().begin(), gradients.values().end()) ==
        flat(layout, {{9, 9}, {3, 4}, {-2}, {0, 0}, {5, 6}, {0}}));
}
