#pragma once

#include <mae/core/types.hpp>
#include <mae/network/layout.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mae {

/// What libraries call the parts of a transformer block: the official code and timm; the files of
/// Hugging Face's hub; and the modules of its version 5 in memory.
enum class block_words : std::size_t { official, hub, version5 };

/// The names that a file gives to a model's tensors. The official code, timm and this library use
/// the same ones; Hugging Face's ViTMAE has others, which differ between its releases in what
/// stands before a block's number.
struct naming {
  block_words words = block_words::official;
  std::string encoder = {};        // before an encoder's names: "vit.", or nothing in ViTMAEModel
  std::string encoder_block = {};  // before the number of an encoder's block
  std::string decoder_block = {};
  std::string norm = "norm.";  // the encoder's final norm, among official names: fc_norm's too

  bool is_official() const { return words == block_words::official; }

  /// The names of the hub's files, which every release of transformers reads.
  static naming hub() {
    return {block_words::hub, "vit.", "vit.encoder.layer.", "decoder.decoder_layers."};
  }
};

namespace detail {

/// One official name or its beginning, and Hugging Face's.
struct renamed_start {
  std::string_view official;
  std::string_view huggingface;
};
inline constexpr std::array<renamed_start, 4> encoder_names{
    {{"cls_token", "embeddings.cls_token"},
     {"pos_embed", "embeddings.position_embeddings"},
     {"patch_embed.proj.", "embeddings.patch_embeddings.projection."},
     {"norm.", "layernorm."}}};
inline constexpr std::array<renamed_start, 5> decoder_names{
    {{"decoder_embed.", "decoder.decoder_embed."},
     {"mask_token", "decoder.mask_token"},
     {"decoder_pos_embed", "decoder.decoder_pos_embed"},
     {"decoder_norm.", "decoder.decoder_norm."},
     {"decoder_pred.", "decoder.decoder_pred."}}};

/// The parts of a block, in the order of block_words. An official part of several rows is stacked
/// of them, row upon row.
inline constexpr std::array<std::array<std::string_view, 3>, 8> block_parts{
    {{"norm1.", "layernorm_before.", "layernorm_before."},
     {"attn.qkv.", "attention.attention.query.", "attention.q_proj."},
     {"attn.qkv.", "attention.attention.key.", "attention.k_proj."},
     {"attn.qkv.", "attention.attention.value.", "attention.v_proj."},
     {"attn.proj.", "attention.output.dense.", "attention.o_proj."},
     {"norm2.", "layernorm_after.", "layernorm_after."},
     {"mlp.fc1.", "intermediate.dense.", "mlp.fc1."},
     {"mlp.fc2.", "output.dense.", "mlp.fc2."}}};

/// `name` without `start`; nothing where it does not begin so.
inline std::optional<std::string_view> after(std::string_view name, std::string_view start) {
  if (!name.starts_with(start)) return std::nullopt;
  return name.substr(start.size());
}

/// A tensor's name without the parts that PyTorch's wrappers of modules put into it, anywhere:
/// DataParallel's and DistributedDataParallel's "module.", torch.compile's "_orig_mod.", those of
/// FSDP and of checkpointed activations; and those parts.
struct unwrapped_name {
  std::string name;
  std::string wrappers;
};
inline unwrapped_name without_wrappers(std::string_view name) {
  constexpr std::array<std::string_view, 4> wrappers{
      "module.", "_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module."};
  unwrapped_name found;
  while (!name.empty()) {
    auto const dot = name.find('.');
    auto const part = name.substr(0, dot == std::string_view::npos ? dot : dot + 1);
    bool const is_wrapper = std::ranges::find(wrappers, part) != wrappers.end();
    (is_wrapper ? found.wrappers : found.name) += part;
    name.remove_prefix(part.size());
  }
  return found;
}

inline std::vector<std::string> names_of_block_part(naming const& names,
                                                    std::string const& before_number,
                                                    std::string_view number_and_part) {
  auto const number_end = number_and_part.find('.') + 1;
  std::string const block = before_number + std::string(number_and_part.substr(0, number_end));
  std::vector<std::string> found;
  for (auto const& words : block_parts)
    if (auto const rest = after(number_and_part.substr(number_end), words.front()))
      found.push_back(block + std::string(words[static_cast<std::size_t>(names.words)]) +
                      std::string(*rest));
  return found;
}

}  // namespace detail

/// What the tensor of this official name is called: one name, or those of the three tensors
/// (queries, keys, values) that it is stacked of.
inline std::vector<std::string> names_in(naming const& names, std::string const& official) {
  if (names.is_official()) {
    auto const norm = detail::after(official, "norm.");
    return {norm ? names.norm + std::string(*norm) : official};
  }
  if (auto const part = detail::after(official, "blocks."))
    return detail::names_of_block_part(names, names.encoder_block, *part);
  if (auto const part = detail::after(official, "decoder_blocks."))
    return detail::names_of_block_part(names, names.decoder_block, *part);
  for (auto const& [start, huggingface] : detail::encoder_names)
    if (auto const rest = detail::after(official, start))
      return {names.encoder + std::string(huggingface) + std::string(*rest)};
  for (auto const& [start, huggingface] : detail::decoder_names)
    if (auto const rest = detail::after(official, start))
      return {std::string(huggingface) + std::string(*rest)};
  return {official};
}

/// The tensors under which a file of this naming holds `tensor`: each with its name there, and its
/// place in the layout's flat array.
inline std::vector<tensor_spec> parts_in(naming const& names, tensor_spec const& tensor) {
  auto const found = names_in(names, tensor.name);
  std::vector<tensor_spec> parts;
  index_t offset = tensor.offset;
  for (auto const& name : found) {
    auto& part = parts.emplace_back(tensor);
    part.name = name;
    part.shape.front() /= static_cast<index_t>(found.size());
    part.offset = offset;
    offset += part.size();
  }
  return parts;
}

/// The naming of a file, of which has(name) says whether it holds a tensor; nothing where it is
/// none of the known ones.
template <class Has>
std::optional<naming> naming_of(Has const& has) {
  if (has("cls_token")) {
    naming names;
    // Fine-tuned on the mean by the official code or timm, an encoder has none but the mean's.
    if (!has("norm.weight") && has("fc_norm.weight")) names.norm = "fc_norm.";
    return names;
  }
  for (std::string const encoder : {"vit.", ""}) {
    if (!has(encoder + "embeddings.cls_token")) continue;
    bool const is_hub = has(encoder + "encoder.layer.0.layernorm_before.weight");
    naming names{is_hub ? block_words::hub : block_words::version5,
                 encoder,
                 encoder + (is_hub ? "encoder.layer." : "layers."),
                 "decoder.decoder_layers."};
    // What version 5 saves: it renames "layers" back to "encoder.layer", in the decoder's too.
    std::string const saved_by_version5 = "decoder.decoder_encoder.layer.";
    if (has(saved_by_version5 + "0.layernorm_before.weight"))
      names.decoder_block = saved_by_version5;
    return names;
  }
  return std::nullopt;
}

}  // namespace mae
