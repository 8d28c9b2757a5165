#include "network_of_heads.hpp"

#include <mae/head/classifier.hpp>
#include <mae/head/painter.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace {

using mae::classifier;
using mae::painter;
using mae_test::network_of;
using network = network_of<painter, classifier>;

constexpr std::size_t branches = 4;  // of the two blocks of odd_config

/// Of the three images of the batch: one without branches, one of all, one of a single one.
std::vector<float> const mixed_scales{0, 0, 0, 0, 1.0F, 1.0F, 1.25F, 4.0F, 1.0F, 0, 0, 1.25F};

network a_network() {
  return network{mae_test::a_painter(),
                 {.encoder_width = mae_test::odd_config.encoder.width, .classes = 4}};
}

/// Multiplies the last layer of each branch, which is to multiply what the branch says.
void scale_layers(network& net, std::array<float, branches> const& scales) {
  constexpr std::array<char const*, branches> layers{
      "blocks.0.attn.proj", "blocks.0.mlp.fc2", "blocks.1.attn.proj", "blocks.1.mlp.fc2"};
  for (std::size_t i = 0; i < branches; ++i)
    for (char const* const part : {".weight", ".bias"})
      for (double& value : net.of(net.layout.find(std::string(layers[i]) + part), net.values))
        value *= static_cast<double>(scales[i]);
}

}  // namespace

TEST_CASE("branches times a scale are those of layers times that scale") {
  constexpr std::array<float, branches> scales{1.0F, 0.5F, 0.0F, 1.25F};
  auto scaled = a_network();
  double const plain_loss = scaled.loss();
  for (mae::index_t image = 0; image < mae_test::images; ++image)
    scaled.branch_scales.insert(scaled.branch_scales.end(), scales.begin(), scales.end());
  auto expected = a_network();
  scale_layers(expected, scales);
  CHECK(scaled.loss() != doctest::Approx(plain_loss).epsilon(1e-3));
  CHECK(scaled.loss() == doctest::Approx(expected.loss()).epsilon(1e-12));
}

TEST_CASE("each image's branches have scales of their own") {
  // A loss is a sum over images: what the second and third add does not depend on the first's.
  auto const loss_of = [](std::vector<float> const& scales) {
    auto net = a_network();
    net.branch_scales = scales;
    return net.loss();
  };
  auto const with = [](std::size_t image, std::vector<float> from) {
    for (std::size_t i = 0; i < branches; ++i) from[branches * image + i] = 0.25F;
    return from;
  };
  double const change = loss_of(with(0, mixed_scales)) - loss_of(mixed_scales);
  auto const other = with(2, mixed_scales);
  CHECK(change != 0);
  CHECK(loss_of(with(0, other)) - loss_of(other) == doctest::Approx(change).epsilon(1e-10));
}

TEST_CASE("R1: the gradient where paths are dropped, the scales fixed") {
  auto net = a_network();
  net.branch_scales = mixed_scales;
  mae_test::check_gradients(net);
}

TEST_CASE("scales of 1 leave the loss") {
  auto net = a_network();
  double const plain = net.loss();
  net.branch_scales.assign(branches * mae_test::images, 1.0F);
  CHECK(net.loss() == doctest::Approx(plain).epsilon(1e-14));
}
