#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/optimizer/rule.hpp>

#include <array>
#include <string>

namespace mae_test {

/// All that the library asks of an update rule, and no more: what compiles with this one compiles
/// with any.
///
/// - A value type: it is copied into the trainer, and holds constants alone.
/// - `state_names`, any number of arrays that the library allocates (zero at first), saves as
///   optimizer.NAME.TENSOR, and gives back after a resume.
/// - `name()` and `settings()`: what a file says of it, and a resume compares.
/// - `element(moment, arrays)`: what is done to value i, given pointers to whole flat arrays. Made
///   twice a step, with `moment.decays` and without; the library calls each for the values of the
///   tensors of its kind, in any order, by any thread; never for buffers, but it may be for the
///   zeros between tensors, where gradients and states are zero too.
///
/// The library never asks for require_valid, begins_as_parameters or a default constructor, unless
/// a trainer is made without the argument `rule`.
struct rule_archetype {
  double rate = 0.9;  // what remains of a decaying value after a step

  static constexpr std::array state_names{"steps"};
  std::string name() const { return "archetype"; }
  mae::settings_list settings() const { return {{"rate", mae::decimal_text(rate)}}; }

  template <class T>
  struct counting_element {
    T* value;
    T* steps;
    T const* gradient;
    T scale;
    T remains;

    MAE_HOST_DEVICE void operator()(mae::index_t i) const {
      value[i] = value[i] * remains - scale * gradient[i];
      steps[i] += T{1};
    }
  };
  template <class T>
  counting_element<T> element(mae::update_moment const& moment,
                              mae::update_arrays<T> const& arrays) const {
    return {.value = arrays.values,
            .steps = arrays.states[0],
            .gradient = arrays.gradients,
            .scale = static_cast<T>(moment.lr * moment.gradient_scale),
            .remains = moment.decays ? static_cast<T>(rate) : T{1}};
  }
};
static_assert(mae::UpdateRule<rule_archetype>);

}  // namespace mae_test
