#pragma once

#include "images.hpp"

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

// What an encoder's heads look at. Its passes keep no attention probabilities; here they are
// computed from each block's tokens, for the few images that somebody wants to see.

namespace tools {

/// Of one image: N patches, S = N + 1 tokens, the class token first.
struct attention_of_image {
  mae::index_t blocks = 0;
  mae::index_t heads = 0;
  mae::index_t tokens = 0;                // S
  std::vector<float> probabilities = {};  // (blocks, H, S, S): how much token i takes of token j
  std::vector<float> encoded = {};  // (S, D), after the final norm where that is of every token

  /// The probabilities (S, S) of a head, both from 0.
  std::span<float const> of_head(mae::index_t block, mae::index_t head) const {
    auto const size = static_cast<std::size_t>(tokens * tokens);
    return std::span(probabilities)
        .subspan(static_cast<std::size_t>(block * heads + head) * size, size);
  }
};

/// How much the class token takes of each patch: (N) of a head of the last block. They sum up to 1
/// less what it takes of itself.
std::vector<float> class_attention(attention_of_image const& attention, mae::index_t head);
/// The mean over the heads.
std::vector<float> mean_class_attention(attention_of_image const& attention);

/// Attention rollout (Abnar & Zuidema 2020): each block passes on half of a token itself and half
/// of what its heads' mean takes of the others; the product of all blocks says how much of each
/// patch has come to the class token, (N).
std::vector<float> attention_rollout(attention_of_image const& attention);

/// The cosine of every patch's token and one of them, (N).
std::vector<float> similarity_to_patch(attention_of_image const& attention, mae::index_t patch);

/// The encoder of a checkpoint on the processor.
class attention_viewer {
 public:
  /// Throws mae::config_error for a checkpoint whose heads are not known.
  attention_viewer(mae::pretrained_model const& model, std::shared_ptr<mae::thread_pool> threads);
  ~attention_viewer();
  attention_viewer(attention_viewer const&) = delete;
  attention_viewer& operator=(attention_viewer const&) = delete;

  /// Of one image of a set. Throws mae::config_error where it is not finite.
  attention_of_image look(pretrain::image_set const& images, mae::index_t number) const;

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace tools
