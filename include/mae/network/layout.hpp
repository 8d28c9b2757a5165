#pragma once

#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/patch_levels.hpp>
#include <mae/network/part.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
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

/// What becomes of tables of positions, which begin as sines and cosines: they stay, as in the
/// paper's pre-training, or are learned, as in its fine-tuning.
enum class position_table { sincos, learned };

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
  std::string_view segment = encoder_segment;  // the part of a network that it belongs to
  index_t depth = 0;  // 0 of what embeds patches, i + 1 of the encoder's block i, then what follows
  initialiser start = {};
  bool decays = false;    // takes part in weight decay: the official rule is 2 or more dimensions
  bool is_token = false;  // likewise, but not in the official fine-tuning
  bool is_optional = false;  // begins as zeros: the others' streams of random numbers stay theirs
  /// A patch projection [D, p, p, C]: files hold [D, C, p, p], as a convolution does.
  bool channels_last = false;

  index_t size() const {
    index_t product = 1;
    for (index_t const extent : shape) product *= extent;
    return product;
  }
};

/// The norm of what is pooled, by timm's name, where a network has one.
inline constexpr char const* pooled_norm = "fc_norm.weight";

/// Elements between the beginnings of tensors: 64 bytes or more in every scalar type.
inline constexpr index_t tensor_alignment = 16;

/// The table of a model's tensors: the single source for initialisation, gradients, optimizer
/// groups, checkpoint names and the parameter count. Segments concatenate.
class parameter_layout {
 public:
  parameter_layout() = default;
  explicit parameter_layout(linear_start start, position_table positions = position_table::sincos)
      : start_(start), positions_(positions) {}

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

  /// Lets the weights of a part's linear layers begin so.
  void start_weights(std::string_view segment, initialiser const& start) {
    for (auto& tensor : tensors_)
      if (tensor.segment == segment && tensor.decays && !tensor.is_token) tensor.start = start;
  }

  /// What the members below add from here on belongs to this part, whose name is a constant.
  void begin(std::string_view segment) { segment_ = segment; }
  /// The depth of what is added from here on; what follows an encoder stays at its own.
  void set_depth(index_t depth) {
    if (segment_ == encoder_segment) depth_ = depth;
  }
  void add(tensor_spec tensor) {
    tensor.offset = size_;
    size_ = round_up(size_ + tensor.size(), tensor_alignment);
    tensors_.push_back(std::move(tensor));
  }
  void add_linear(std::string const& name, index_t out, index_t in) {
    add_own({.name = name + ".weight",
             .shape = {out, in},
             .start = start_of_weights(out, in),
             .decays = true});
    bool const zero = start_ == linear_start::xavier;
    add_own({.name = name + ".bias",
             .shape = {out},
             .start = zero ? initialiser{} : initialiser::inputs_uniform(in)});
  }
  /// Of the patches of a model, as files hold a convolution.
  void add_patch_projection(std::string const& name, model_config const& config) {
    index_t const width = config.encoder.width;
    add_own({.name = name + ".weight",
             .shape = {width, config.patch.height, config.patch.width, config.image.channels},
             .start = start_of_weights(width, config.patch_values()),
             .decays = true,
             .channels_last = true});
    add_own({.name = name + ".bias",
             .shape = {width},
             .start = initialiser::inputs_uniform(config.patch_values())});
  }
  void add_norm(std::string const& name, index_t width) {
    add_own(
        {.name = name + ".weight", .shape = {width}, .start = {initialiser::kind::constant, 1.0}});
    add_own({.name = name + ".bias", .shape = {width}});
  }
  /// A token that training learns; the official weight decay covers it.
  void add_token(std::string const& name, index_t width) {
    add_own({.name = name,
             .shape = {1, 1, width},
             .start = {initialiser::kind::normal, 0.02},
             .decays = true,
             .is_token = true});
  }
  /// Positions of the class token and all patches; weight decay leaves them out.
  void add_positions(std::string const& name, index_t patches, index_t width) {
    add_own({.name = name,
             .shape = {1, patches + 1, width},
             .kind = positions_ == position_table::sincos ? tensor_kind::buffer
                                                          : tensor_kind::parameter,
             .start = {initialiser::kind::sincos_positions, 0.0}});
  }

  /// Vectors that some networks choose among by number; weight decay leaves them out, and layers'
  /// rates see them beside positions.
  void add_table(std::string const& name, index_t rows, index_t width) {
    index_t const depth = std::exchange(depth_, segment_ == encoder_segment ? 0 : depth_);
    add_own({.name = name, .shape = {rows, width}, .is_optional = true});
    depth_ = depth;
  }

 private:
  /// Of a linear layer's or the patch projection's weights.
  initialiser start_of_weights(index_t out, index_t in) const {
    return start_ == linear_start::xavier ? initialiser::xavier_uniform(out, in)
                                          : initialiser::inputs_uniform(in);
  }
  void add_own(tensor_spec tensor) {
    tensor.segment = segment_;
    tensor.depth = depth_;
    add(std::move(tensor));
  }

  linear_start start_ = linear_start::xavier;
  position_table positions_ = position_table::sincos;
  std::string_view segment_ = encoder_segment;
  index_t depth_ = 0;
  std::vector<tensor_spec> tensors_;
  index_t size_ = 0;
};

namespace detail {

/// Adds the tensors that it is told of to a table.
class table_walk {
 public:
  explicit table_walk(parameter_layout& layout) : layout_(layout) {}

  void begin(std::string_view segment) { layout_.begin(segment); }
  void enter(char const* stack, index_t block) {
    prefix_ = block_prefix(stack, block);
    layout_.set_depth(block + 1);
    next_depth_ = block + 2;
  }
  void leave() {
    prefix_.clear();
    layout_.set_depth(next_depth_);
  }
  void norm(char const* name, index_t width) { layout_.add_norm(prefix_ + name, width); }
  void linear(char const* name, index_t out, index_t in) {
    layout_.add_linear(prefix_ + name, out, in);
  }
  void token(char const* name, index_t width) { layout_.add_token(prefix_ + name, width); }
  void positions(char const* name, index_t patches, index_t width) {
    layout_.add_positions(prefix_ + name, patches, width);
  }
  void table(char const* name, index_t rows, index_t width) {
    layout_.add_table(prefix_ + name, rows, width);
  }
  void patch_projection(char const* name, model_config const& config) {
    layout_.add_patch_projection(prefix_ + name, config);
  }

 private:
  parameter_layout& layout_;
  std::string prefix_;
  index_t next_depth_ = 0;
};

}  // namespace detail

/// Adds the encoder's segment, under the names of the official code and of timm.
inline void add_encoder(parameter_layout& layout, model_config const& config) {
  layout.begin(encoder_segment);
  detail::table_walk at(layout);
  walk_encoder(at, config);
}

/// Adds what the encoder's segment has of levels that visible tokens are told.
inline void add_levels(parameter_layout& layout,
                       model_config const& config,
                       patch_levels const& levels) {
  layout.begin(encoder_segment);
  detail::table_walk at(layout);
  if (levels.of_visible() > 0)
    at.table(visible_levels_name, levels.of_visible(), config.encoder.width);
}

}  // namespace mae
