#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/buffer.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/network/initialise.hpp>
#include <mae/network/layout.hpp>
#include <mae/network/weights.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace mae {

/// Owns a model's parameters: one flat block of values, laid out by a table. Moving it moves the
/// block, so that views of it stay valid.
template <Backend B>
class parameter_block {
 public:
  using scalar = typename B::scalar;

  explicit parameter_block(parameter_layout layout)
      : layout_(std::move(layout)), values_(layout_.size()) {}

  /// The values of a new model: initialise_parameters.
  void initialise(B const& backend, model_config const& config, std::uint64_t seed) {
    if constexpr (B::uses_host_memory) {
      initialise_parameters(layout_, config, seed, values());
    } else {
      host_buffer<scalar> start(layout_.size());
      initialise_parameters(layout_, config, seed, start.span());
      assign(backend, start.span());
    }
  }

  /// Takes the values of the whole block, padding included, from the host's memory. Throws
  /// config_error for another number of them.
  void assign(B const& backend, std::span<scalar const> host_values) {
    if (host_values.size() != values().size())
      throw config_error(std::to_string(host_values.size()) + " values for a model of " +
                         std::to_string(values().size()));
    backend.make_lane().upload(host_values, values());
  }

  parameter_layout const& layout() const { return layout_; }
  /// The whole block, padding included, in the backend's memory.
  std::span<scalar> values() { return values_.span(); }
  std::span<scalar const> values() const { return values_.span(); }
  /// One tensor by its official name, as it lies in the backend's memory. Throws config_error for
  /// an unknown name.
  std::span<scalar> tensor(std::string const& name) {
    return tensor_binder<scalar>(layout_, values_.data()).vector(name);
  }
  std::span<scalar const> tensor(std::string const& name) const {
    return tensor_binder<scalar const>(layout_, values_.data()).vector(name);
  }

 private:
  parameter_layout layout_;
  typename B::buffer values_;
};

}  // namespace mae
