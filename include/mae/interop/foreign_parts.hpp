#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/naming.hpp>
#include <mae/interop/tensor_files.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// What else stands in the files of models around an encoder: what may be left out, and what makes
// another model of it.

namespace mae::detail {

/// Parts of a tensor's name that only another architecture has.
struct foreign_part {
  std::string_view part;  // with the dots around it
  std::string_view what;
};
inline constexpr std::string_view distillation = "a distillation token, as DeiT has";
inline constexpr std::string_view registers = "register tokens";
inline constexpr std::string_view layer_scale = "layer scale";
inline constexpr std::string_view rotary = "rotary positions";
inline constexpr std::string_view relative = "relative positions";
inline constexpr std::string_view inner_norms = "norms of queries and keys";
inline constexpr std::string_view first_norm = "a norm before its layers";
inline constexpr std::string_view sub_norms = "norms within its attention or MLP";
inline constexpr std::string_view gated = "gated MLPs (SwiGLU)";
inline constexpr std::string_view other_biases = "biases of queries and values alone, as BEiT has";
inline constexpr std::string_view attention_pool = "attention in place of a class token";
inline constexpr std::string_view stem = "a network in place of the patch projection";
inline constexpr std::array<foreign_part, 48> foreign_parts{
    {{".dist_token.", distillation},
     {".distillation_token.", distillation},
     {".head_dist.", distillation},
     {".reg_token.", registers},
     {".register_tokens.", registers},
     {".storage_tokens.", registers},
     {".ls1.", layer_scale},
     {".ls2.", layer_scale},
     {".layer_scale.", layer_scale},
     {".layer_scale1.", layer_scale},
     {".layer_scale2.", layer_scale},
     {".gamma_1.", layer_scale},
     {".gamma_2.", layer_scale},
     {".lambda_1.", layer_scale},
     {".lambda_2.", layer_scale},
     {".rope.", rotary},
     {".rope_embed.", rotary},
     {".rope_embeddings.", rotary},
     {".rotary_emb.", rotary},
     {".freqs_cos.", rotary},
     {".relative_position_bias.", relative},
     {".relative_position_bias_table.", relative},
     {".rel_pos.", relative},
     {".rel_pos_bias.", relative},
     {".shared_rel_pos.", relative},
     {".rel_pos_h.", relative},
     {".rel_pos_w.", relative},
     {".q_norm.", inner_norms},
     {".k_norm.", inner_norms},
     {".norm_q.", inner_norms},
     {".norm_k.", inner_norms},
     {".query_norm.", inner_norms},
     {".key_norm.", inner_norms},
     {".norm_pre.", first_norm},
     {".ln_pre.", first_norm},
     {".pre_layrnorm.", first_norm},
     {".pre_layernorm.", first_norm},
     {".attn.norm.", sub_norms},
     {".mlp.norm.", sub_norms},
     {".w12.", gated},
     {".fc1_g.", gated},
     {".gate_proj.", gated},
     {".weights_in.", gated},
     {".weights_out.", gated},
     {".q_bias.", other_biases},
     {".v_bias.", other_biases},
     {".attn_pool.", attention_pool},
     {".patch_embed.backbone.", stem}}};

[[noreturn]] inline void refuse_architecture(std::string const& path, std::string const& what) {
  throw format_error(path, 8, "its model has " + what + ": another architecture than is read here");
}

/// Throws format_error, by name, for tensors of another architecture than the masked autoencoder's
/// and the plain ViT's.
inline void require_known_architecture(tensor_files const& files) {
  files.for_each([&](tensor_files::found_tensor const& tensor) {
    std::string const dotted = '.' + tensor.name + '.';
    for (auto const& [part, what] : foreign_parts)
      if (dotted.find(part) != std::string::npos)
        refuse_architecture(tensor.path, std::string(what) + " (" + tensor.name + ")");
  });
  if (files.contains("blocks.0.attn.qkv.weight") && !files.contains("blocks.0.attn.qkv.bias"))
    refuse_architecture(files.path(), "no biases of queries, keys and values");
  auto const* const into = files.find("blocks.0.mlp.fc1.weight");
  auto const* const out_of = files.find("blocks.0.mlp.fc2.weight");
  if (into != nullptr && out_of != nullptr && into->shape.size() == 2 &&
      out_of->shape.size() == 2 && out_of->shape[1] > 0 && into->shape[0] / 2 == out_of->shape[1] &&
      into->shape[0] % 2 == 0)
    refuse_architecture(files.path_of(into->name),
                        std::string(gated) + " (blocks.0.mlp.fc1 is twice as wide as fc2)");
}

/// The naming of a checkpoint's tensors. Throws format_error where they are no encoder's.
inline naming known_naming(tensor_files const& files) {
  auto const has = [&](std::string const& name) { return files.contains(name); };
  auto const names = naming_of(has);
  if (!names) {
    if (has("patch_embed.proj.weight") || has("embeddings.patch_embeddings.projection.weight") ||
        has("vit.embeddings.patch_embeddings.projection.weight"))
      refuse_architecture(files.path(), "no class token");
    throw format_error(files.path(),
                       8,
                       "its tensors have neither the official code's names (cls_token, ...) nor "
                       "Hugging Face's (vit.embeddings.cls_token, ...): no masked autoencoder");
  }
  std::string const positions = names_in(*names, "pos_embed").front();
  if (!has(positions))
    refuse_architecture(
        files.path(),
        "no table of positions (" + positions + "), but rotary or relative ones, or none");
  return *names;
}

/// Whether a tensor may be left out of an encoder's file: what stands before the images' features
/// or after them. `name` is without the encoder's prefix.
inline bool may_be_left_out(std::string_view name, bool has_decoder) {
  constexpr std::array<std::string_view, 10> heads{"head.",
                                                   "classifier.",
                                                   "fc_norm.",
                                                   "pooler.",
                                                   "pre_logits.",
                                                   "n_averaged",
                                                   "optimizer.",
                                                   "mask.",
                                                   "objective.",
                                                   "queue."};
  constexpr std::array<std::string_view, 3> of_masks{
      "embeddings.mask_token", "mask_token", "decoder.0."};  // of other ways to hide patches
  auto const is_of = [name](auto const& starts) {
    return std::ranges::any_of(starts,
                               [name](std::string_view start) { return name.starts_with(start); });
  };
  return is_of(heads) || (!has_decoder && is_of(of_masks));
}

/// A line that names what was left out: the first few of these tensors, and how many there are.
inline std::string left_out_note(std::string const& path, std::vector<std::string> const& tensors) {
  constexpr std::size_t most = 6;
  std::string names;
  for (std::size_t i = 0; i < tensors.size() && i < most; ++i)
    names += (i == 0 ? "" : ", ") + tensors[i];
  if (tensors.size() > most) names += " and " + std::to_string(tensors.size() - most) + " more";
  return "left out: " + names + " of " + path + ", which are no part of an encoder";
}

}  // namespace mae::detail
