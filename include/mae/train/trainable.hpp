#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/policy.hpp>
#include <mae/network/layout.hpp>

#include <concepts>
#include <span>

namespace mae {

/// A model lets its mask be changed where it learns.
template <class M>
concept TeachableMask = !LearningMask<typename M::mask_type> || requires(M & model) {
  { model.mask() } -> std::same_as<typename M::mask_type&>;
};

/// What a trainer trains: parameters of an encoder and its heads, with what their labels and masks
/// are made by.
template <class M>
concept Trainable = Backend<typename M::backend_type> && MaskPolicy<typename M::mask_type> &&
    TeachableMask<M> && requires(M& model, M const& of, pixel_statistics statistics) {
  requires std::same_as<typename M::scalar, typename M::backend_type::scalar>;
  /// Sizes, heads and their weights: a network_parts.
  requires std::convertible_to<decltype(of.sizes()), typename M::network_type::parts_type const&>;
  { of.mask() } -> std::same_as<typename M::mask_type const&>;
  { of.backend() } -> std::same_as<typename M::backend_type const&>;
  /// For each head what writes its labels (LabelMaker); nothing is asked of one that couples
  /// images.
  of.label_makers();
  { of.layout() } -> std::same_as<parameter_layout const&>;
  { of.weights() } -> std::same_as<typename M::network_type::values_type const&>;
  { model.parameters().values() } -> std::same_as<std::span<typename M::scalar>>;
  { of.parameters().values() } -> std::same_as<std::span<typename M::scalar const>>;
  { of.statistics() } -> std::same_as<pixel_statistics const&>;
  { model.set_statistics(statistics) } -> std::same_as<void>;
};

}  // namespace mae
