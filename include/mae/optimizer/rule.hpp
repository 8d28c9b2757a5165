#pragma once

#include <mae/core/error.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>

namespace mae {

namespace detail {

/// Throws config_error with this sentence where `holds` is false.
inline void require_that(bool holds, char const* sentence) {
  if (!holds) throw config_error(sentence);
}

/// Parameters are floats: what none holds would make all of them infinite in the first step.
inline bool fits_float(double value) {
  return std::isfinite(value) && value <= std::numeric_limits<float>::max();
}

inline void require_weight_decay(double value) {
  require_that(value >= 0, "the weight decay must not be negative");
  require_that(fits_float(value), "the weight decay must be finite, and a float hold it");
}

}  // namespace detail

inline namespace MAE_ISA {

/// What a rule is told of one step, for the tensors that decay or for those that do not.
struct update_moment {
  std::int64_t step = 1;      // of those that update, this one included
  double progress = 0;        // of the whole training before this step, in [0, 1]
  double lr = 0;              // of this step
  double gradient_scale = 1;  // turns a summed gradient into the mean's, clipped
  bool decays = false;        // weight decay is for these tensors
};

/// Flat arrays of one layout, in a backend's memory; the rule's own stand in the order of its
/// state_names.
template <class T>
struct update_arrays {
  T* values;
  T const* gradients;
  std::span<T* const> states;
};

/// How an optimizer step changes a value: a value type that holds the rule's constants.
///
/// `state_names` are the arrays that the rule keeps beside the parameters, zero at first; a
/// training's file saves them as optimizer.NAME.TENSOR. `name()` stands in that file and in the
/// refusal of another rule's, `settings()` are compared by a resume, one by one. `element(moment,
/// arrays)` is made on the host, twice a step (what decays, what does not), and its result is
/// called as element(i) for each value, by many threads, on a GPU too: a named struct of numbers
/// and pointers, its operator() const and MAE_HOST_DEVICE, that reads and writes the arrays at i
/// alone.
///
/// Optional: `require_valid()` throws config_error for constants that cannot be used;
/// `begins_as_parameters(k)`, static, says that state k starts as a copy of the parameters.
template <class R>
concept UpdateRule = std::copyable<R> && requires(R const& rule,
                                                  update_moment const& moment,
                                                  update_arrays<float> const& arrays,
                                                  index_t i) {
  { rule.name() } -> std::convertible_to<std::string>;
  { rule.settings() } -> std::same_as<settings_list>;
  { *std::begin(rule.state_names) } -> std::convertible_to<char const*>;
  { rule.element(moment, arrays)(i) } -> std::same_as<void>;
};

/// Throws config_error for a rule whose constants cannot be used.
template <UpdateRule R>
void require_valid(R const& rule) {
  if constexpr (requires { rule.require_valid(); }) rule.require_valid();
}

/// Whether the rule's state `k` starts as a copy of the parameters, and not as zeros.
template <UpdateRule R>
constexpr bool begins_as_parameters(std::size_t k) {
  if constexpr (requires { R::begins_as_parameters(k); })
    return R::begins_as_parameters(k);
  else
    return false;
}

}  // namespace MAE_ISA
}  // namespace mae
