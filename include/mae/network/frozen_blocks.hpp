#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/dataset.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/weights.hpp>
#include <mae/op/layer_norm.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

/// What tells an encoder's blocks from others, and what its tokens depend on beside its values.
struct frozen_settings {
  index_t blocks = 1;  // the first of the encoder's; without its final norm
  double norm_epsilon = 1e-6;
  std::string identity;   // of the encoder
  pixel_statistics own;   // by which the encoder's input is normalised
  pixel_statistics seen;  // by which the input is that it will be shown
};

/// The first blocks of an encoder that stays as it is, in the memory of a backend of the host,
/// packed for forward passes and for the gradient of its input. What its own pixel statistics
/// change is part of the layer that embeds patches, so that it is shown a student's input as it is.
template <Backend B>
class frozen_blocks {
  static_assert(B::uses_host_memory, "mae: frozen blocks work in the host's memory");
  using T = typename B::scalar;
  using L = typename B::lane;

 public:
  /// Of the values of an encoder of these sizes, laid out so. Throws config_error for more blocks
  /// than it has.
  frozen_blocks(model_config const& config,
                frozen_settings settings,
                parameter_layout const& layout,
                std::span<T const> values,
                B const& backend)
      : settings_(std::move(settings)),
        parts_(parts_of(config, settings_)),
        layout_(layout_of(parts_)),
        values_(layout_.size()),
        ones_(static_cast<std::size_t>(config.encoder.width), T{1}),
        zeros_(static_cast<std::size_t>(config.encoder.width), T{0}) {
    for (auto const& tensor : layout_.tensors()) {
      auto const& from = layout.find(tensor.name);
      std::copy_n(values.data() + from.offset, tensor.size(), values_.data() + tensor.offset);
    }
    show_as_seen();
    prepare(backend);
  }
  frozen_blocks(frozen_blocks const&) = delete;
  frozen_blocks& operator=(frozen_blocks const&) = delete;
  ~frozen_blocks() = default;

  /// Its encoder's depth is that of the blocks.
  model_config const& config() const { return parts_.config; }
  frozen_settings const& settings() const { return settings_; }
  encoder_operands<L> const& operands() const { return operands_; }
  /// A layer norm that weighs nothing.
  norm_weights<T const> plain_norm() const { return {ones_, zeros_}; }

 private:
  static network_parts<> parts_of(model_config config, frozen_settings const& settings) {
    if (settings.blocks < 1 || settings.blocks > config.encoder.depth)
      throw config_error("the tokens after block " + std::to_string(settings.blocks) +
                         " of an encoder whose blocks are 1 to " +
                         std::to_string(config.encoder.depth));
    config.encoder.depth = settings.blocks;
    return {config, checked_norm_epsilon(settings.norm_epsilon)};
  }

  void prepare(B const& backend) {
    auto const weights = bind_network<T const>(layout_, parts_, values_.data());
    operands_ = prepared_.update(parts_, weights, backend).encoder;
    operands_.norm = {};
  }

  /// A value x of the input that is seen is (x * seen deviation + seen mean - own mean) / own
  /// deviation of the encoder's own.
  void show_as_seen() {
    auto const& own = settings_.own;
    auto const& seen = settings_.seen;
    auto const at = [](std::vector<double> const& of, index_t channel, double otherwise) {
      return of.empty() ? otherwise : of[static_cast<std::size_t>(channel)];
    };
    index_t const channels = parts_.config.image.channels;
    auto const bound = bind_network<T>(layout_, parts_, values_.data()).encoder.patch_embed;
    for (index_t row = 0; row < bound.weight.rows; ++row) {
      double shift = 0;
      for (index_t i = 0; i < bound.weight.cols; ++i) {
        index_t const channel = i % channels;
        double const deviation = at(own.deviation, channel, 1);
        auto const weight = static_cast<double>(bound.weight(row, i));
        shift += weight * ((at(seen.mean, channel, 0) - at(own.mean, channel, 0)) / deviation);
        bound.weight(row, i) =
            static_cast<T>(weight * (at(seen.deviation, channel, 1) / deviation));
      }
      auto& bias = bound.bias[static_cast<std::size_t>(row)];
      bias = static_cast<T>(static_cast<double>(bias) + shift);
    }
  }

  frozen_settings settings_;
  network_parts<> parts_;
  parameter_layout layout_;
  typename B::buffer values_;
  std::vector<T> ones_, zeros_;
  prepared_weights<B> prepared_{pass_kind::training};
  encoder_operands<L> operands_;
};

}  // namespace mae
