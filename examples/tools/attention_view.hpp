#pragma once

#include "images.hpp"

#include <mae/core/config.hpp>
#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/normalise.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/network/weights.hpp>

#include <cstddef>
#include <functional>
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

/// What attention is computed from: an open encoder's parts, which must outlive it.
struct attention_source {
  mae::model_config const& sizes;
  mae::pixel_statistics const& statistics;
  mae::patch_levels const& levels;
  double norm_epsilon = 0;
  mae::encoder_weights<float const> weights;
};

/// Of a mae::sized_encoder in the processor's memory.
template <class Encoder>
attention_source attention_source_of(Encoder const& encoder) {
  float const* const values = encoder.parameters().values().data();
  auto const& sizes = encoder.sizes();
  attention_source of{.sizes = sizes,
                      .statistics = encoder.statistics(),
                      .levels = encoder.levels(),
                      .norm_epsilon = encoder.norm_epsilon(),
                      .weights = mae::bind_encoder(encoder.layout(), sizes, values)};
  if (auto const rows = of.levels.of_visible(); rows > 0)
    mae::tensor_binder<float const>(encoder.layout(), values)
        .table(mae::visible_levels_name, rows, sizes.encoder.width, of.weights.levels);
  return of;
}

/// Writes the first block's input (S, D) of an image (H, W, C) in [0, 1].
void put_first_input(attention_source const& of,
                     std::span<float const> image,
                     mae::matrix_view<float> out);

/// Gets the probabilities (S, S) of a head.
using take_head = std::function<void(mae::index_t head, std::span<float const>)>;

/// Lets the probabilities of a block, from 0, be taken head after head, of its input (S, D): what
/// the block before it gives without a norm.
void visit_probabilities(attention_source const& of,
                         mae::index_t block,
                         mae::matrix_view<float const> input,
                         take_head const& take);

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
