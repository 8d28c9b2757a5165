#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/head/decoder.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace {

using mae::index_t;
using shape = std::vector<index_t>;

/// Patches of 2 x 5, three channels: N = 12, P = 30. One block each, 8 and 4 wide.
constexpr mae::model_config one_block{
    .image = {.height = 8, .width = 15, .channels = 3},
    .patch = {.height = 2, .width = 5},
    .encoder = {.depth = 1, .width = 8, .heads = 2},
    .decoder = {.depth = 1, .width = 4, .heads = 1, .mlp_ratio = {3, 2}},
};
constexpr mae::model_config odd{
    .image = {.height = 20, .width = 21, .channels = 4},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 3, .width = 20, .heads = 5},
    .decoder = {.depth = 2, .width = 12, .heads = 3, .mlp_ratio = {7, 4}},
};
constexpr mae::model_config vit(index_t width, index_t depth, index_t heads) {
  return {.image = {.height = 224, .width = 224, .channels = 3},
          .patch = {.height = 16, .width = 16},
          .encoder = {.depth = depth, .width = width, .heads = heads},
          .decoder = {.depth = 8, .width = 512, .heads = 16}};
}

// The official model, and timm's encoders without a head.
static_assert(mae::parameter_count(vit(768, 12, 12), 768) == 111'907'840);
static_assert(mae::encoder_parameter_count(vit(768, 12, 12)) == 85'798'656);
static_assert(mae::encoder_parameter_count(vit(1024, 24, 16)) == 303'301'632);
static_assert(mae::encoder_parameter_count(vit(192, 12, 3)) == 5'524'416);

mae::parameter_layout layout_of(mae::model_config const& config, index_t target_width) {
  mae::parameter_layout layout;
  mae::add_encoder(layout, config);
  mae::add_decoder(layout, config, target_width);
  return layout;
}

index_t sum_of_sizes(mae::parameter_layout const& layout) {
  index_t sum = 0;
  for (auto const& tensor : layout.tensors()) sum += tensor.size();
  return sum;
}

}  // namespace

TEST_CASE("the table lists the official names, with their shapes in memory") {
  std::vector<std::pair<std::string, shape>> const expected{
      {"cls_token", {1, 1, 8}},
      {"pos_embed", {1, 13, 8}},
      {"patch_embed.proj.weight", {8, 2, 5, 3}},
      {"patch_embed.proj.bias", {8}},
      {"blocks.0.norm1.weight", {8}},
      {"blocks.0.norm1.bias", {8}},
      {"blocks.0.attn.qkv.weight", {24, 8}},
      {"blocks.0.attn.qkv.bias", {24}},
      {"blocks.0.attn.proj.weight", {8, 8}},
      {"blocks.0.attn.proj.bias", {8}},
      {"blocks.0.norm2.weight", {8}},
      {"blocks.0.norm2.bias", {8}},
      {"blocks.0.mlp.fc1.weight", {32, 8}},
      {"blocks.0.mlp.fc1.bias", {32}},
      {"blocks.0.mlp.fc2.weight", {8, 32}},
      {"blocks.0.mlp.fc2.bias", {8}},
      {"norm.weight", {8}},
      {"norm.bias", {8}},
      {"decoder_embed.weight", {4, 8}},
      {"decoder_embed.bias", {4}},
      {"mask_token", {1, 1, 4}},
      {"decoder_pos_embed", {1, 13, 4}},
      {"decoder_blocks.0.norm1.weight", {4}},
      {"decoder_blocks.0.norm1.bias", {4}},
      {"decoder_blocks.0.attn.qkv.weight", {12, 4}},
      {"decoder_blocks.0.attn.qkv.bias", {12}},
      {"decoder_blocks.0.attn.proj.weight", {4, 4}},
      {"decoder_blocks.0.attn.proj.bias", {4}},
      {"decoder_blocks.0.norm2.weight", {4}},
      {"decoder_blocks.0.norm2.bias", {4}},
      {"decoder_blocks.0.mlp.fc1.weight", {6, 4}},
      {"decoder_blocks.0.mlp.fc1.bias", {6}},
      {"decoder_blocks.0.mlp.fc2.weight", {4, 6}},
      {"decoder_blocks.0.mlp.fc2.bias", {4}},
      {"decoder_norm.weight", {4}},
      {"decoder_norm.bias", {4}},
      {"decoder_pred.weight", {30, 4}},
      {"decoder_pred.bias", {30}},
  };
  auto const layout = layout_of(one_block, one_block.patch_values());
  std::vector<std::pair<std::string, shape>> listed;
  for (auto const& tensor : layout.tensors()) listed.emplace_back(tensor.name, tensor.shape);
  CHECK(listed == expected);
}

TEST_CASE("the sizes in the table add up to the constexpr counts") {
  for (auto const& config : {one_block, odd, vit(192, 12, 3)})
    for (index_t const target_width : {config.patch_values(), index_t{36}}) {
      CAPTURE(config.encoder.width);
      CHECK(sum_of_sizes(layout_of(config, target_width)) ==
            mae::parameter_count(config, target_width));
      mae::parameter_layout encoder;
      mae::add_encoder(encoder, config);
      CHECK(sum_of_sizes(encoder) == mae::encoder_parameter_count(config));
    }
}

TEST_CASE("tensors lie one behind the other, each aligned") {
  auto const layout = layout_of(odd, odd.patch_values());
  index_t end = 0;
  for (auto const& tensor : layout.tensors()) {
    CAPTURE(tensor.name);
    CHECK(tensor.offset % mae::tensor_alignment == 0);
    CHECK(tensor.offset >= end);
    CHECK(tensor.offset < end + mae::tensor_alignment);
    end = tensor.offset + tensor.size();
  }
  CHECK(layout.size() >= end);
  CHECK(layout.size() < end + mae::tensor_alignment);
  static_assert(mae::tensor_alignment * sizeof(float) == 64);
}

TEST_CASE("the encoder comes first, so that its tensors stay where they are without a decoder") {
  mae::parameter_layout encoder;
  mae::add_encoder(encoder, odd);
  auto const whole = layout_of(odd, 1);
  for (auto const& tensor : encoder.tensors())
    CHECK(whole.find(tensor.name).offset == tensor.offset);
}

TEST_CASE("every tensor says whether it is the encoder's or the decoder's") {
  auto const layout = layout_of(odd, 1);
  for (auto const& tensor : layout.tensors()) {
    CAPTURE(tensor.name);
    bool const is_decoder = tensor.name.starts_with("decoder_") || tensor.name == "mask_token";
    CHECK((tensor.segment == mae::decoder_segment) == is_decoder);
  }
}

TEST_CASE("every tensor says how deep it lies, as layer decay counts") {
  auto const depth_of = [layout = layout_of(vit(24, 3, 3), 48)](std::string const& name) {
    return layout.find(name).depth;
  };
  for (char const* const name : {"cls_token", "pos_embed", "patch_embed.proj.weight"})
    CHECK(depth_of(name) == 0);
  CHECK(depth_of("blocks.0.norm1.weight") == 1);
  CHECK(depth_of("blocks.2.mlp.fc2.bias") == 3);
  for (char const* const name : {"norm.weight",
                                 "decoder_embed.weight",
                                 "decoder_blocks.0.norm1.weight",
                                 "decoder_pred.bias"})
    CHECK(depth_of(name) == 4);
}

TEST_CASE("what has two or more dimensions decays, positions are not trained") {
  auto const layout = layout_of(odd, odd.patch_values());
  for (auto const& tensor : layout.tensors()) {
    CAPTURE(tensor.name);
    bool const is_table = tensor.name.ends_with("pos_embed");
    CHECK((tensor.kind == mae::tensor_kind::buffer) == is_table);
    CHECK(tensor.decays == (!is_table && tensor.shape.size() >= 2));
    CHECK(tensor.channels_last == (tensor.name == "patch_embed.proj.weight"));
  }
}

TEST_CASE("an unknown name is refused by that name") {
  CHECK_THROWS_WITH_AS(layout_of(odd, 1).find("blocks.3.norm1.weight"),
                       "the model has no tensor named blocks.3.norm1.weight",
                       mae::config_error);
}
