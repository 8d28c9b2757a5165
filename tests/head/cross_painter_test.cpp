#include "model_images.hpp"
#include "network_of_heads.hpp"
#include "own_head.hpp"

#include <mae/backend/eigen/eigen_backend.hpp>
#include <mae/core/bfloat16.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/cross_painter.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/head.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::cross_painter;
using mae_test::network_of;
using mae_test::odd_config;

cross_painter a_cross_painter() {
  return {mae_test::a_painter()};
}

}  // namespace

static_assert(mae::HeadOn<cross_painter, mae::eigen_lane<float>>);
static_assert(mae::HeadOn<cross_painter, mae::eigen_lane<mae::bfloat16>>);

TEST_CASE("R1: the gradient of a cross-attention painter is that of its loss") {
  network_of<cross_painter> network(a_cross_painter());
  mae_test::check_gradients(network);
}

TEST_CASE("R1: also where its positions are learned, and beside another head") {
  network_of<cross_painter, mae_test::regression> network(
      mae::position_table::learned, a_cross_painter(), mae_test::a_regression());
  network.factors = {1, 0.5};
  mae_test::check_gradients(network);
}

TEST_CASE("its tensors are CrossMAE's, in a segment of its own") {
  network_of<cross_painter> const network(a_cross_painter());
  std::vector<std::string> names;
  for (auto const& tensor : network.layout.tensors())
    if (tensor.segment == mae::cross_decoder_segment) names.push_back(tensor.name);
  std::vector<std::string> expected{"mask_token", "decoder_pos_embed"};
  for (std::string const block : {"0", "1"})
    for (char const* const part : {"norm1",
                                   "cross_attn.q",
                                   "cross_attn.kv",
                                   "cross_attn.proj",
                                   "norm2",
                                   "mlp.fc1",
                                   "mlp.fc2"})
      for (char const* const kind : {".weight", ".bias"})
        expected.push_back("decoder_blocks." + block + "." + part + kind);
  for (char const* const last : {"decoder_norm", "decoder_pred"})
    for (char const* const kind : {".weight", ".bias"})
      expected.push_back(std::string(last) + kind);
  CHECK(names == expected);
  using shape = std::vector<mae::index_t>;
  CHECK(network.layout.find("decoder_blocks.1.cross_attn.q.weight").shape == shape{12, 12});
  CHECK(network.layout.find("decoder_blocks.1.cross_attn.kv.weight").shape == shape{24, 20});
}
