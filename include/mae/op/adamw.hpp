#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/types.hpp>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <span>

namespace mae {
inline namespace MAE_ISA {

/// The numbers of one optimizer step; `gradient_scale` turns a summed gradient into the mean's,
/// clipped.
template <class T>
struct adamw_factors {
  T beta1;
  T beta2;
  T epsilon;
  T gradient_scale;
  T decay;              // 1 - lr * weight decay, or 1
  T step_size;          // lr / (1 - beta1^t)
  T second_correction;  // 1 / sqrt(1 - beta2^t)
};

/// What AdamW does to the values of a group of neighbours.
enum class adamw_rule : std::uint8_t { leave, update, update_and_decay };

namespace kernel {

template <class T>
struct adamw_element {
  T* value;
  T* first_moment;
  T* second_moment;
  T const* gradient;
  adamw_factors<T> f;

  MAE_HOST_DEVICE void operator()(index_t i) const {
    T const g = gradient[i] * f.gradient_scale;
    T const m = f.beta1 * first_moment[i] + (T{1} - f.beta1) * g;
    T const v = f.beta2 * second_moment[i] + (T{1} - f.beta2) * g * g;
    first_moment[i] = m;
    second_moment[i] = v;
    value[i] =
        value[i] * f.decay - f.step_size * m / (std::sqrt(v) * f.second_correction + f.epsilon);
  }
};

/// The same for a block of tensors: `rules` has one for each `group` neighbours.
template <class T>
struct adamw_block_element {
  adamw_element<T> tensor;
  adamw_rule const* rules;
  index_t group;

  MAE_HOST_DEVICE void operator()(index_t i) const {
    adamw_rule const rule = rules[i / group];
    if (rule == adamw_rule::leave) return;
    adamw_element<T> mine = tensor;
    if (rule == adamw_rule::update) mine.f.decay = T{1};
    mine(i);
  }
};

}  // namespace kernel

/// One step of AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101, Algorithm 2, with the learning
/// rate as the decay's factor, as PyTorch has it) on `count` values.
template <Lane L, class T = scalar_of<L>>
void adamw_step(L const& lane,
                index_t count,
                scalar_of<L>* values,
                scalar_of<L>* first_moments,
                scalar_of<L>* second_moments,
                scalar_of<L> const* gradients,
                adamw_factors<scalar_of<L>> const& factors) {
  lane.for_each(
      count, kernel::adamw_element<T>{values, first_moments, second_moments, gradients, factors});
}

/// The same over a whole block of tensors at once, by a lane that is parallel: `rules` has one for
/// each `group` neighbours, in the lane's memory.
template <Lane L, class T = scalar_of<L>>
void adamw_block_step(L const& lane,
                      std::span<scalar_of<L>> values,
                      scalar_of<L>* first_moments,
                      scalar_of<L>* second_moments,
                      scalar_of<L> const* gradients,
                      adamw_factors<scalar_of<L>> const& factors,
                      adamw_rule const* rules,
                      index_t group) {
  lane.for_each(
      std::ssize(values),
      kernel::adamw_block_element<T>{
          {values.data(), first_moments, second_moments, gradients, factors}, rules, group});
}

}  // namespace MAE_ISA
}  // namespace mae
