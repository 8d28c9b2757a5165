#include "network_of_heads.hpp"

#include <mae/core/types.hpp>
#include <mae/head/classifier.hpp>
#include <mae/head/painter.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using told_network = mae_test::network_of<mae::painter, mae::classifier>;
using mae::index_t;

told_network a_told_network(mae::patch_levels const& levels) {
  auto painter = mae_test::a_painter();
  painter.sizes.levels = levels.of_hidden();
  return told_network(mae::position_table::sincos,
                      levels,
                      painter,
                      {.encoder_width = mae_test::odd_config.encoder.width, .classes = 4});
}

/// Of three levels the last is nobody's among visible patches.
std::vector<index_t> levels_of_patches() {
  std::vector<index_t> levels;
  for (index_t i = 0; i < mae_test::images * mae_test::odd_config.num_patches(); ++i)
    levels.push_back(i % 5 % 3);
  return levels;
}

}  // namespace

TEST_CASE("R1: the gradient of vectors of levels, the encoder's and the decoder's") {
  auto net = a_told_network({.bounds = {0, 1}, .told = mae::told_tokens::both});
  net.tell_levels(levels_of_patches());
  for (char const* const name : {mae::visible_levels_name, mae::mask_levels_name}) {
    auto const& tensor = net.layout.find(name);
    CHECK(tensor.shape.front() == 3);
    CHECK(tensor.kind == mae::tensor_kind::parameter);
    CHECK_FALSE(tensor.decays);
  }
  CHECK(net.layout.find(mae::visible_levels_name).depth == 0);
  CHECK(net.layout.find(mae::visible_levels_name).segment == mae::encoder_segment);
  auto const gradient = net.gradient();
  for (char const* const name : {mae::visible_levels_name, mae::mask_levels_name}) {
    auto const& tensor = net.layout.find(name);
    double most = 0;
    for (index_t i = 0; i < tensor.size(); ++i)
      most = std::max(most, std::abs(gradient[static_cast<std::size_t>(tensor.offset + i)]));
    CHECK(most > 0);
  }
  mae_test::check_gradients(net);
}

TEST_CASE("a network whose vectors of levels are zeros has the gradients of one without") {
  auto without = a_told_network({});
  auto of_without = without.gradient();
  for (auto const told :
       {mae::told_tokens::visible, mae::told_tokens::mask, mae::told_tokens::both}) {
    auto net = a_told_network({.bounds = {0, 1}, .told = told});
    net.tell_levels(levels_of_patches());
    for (char const* const name : {mae::visible_levels_name, mae::mask_levels_name})
      if (net.layout.contains(name))
        for (double& value : net.of(net.layout.find(name), net.values)) value = 0;
    auto of_net = net.gradient();
    for (auto const& tensor : without.layout.tensors()) {
      CAPTURE(tensor.name);
      auto const a = without.of(tensor, of_without);
      auto const b = net.of(net.layout.find(tensor.name), of_net);
      for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == b[i]);
    }
  }
}
