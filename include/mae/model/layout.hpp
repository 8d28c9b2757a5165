#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// Parameters are trained. Buffers are stored and loaded like them, but no gradient reaches them.
enum class tensor_kind { parameter, buffer };

/// How linear layers and the patch projection begin.
enum class linear_start {
  xavier,   ///< The paper's: weights by xavier_uniform, biases zero; the patch projection's biases
            ///< by inputs_uniform.
  pytorch,  ///< torch.nn.Linear's: weights and biases by inputs_uniform.
};

/// How a tensor begins. `scale` is the constant, the bound of the uniform distribution (-scale,
/// scale), or the normal distribution's deviation; a table of positions takes none.
struct initialiser {
  enum class kind { constant, uniform, normal, sincos_positions };

  kind distribution = kind::constant;
  double scale = 0;

  /// Glorot and Bengio 2010: U(-a, a), a = sqrt(6 / (in + out)).
  static initialiser xavier_uniform(index_t out, index_t in) {
    return {kind::uniform, std::sqrt(6.0 / static_cast<double>(in + out))};
  }
  /// PyTorch's default of linear layers and convolutions, there kaiming_uniform with a = sqrt(5)
  /// and fan-in: U(-a, a), a = 1 / sqrt(in).
  static initialiser inputs_uniform(index_t in) {
    return {kind::uniform, 1.0 / std::sqrt(static_cast<double>(in))};
  }
};

/// One tensor of a model: its official name, and where it lies in the flat block of parameters.
struct tensor_spec {
  std::string name = {};
  std::vector<index_t> shape = {};  // as it lies in memory, row-major
  index_t offset = 0;               // in elements; a multiple of tensor_alignment
  tensor_kind kind = tensor_kind::parameter;
  initialiser start = {};
  bool decays = false;  // takes part in weight decay: the official rule is 2 or more dimensions
  /// A patch projection [D, p, p, C]: files hold [D, C, p, p], as a convolution does.
  bool channels_last = false;

  index_t size() const {
    index_t product = 1;
    for (index_t const extent : shape) product *= extent;
    return product;
  }
};

/// Elements between the beginnings of tensors: 64 bytes or more in every scalar type.
inline constexpr index_t tensor_alignment = 16;

/// The table of a model's tensors: the single source for initialisation, gradients, optimizer
/// groups, checkpoint names and the parameter count. Segments concatenate.
class parameter_layout {
 public:
  parameter_layout() = default;
  explicit parameter_layout(linear_start start) : start_(start) {}

  std::vector<tensor_spec> const& tensors() const { return tensors_; }
  /// Elements of the flat block, padding included (which stays zero).
  index_t size() const { return size_; }

  bool contains(std::string const& name) const {
    return std::any_of(tensors_.begin(), tensors_.end(), [&](tensor_spec const& tensor) {
      return tensor.name == name;
    });
  }
  tensor_spec const& find(std::string const& name) const {
    for (auto const& tensor : tensors_)
      if (tensor.name == name) return tensor;
    throw config_error("the model has no tensor named " + name);
  }

  void add(tensor_spec tensor) {
    tensor.offset = size_;
    size_ = round_up(size_ + tensor.size(), tensor_alignment);
    tensors_.push_back(std::move(tensor));
  }
  void add_linear(std::string const& name, index_t out, index_t in) {
    add({.name = name + ".weight",
         .shape = {out, in},
         .start = start_of_weights(out, in),
         .decays = true});
    bool const zero = start_ == linear_start::xavier;
    add({.name = name + ".bias",
         .shape = {out},
         .start = zero ? initialiser{} : initialiser::inputs_uniform(in)});
  }
  /// Of a linear layer's or the patch projection's weights.
  initialiser start_of_weights(index_t out, index_t in) const {
    return start_ == linear_start::xavier ? initialiser::xavier_uniform(out, in)
                                          : initialiser::inputs_uniform(in);
  }
  void add_norm(std::string const& name, index_t width) {
    add({.name = name + ".weight", .shape = {width}, .start = {initialiser::kind::constant, 1.0}});
    add({.name = name + ".bias", .shape = {width}});
  }
  /// A token that training learns; the official weight decay covers it.
  void add_token(std::string const& name, index_t width) {
    add({.name = name,
         .shape = {1, 1, width},
         .start = {initialiser::kind::normal, 0.02},
         .decays = true});
  }
  /// Frozen sin-cos positions of the class token and all patches.
  void add_positions(std::string const& name, index_t patches, index_t width) {
    add({.name = name,
         .shape = {1, patches + 1, width},
         .kind = tensor_kind::buffer,
         .start = {initialiser::kind::sincos_positions, 0.0}});
  }
  void add_blocks(std::string const& prefix, stack_config const& stack) {
    for (index_t i = 0; i < stack.depth; ++i) {
      std::string const block = prefix + std::to_string(i) + ".";
      add_norm(block + "norm1", stack.width);
      add_linear(block + "attn.qkv", 3 * stack.width, stack.width);
      add_linear(block + "attn.proj", stack.width, stack.width);
      add_norm(block + "norm2", stack.width);
      add_linear(block + "mlp.fc1", stack.hidden(), stack.width);
      add_linear(block + "mlp.fc2", stack.width, stack.hidden());
    }
  }

 private:
  linear_start start_ = linear_start::xavier;
  std::vector<tensor_spec> tensors_;
  index_t size_ = 0;
};

/// Adds the encoder's segment, under the names of the official code and of timm.
inline void add_encoder(parameter_layout& layout, model_config const& config) {
  index_t const width = config.encoder.width;
  layout.add_token("cls_token", width);
  layout.add_positions("pos_embed", config.num_patches(), width);
  layout.add({.name = "patch_embed.proj.weight",
              .shape = {width, config.patch.height, config.patch.width, config.image.channels},
              .start = layout.start_of_weights(width, config.patch_values()),
              .decays = true,
              .channels_last = true});
  layout.add({.name = "patch_embed.proj.bias",
              .shape = {width},
              .start = initialiser::inputs_uniform(config.patch_values())});
  layout.add_blocks("blocks.", config.encoder);
  layout.add_norm("norm", width);
}

/// Adds the decoder's segment; `target_width` is the number of values predicted for a patch.
inline void add_decoder(parameter_layout& layout,
                        model_config const& config,
                        index_t target_width) {
  index_t const width = config.decoder.width;
  layout.add_linear("decoder_embed", width, config.encoder.width);
  layout.add_token("mask_token", width);
  layout.add_positions("decoder_pos_embed", config.num_patches(), width);
  layout.add_blocks("decoder_blocks.", config.decoder);
  layout.add_norm("decoder_norm", width);
  layout.add_linear("decoder_pred", target_width, width);
}

/// The values in a stack of blocks.
constexpr index_t stack_parameter_count(stack_config const& stack) {
  index_t const width = stack.width;
  index_t const hidden = stack.hidden();
  index_t const attention = 4 * width * width + 4 * width;
  index_t const mlp = 2 * width * hidden + hidden + width;
  return stack.depth * (attention + mlp + 4 * width);
}

/// The values in an encoder, table of positions included: 86 million in a ViT-B.
constexpr index_t encoder_parameter_count(model_config const& config) {
  index_t const width = config.encoder.width;
  index_t const tokens = width + (config.num_patches() + 1) * width;
  return tokens + width * (config.patch_values() + 1) + stack_parameter_count(config.encoder) +
         2 * width;
}

/// The values in encoder and decoder, tables of positions included, as the official code counts
/// them: 111,907,840 for ViT-B.
constexpr index_t parameter_count(model_config const& config, index_t target_width) {
  index_t const width = config.decoder.width;
  index_t const tokens = width + (config.num_patches() + 1) * width;
  index_t const ends = width * (config.encoder.width + 1) + target_width * (width + 1);
  return encoder_parameter_count(config) + tokens + ends + stack_parameter_count(config.decoder) +
         2 * width;
}

}  // namespace mae
