#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/interop/json_values.hpp>
#include <mae/io/json_reader.hpp>
#include <mae/io/json_writer.hpp>
#include <mae/io/safetensors_header.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mae {

/// What the config.json of a Hugging Face ViTMAE or plain ViT says, with that library's defaults.
struct huggingface_config {
  bool is_autoencoder = true;  // model_type is vit_mae, not vit
  model_config sizes{
      .image = {224, 224, 3}, .patch = {16, 16}, .encoder = {12, 768, 12}, .decoder = {8, 512, 16}};
  double norm_epsilon = 1e-12;
  bool norm_pix = false;
  double mask_ratio = 0.75;
};

namespace detail {

/// The share of `width` that a hidden layer has, in whole numbers without a common divisor.
inline ratio mlp_ratio_of(index_t hidden, index_t width) {
  constexpr index_t most = std::numeric_limits<int>::max();
  index_t const divisor = std::gcd(hidden, width);
  if (divisor == 0 || hidden > most || width > most) return {0, 1};  // refused with the other sizes
  return {static_cast<int>(hidden / divisor), static_cast<int>(width / divisor)};
}

/// Reads a config.json, member by member; those that say nothing about the model are passed over.
class huggingface_config_parser {
 public:
  huggingface_config_parser(std::string const& path, std::string_view text)
      : reader_(path, text, 0) {}

  huggingface_config parse() && {
    encoder_hidden_ = result_.sizes.encoder.hidden();
    decoder_hidden_ = result_.sizes.decoder.hidden();
    reader_.object([this](std::string const& key, std::uint64_t at) { member(key, at); });
    reader_.finish_text();
    auto& [image, patch, encoder, decoder] = result_.sizes;
    encoder.mlp_ratio = mlp_ratio_of(encoder_hidden_, encoder.width);
    decoder.mlp_ratio = mlp_ratio_of(decoder_hidden_, decoder.width);
    return result_;
  }

 private:
  void member(std::string const& key, std::uint64_t at) {
    auto& [image, patch, encoder, decoder] = result_.sizes;
    std::array<std::pair<std::string_view, index_t*>, 9> const counts{
        {{"num_channels", &image.channels},
         {"hidden_size", &encoder.width},
         {"num_hidden_layers", &encoder.depth},
         {"num_attention_heads", &encoder.heads},
         {"intermediate_size", &encoder_hidden_},
         {"decoder_hidden_size", &decoder.width},
         {"decoder_num_hidden_layers", &decoder.depth},
         {"decoder_num_attention_heads", &decoder.heads},
         {"decoder_intermediate_size", &decoder_hidden_}}};
    for (auto const& [name, value] : counts)
      if (key == name) return void(*value = read_count(reader_));
    if (key == "image_size") return read_sides(reader_, image.height, image.width);
    if (key == "patch_size") return read_sides(reader_, patch.height, patch.width);
    if (key == "layer_norm_eps") return void(result_.norm_epsilon = reader_.number());
    if (key == "mask_ratio") return void(result_.mask_ratio = reader_.number());
    if (key == "norm_pix_loss") return void(result_.norm_pix = reader_.boolean());
    if (key == "model_type")
      return void(result_.is_autoencoder = expect(at, key, {"vit_mae", "vit"}) == "vit_mae");
    if (key == "hidden_act") return void(expect(at, key, {"gelu"}));
    if (key != "qkv_bias") return reader_.skip();
    if (!reader_.boolean())
      reader_.refuse(at, "a model without biases of queries, keys and values");
  }

  std::string expect(std::uint64_t at,
                     std::string const& key,
                     std::initializer_list<std::string_view> wanted) {
    std::string found = reader_.string();
    if (std::ranges::find(wanted, found) != wanted.end()) return found;
    std::string all;
    for (auto const& name : wanted) all += (all.empty() ? "" : " or ") + std::string(name);
    reader_.refuse(at, key + " is " + found + ", not " + all + ": another model");
  }

  json_reader reader_;
  huggingface_config result_;
  index_t encoder_hidden_ = 0;
  index_t decoder_hidden_ = 0;
};

}  // namespace detail

/// Reads a config.json. Throws format_error for other text, or for a model that is neither ViTMAE
/// nor ViT with erf GELU; whether its sizes are possible is the reader's of the tensors to say.
inline huggingface_config parse_huggingface_config(std::string const& path, std::string_view text) {
  return detail::huggingface_config_parser(path, text).parse();
}

/// The config.json of a model: a ViTMAE's, or a plain ViT's, with or without a decoder. Throws
/// config_error for a decoder of images or patches that are not square, which ViTMAE has none of.
inline std::string huggingface_config_text(huggingface_config const& config, bool has_decoder) {
  auto const& [image, patch, encoder, decoder] = config.sizes;
  if (has_decoder && (image.height != image.width || patch.height != patch.width))
    throw config_error(
        "Hugging Face's ViTMAE has a decoder of square images and patches alone, not " +
        to_string(image) + " in patches of " + std::to_string(patch.height) + "x" +
        std::to_string(patch.width) +
        ": write the encoder alone (mae_convert --to timm), and that one for it");
  json_object text;
  auto const add_sides = [&](char const* name, index_t height, index_t width) {
    if (height == width) return text.add(name, height);
    return text.add(name, std::vector<index_t>{height, width});
  };
  if (has_decoder)
    text.add("decoder_hidden_size", decoder.width)
        .add("decoder_intermediate_size", decoder.hidden())
        .add("decoder_num_attention_heads", decoder.heads)
        .add("decoder_num_hidden_layers", decoder.depth);
  text.add("hidden_act", "gelu").add("hidden_size", encoder.width);
  add_sides("image_size", image.height, image.width);
  text.add("intermediate_size", encoder.hidden()).add("layer_norm_eps", config.norm_epsilon);
  if (config.is_autoencoder) text.add("mask_ratio", config.mask_ratio);
  text.add("model_type", config.is_autoencoder ? "vit_mae" : "vit");
  if (config.is_autoencoder) text.add("norm_pix_loss", config.norm_pix);
  text.add("num_attention_heads", encoder.heads)
      .add("num_channels", image.channels)
      .add("num_hidden_layers", encoder.depth);
  add_sides("patch_size", patch.height, patch.width);
  return text.add("qkv_bias", true).lines();
}

}  // namespace mae
