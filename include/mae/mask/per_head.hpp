#pragma once

#include <mae/core/random.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/batch_budget.hpp>
#include <mae/mask/learning.hpp>
#include <mae/mask/plan.hpp>
#include <mae/mask/policy.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace mae {

/// A policy that plans differently for different heads: what it plans is for the heads whose first
/// is mask_context::head. `plans_as(head)` is the first head whose plans are always this one's too;
/// `settings_of(head)` are the settings of a policy that plans alike for all.
template <class M>
concept MaskPerHead = MaskPolicy<M> && requires(M const& mask, std::size_t head) {
  { mask.plans_as(head) } -> std::same_as<std::size_t>;
  { mask.settings_of(head) } -> std::same_as<settings_list>;
};

/// Whether a policy with one for each head has as many.
template <class M, std::size_t num_heads>
inline constexpr bool fits_heads = true;

/// A policy of its own for each of a network's heads, in their order: a step passes the images once
/// for each of the policies that differ, and the heads' gradients add up. Policies with the same
/// settings plan alike, those that tell none alone. All draw by the same random numbers, so that of
/// two uniform masks the one that hides less hides a part of what the other hides, and each head's
/// plans are those of a training of that head alone.
template <MaskPolicy... Masks>
class per_head_mask {
  static_assert((!LearningMask<Masks> && ...), "mae: a mask that learns is that of all heads");
  static_assert((!BatchMask<Masks> && ...),
                "mae: a mask that counts with its batch is that of all heads");
  static_assert(sizeof...(Masks) > 0, "mae: a mask for each head");

 public:
  static constexpr std::size_t num_heads = sizeof...(Masks);

  constexpr per_head_mask() = default;
  constexpr explicit per_head_mask(Masks... masks) : masks_(std::move(masks)...) {}

  index_t max_visible(index_t patches) const {
    return std::apply([&](auto const&... mask) { return std::max({mask.max_visible(patches)...}); },
                      masks_);
  }
  mask_counts counts(mask_context const& image, random_stream& random) const {
    mask_counts found;
    of_head(image.head, [&](auto const& mask) { found = mask.counts(image, random); });
    return found;
  }
  void score(mask_context const& image, random_stream& random, std::span<float> scores) const {
    of_head(image.head, [&](auto const& mask) { mask.score(image, random, scores); });
  }

  settings_list settings_of(std::size_t head) const {
    settings_list found;
    of_head(head, [&](auto const& mask) { found = mae::settings_of("mask", mask); });
    return found;
  }
  std::size_t plans_as(std::size_t head) const {
    constexpr std::array<bool, num_heads> says{tells<Masks>()...};
    for (std::size_t i = 0; i < head; ++i)
      if (says[head] && says[i] && settings_of(i) == settings_of(head)) return i;
    return head;
  }

 private:
  /// Whether a policy tells its settings.
  template <class M>
  static constexpr bool tells() {
    return requires(M const& mask) {
      mask.settings();
    };
  }
  template <class Body>
  void of_head(std::size_t head, Body const& body) const {
    std::size_t number = 0;
    auto const visit = [&](auto const& mask) {
      if (number++ == head) body(mask);
    };
    std::apply([&](auto const&... mask) { (visit(mask), ...); }, masks_);
  }

  std::tuple<Masks...> masks_;
};

template <class... Masks, std::size_t num_heads>
inline constexpr bool fits_heads<per_head_mask<Masks...>, num_heads> =
    sizeof...(Masks) == num_heads;

}  // namespace mae
