#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/optimizer/rule.hpp>

#include <array>
#include <cmath>
#include <string>

namespace mae {
inline namespace MAE_ISA {

/// The numbers of one step of AdamW.
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

}  // namespace kernel

/// AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101, Algorithm 2, with the learning rate as the
/// decay's factor, as PyTorch has it). The defaults are those of He et al. 2021 for pre-training.
struct adamw {
  double weight_decay = 0.05;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;

  static constexpr std::array state_names{"first_moment", "second_moment"};

  std::string name() const { return "adamw"; }
  settings_list settings() const {
    return {{"weight_decay", decimal_text(weight_decay)},
            {"beta1", decimal_text(beta1)},
            {"beta2", decimal_text(beta2)},
            {"adam_epsilon", decimal_text(epsilon)}};
  }
  void require_valid() const {
    detail::require_weight_decay(weight_decay);
    detail::require_that(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
                         "AdamW's betas must lie in [0, 1)");
    detail::require_that(epsilon > 0, "AdamW's epsilon must be positive");
    detail::require_that(detail::fits_float(epsilon),
                         "AdamW's epsilon must be finite, and a float hold it");
  }

  template <class T>
  kernel::adamw_element<T> element(update_moment const& moment,
                                   update_arrays<T> const& arrays) const {
    auto const t = static_cast<double>(moment.step);
    return {arrays.values,
            arrays.states[0],
            arrays.states[1],
            arrays.gradients,
            {.beta1 = static_cast<T>(beta1),
             .beta2 = static_cast<T>(beta2),
             .epsilon = static_cast<T>(epsilon),
             .gradient_scale = static_cast<T>(moment.gradient_scale),
             .decay = moment.decays ? static_cast<T>(1.0 - moment.lr * weight_decay) : T{1},
             .step_size = static_cast<T>(moment.lr / (1.0 - std::pow(beta1, t))),
             .second_correction = static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(beta2, t)))}};
  }

  friend bool operator==(adamw const&, adamw const&) = default;
};
static_assert(UpdateRule<adamw>);

}  // namespace MAE_ISA
}  // namespace mae
