#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/decoder.hpp>
#include <mae/network/initialise.hpp>
#include <mae/network/layout.hpp>
#include <mae/patch/positions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace {

using mae::index_t;

/// Wide enough that the moments of its tensors tell distributions apart.
constexpr mae::model_config config{
    .image = {.height = 16, .width = 24, .channels = 3},
    .patch = {.height = 4, .width = 6},
    .encoder = {.depth = 2, .width = 120, .heads = 3},
    .decoder = {.depth = 1, .width = 64, .heads = 2},
};
constexpr double patch_values = 72;

/// A flat block of initial values in T.
template <class T>
class initial_values {
 public:
  explicit initial_values(std::uint64_t seed,
                          bool with_decoder = true,
                          mae::linear_start start = mae::linear_start::xavier)
      : layout(start) {
    mae::add_encoder(layout, config);
    if (with_decoder) mae::add_decoder(layout, config, config.patch_values());
    block.resize(static_cast<std::size_t>(layout.size()));
    mae::initialise_parameters<T>(layout, config, seed, block);
  }

  std::span<T const> tensor(std::string const& name) const {
    auto const& found = layout.find(name);
    return std::span(block).subspan(static_cast<std::size_t>(found.offset),
                                    static_cast<std::size_t>(found.size()));
  }

  mae::parameter_layout layout;
  std::vector<T> block;
};

bool all_equal(std::span<double const> values, double constant) {
  return std::ranges::count(values, constant) == std::ssize(values);
}

double mean_of(std::span<double const> values) {
  double sum = 0;
  for (double const value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation_of(std::span<double const> values) {
  double sum = 0;
  for (double const value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()) - std::pow(mean_of(values), 2));
}

double largest_of(std::span<double const> values) {
  double largest = 0;
  for (double const value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

/// U(-bound, bound): moments within five of their standard errors, and the bound nearly reached.
void check_uniform(std::span<double const> values, double bound) {
  auto const count = static_cast<double>(values.size());
  double const deviation = bound / std::sqrt(3.0);
  CHECK(largest_of(values) <= bound);
  CHECK(largest_of(values) >= bound * (1 - 10 / count));
  CHECK(std::abs(mean_of(values)) <= 5 * deviation / std::sqrt(count));
  CHECK(std::abs(deviation_of(values) / deviation - 1) <= 3 / std::sqrt(count));
}

}  // namespace

TEST_CASE("linear layers begin Xavier uniform with zero biases") {
  initial_values<double> const initial(1);
  for (auto const& tensor : initial.layout.tensors()) {
    bool const is_matrix = tensor.shape.size() == 2;
    bool const is_bias = tensor.name.ends_with("bias") && tensor.name != "patch_embed.proj.bias";
    CAPTURE(tensor.name);
    if (is_matrix)
      check_uniform(initial.tensor(tensor.name),
                    std::sqrt(6.0 / static_cast<double>(tensor.shape[0] + tensor.shape[1])));
    if (is_bias) CHECK(all_equal(initial.tensor(tensor.name), 0.0));
  }
  // Queries, keys and values count as one matrix of 3 D rows.
  check_uniform(initial.tensor("blocks.1.attn.qkv.weight"), std::sqrt(6.0 / (4 * 120)));
}

TEST_CASE("the patch projection begins as a matrix (D, P), its bias uniform by P") {
  initial_values<double> const initial(2);
  check_uniform(initial.tensor("patch_embed.proj.weight"), std::sqrt(6.0 / (120 + patch_values)));
  check_uniform(initial.tensor("patch_embed.proj.bias"), 1 / std::sqrt(patch_values));
}

TEST_CASE("as PyTorch's own, linears and the projection begin uniform by their inputs") {
  auto const start = mae::linear_start::pytorch;
  initial_values<double> const initial(2, true, start);
  initial_values<double> const paper(2);
  for (auto const& tensor : initial.layout.tensors()) {
    CAPTURE(tensor.name);
    bool const is_bias = tensor.name.ends_with(".bias");
    auto const weight_name = tensor.name.substr(0, tensor.name.rfind('.')) + ".weight";
    bool const is_linear =
        (is_bias || tensor.name.ends_with(".weight")) && initial.layout.find(weight_name).decays;
    if (is_linear) {
      auto const& weight = initial.layout.find(weight_name);
      index_t const inputs = weight.size() / weight.shape[0];
      check_uniform(initial.tensor(tensor.name), 1 / std::sqrt(static_cast<double>(inputs)));
    } else {
      CHECK(std::ranges::equal(initial.tensor(tensor.name), paper.tensor(tensor.name)));
    }
  }
}

TEST_CASE("norms begin as the identity") {
  initial_values<double> const initial(3);
  for (char const* const name : {"blocks.0.norm1", "blocks.1.norm2", "norm", "decoder_norm"}) {
    CHECK(all_equal(initial.tensor(std::string(name) + ".weight"), 1.0));
    CHECK(all_equal(initial.tensor(std::string(name) + ".bias"), 0.0));
  }
}

TEST_CASE("tokens begin normal, with a deviation of 0.02") {
  std::vector<double> tokens;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    initial_values<double> const initial(seed);
    for (char const* const name : {"cls_token", "mask_token"})
      std::ranges::copy(initial.tensor(name), std::back_inserter(tokens));
  }
  auto const count = static_cast<double>(tokens.size());
  CHECK(std::abs(mean_of(tokens)) <= 5 * 0.02 / std::sqrt(count));
  CHECK(std::abs(deviation_of(tokens) / 0.02 - 1) <= 4 / std::sqrt(count));
  CHECK(largest_of(tokens) > 0.06);  // no uniform distribution of that deviation goes so far
}

TEST_CASE("positions are the sin-cos tables of each width") {
  initial_values<double> const initial(4);
  for (char const* const name : {"pos_embed", "decoder_pos_embed"}) {
    auto const& tensor = initial.layout.find(name);
    std::vector<double> table(static_cast<std::size_t>(tensor.size()));
    mae::sincos_positions<double>(4, 4, {table.data(), 17, tensor.shape.at(2)});
    CHECK(std::ranges::equal(initial.tensor(name), table));
  }
}

TEST_CASE("the padding between tensors stays zero") {
  initial_values<double> const initial(5);
  auto rest = initial.block;
  for (auto const& tensor : initial.layout.tensors())
    std::fill_n(rest.begin() + tensor.offset, tensor.size(), 0.0);
  CHECK(all_equal(rest, 0.0));
}

TEST_CASE("a seed decides every value, each tensor's differently") {
  initial_values<double> const initial(6);
  CHECK(initial.block == initial_values<double>(6).block);
  initial_values<double> const other(7);
  for (auto const& tensor : initial.layout.tensors()) {
    CAPTURE(tensor.name);
    bool const is_drawn = tensor.start.distribution == mae::initialiser::kind::uniform ||
                          tensor.start.distribution == mae::initialiser::kind::normal;
    CHECK(std::ranges::equal(initial.tensor(tensor.name), other.tensor(tensor.name)) != is_drawn);
  }
  CHECK_FALSE(std::ranges::equal(initial.tensor("blocks.0.attn.proj.weight"),
                                 initial.tensor("blocks.1.attn.proj.weight")));
}

TEST_CASE("an encoder begins with the same values with and without a decoder") {
  initial_values<double> const alone(8, false);
  initial_values<double> const whole(8);
  CHECK(std::equal(alone.block.begin(), alone.block.end(), whole.block.begin()));
}

TEST_CASE("in float the values are the rounded values in double") {
  initial_values<float> const rounded(9);
  initial_values<double> const exact(9);
  CHECK(std::ranges::equal(
      rounded.block, exact.block, {}, {}, [](double x) { return static_cast<float>(x); }));
}
