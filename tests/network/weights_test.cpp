#include "model_images.hpp"

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/head/painter.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/weights.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace {

using mae::index_t;
using mae_test::odd_config;

/// A flat array in which every value is its own offset.
std::vector<double> numbered(mae::parameter_layout const& layout) {
  std::vector<double> values(static_cast<std::size_t>(layout.size()));
  std::iota(values.begin(), values.end(), 0.0);
  return values;
}

}  // namespace

TEST_CASE("every view of an encoder and a decoder lies on the tensor of its name") {
  auto const parts = mae::painter_parts(odd_config, 9);
  auto const layout = mae::layout_of(parts);
  auto const values = numbered(layout);
  auto const bound = mae::bind_network(layout, parts, values.data());
  auto const& encoder = bound.encoder;
  auto const& decoder = std::get<0>(bound.heads);
  std::size_t seen = 0;

  auto const check_matrix = [&](std::string const& name,
                                mae::matrix_view<double const> view,
                                index_t rows,
                                index_t cols) {
    CAPTURE(name);
    ++seen;
    CHECK(view.rows == rows);
    CHECK(view.cols == cols);
    CHECK(view.stride == cols);
    CHECK(view.size() == layout.find(name).size());
    CHECK(view(0, 0) == static_cast<double>(layout.find(name).offset));
  };
  auto const check_vector = [&](std::string const& name, std::span<double const> view) {
    check_matrix(name, {view.data(), 1, std::ssize(view)}, 1, layout.find(name).size());
  };
  auto const check_linear = [&](std::string const& name,
                                mae::linear_weights<double const> const& view,
                                index_t out,
                                index_t in) {
    check_matrix(name + ".weight", view.weight, out, in);
    check_vector(name + ".bias", view.bias);
  };
  auto const check_norm = [&](std::string const& name,
                              mae::norm_weights<double const> const& view) {
    check_vector(name + ".weight", view.weight);
    check_vector(name + ".bias", view.bias);
  };
  auto const check_blocks = [&](std::string const& prefix,
                                std::vector<mae::block_weights<double const>> const& blocks,
                                index_t width) {
    REQUIRE(blocks.size() == 2);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      auto const name = prefix + std::to_string(i);
      check_norm(name + ".norm1", blocks[i].norm1);
      check_linear(name + ".attn.qkv", blocks[i].qkv, 3 * width, width);
      check_linear(name + ".attn.proj", blocks[i].proj, width, width);
      check_norm(name + ".norm2", blocks[i].norm2);
      check_linear(name + ".mlp.fc1", blocks[i].fc1, 4 * width, width);
      check_linear(name + ".mlp.fc2", blocks[i].fc2, width, 4 * width);
    }
  };

  check_linear("patch_embed.proj", encoder.patch_embed, 20, 140);
  check_vector("cls_token", encoder.class_token);
  check_matrix("pos_embed", encoder.positions, 13, 20);
  check_blocks("blocks.", encoder.blocks, 20);
  check_norm("norm", encoder.norm);
  check_linear("decoder_embed", decoder.embed, 12, 20);
  check_vector("mask_token", decoder.mask_token);
  check_matrix("decoder_pos_embed", decoder.positions, 13, 12);
  check_blocks("decoder_blocks.", decoder.blocks, 12);
  check_norm("decoder_norm", decoder.norm);
  check_linear("decoder_pred", decoder.head, 9, 12);
  CHECK(seen == layout.tensors().size());
}

TEST_CASE("a model without a decoder has no decoder to bind") {
  mae::parameter_layout layout;
  mae::add_encoder(layout, odd_config);
  auto const values = numbered(layout);
  CHECK_THROWS_AS(mae::bind_network(layout, mae::painter_parts(odd_config, 9), values.data()),
                  mae::config_error);
}
