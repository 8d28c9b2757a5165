#include <mae/core/types.hpp>
#include <mae/head/decoder.hpp>
#include <mae/interop/naming.hpp>
#include <mae/model/configs.hpp>
#include <mae/network/layout.hpp>

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <set>
#include <string>

namespace {

/// The names of a tensor, separated by spaces.
std::string names_of(mae::naming const& names, std::string const& official) {
  std::string all;
  for (auto const& name : mae::names_in(names, official)) all += (all.empty() ? "" : " ") + name;
  return all;
}

mae::parameter_layout whole_layout(mae::model_config const& config) {
  mae::parameter_layout layout;
  mae::add_encoder(layout, config);
  mae::add_decoder(layout, config, config.patch_values());
  return layout;
}

/// The naming that a file of these names is taken for.
std::optional<mae::naming> detected(mae::naming const& names) {
  auto const layout = whole_layout(mae::configs::micro8);
  std::set<std::string> all;
  for (auto const& tensor : layout.tensors())
    for (auto const& part : mae::parts_in(names, tensor)) all.insert(part.name);
  return mae::naming_of([&](std::string const& name) { return all.contains(name); });
}

}  // namespace

TEST_CASE("the hub's names are those of its files") {
  auto const hub = mae::naming::hub();
  CHECK(names_of(hub, "cls_token") == "vit.embeddings.cls_token");
  CHECK(names_of(hub, "pos_embed") == "vit.embeddings.position_embeddings");
  CHECK(names_of(hub, "patch_embed.proj.bias") ==
        "vit.embeddings.patch_embeddings.projection.bias");
  CHECK(names_of(hub, "norm.weight") == "vit.layernorm.weight");
  CHECK(names_of(hub, "blocks.11.norm2.bias") == "vit.encoder.layer.11.layernorm_after.bias");
  CHECK(names_of(hub, "blocks.3.attn.qkv.weight") ==
        "vit.encoder.layer.3.attention.attention.query.weight "
        "vit.encoder.layer.3.attention.attention.key.weight "
        "vit.encoder.layer.3.attention.attention.value.weight");
  CHECK(names_of(hub, "decoder_blocks.0.attn.proj.weight") ==
        "decoder.decoder_layers.0.attention.output.dense.weight");
  CHECK(names_of(hub, "mask_token") == "decoder.mask_token");
  CHECK(names_of(hub, "decoder_norm.bias") == "decoder.decoder_norm.bias");
}

TEST_CASE("every tensor has a name of its own, and its parts cover it") {
  auto const layout = whole_layout(mae::configs::tiny4);
  for (auto const& names : std::array{mae::naming{}, mae::naming::hub()}) {
    std::set<std::string> all;
    for (auto const& tensor : layout.tensors()) {
      auto const parts = mae::parts_in(names, tensor);
      CAPTURE(tensor.name);
      mae::index_t end = tensor.offset;
      for (auto const& part : parts) {
        CHECK(part.offset == end);
        end += part.size();
        CHECK(all.insert(part.name).second);
        CHECK((names.is_official() || part.name.starts_with("vit.") ||
               part.name.starts_with("decoder.")));
      }
      CHECK(end == tensor.offset + tensor.size());
    }
  }
}

TEST_CASE("a file's naming is recognised by its names") {
  mae::naming const version5{
      mae::block_words::version5, "vit.", "vit.layers.", "decoder.decoder_layers."};
  mae::naming const saved_by_version5{
      mae::block_words::hub, "vit.", "vit.encoder.layer.", "decoder.decoder_encoder.layer."};
  mae::naming const encoder_alone{
      mae::block_words::hub, "", "encoder.layer.", "decoder.decoder_layers."};
  for (auto const& names :
       std::array{mae::naming{}, mae::naming::hub(), version5, saved_by_version5, encoder_alone}) {
    auto const found = detected(names);
    REQUIRE(found.has_value());
    CHECK(found->words == names.words);
    CHECK(found->encoder == names.encoder);
    CHECK(found->encoder_block == names.encoder_block);
    CHECK(found->decoder_block == names.decoder_block);
  }
  CHECK_FALSE(mae::naming_of([](std::string const&) { return false; }).has_value());
}

TEST_CASE("the presets have the published numbers of values") {
  using mae::parameter_count;
  namespace configs = mae::configs;
  auto const values = [](mae::model_config const& config) {
    return parameter_count(config, config.patch_values());
  };
  CHECK(values(configs::vit_base_patch16) == 111'907'840);
  CHECK(values(configs::vit_large_patch16) == 329'541'888);
  CHECK(values(configs::vit_huge_patch14) == 657'074'508);
  CHECK(mae::encoder_parameter_count(configs::vit_base_patch16) == 85'798'656);
  for (auto const& preset : configs::all) {
    CAPTURE(preset.name);
    auto const& [image, patch, encoder, decoder] = preset.config;
    CHECK(encoder.width % encoder.heads == 0);
    CHECK(decoder.width % decoder.heads == 0);
    CHECK(image.height % patch.height == 0);
  }
}
