#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/optimizer/rule.hpp>

#include <array>
#include <string>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class T>
struct lion_element {
  T* value;
  T* momentum;
  T const* gradient;
  T beta1;
  T beta2;
  T gradient_scale;
  T decay;  // 1 - lr * weight decay, or 1
  T lr;

  MAE_HOST_DEVICE void operator()(index_t i) const {
    T const g = gradient[i] * gradient_scale;
    T const direction = beta1 * momentum[i] + (T{1} - beta1) * g;
    T const sign = static_cast<T>(direction > T{0}) - static_cast<T>(direction < T{0});
    value[i] = value[i] * decay - lr * sign;
    momentum[i] = beta2 * momentum[i] + (T{1} - beta2) * g;
  }
};

}  // namespace kernel

/// Lion (Chen et al. 2023, arXiv 2302.06675, Algorithm 2): the sign of a momentum, one state in
/// place of AdamW's two. Every value moves by the whole learning rate: the paper takes a third to a
/// tenth of AdamW's, and as many times its weight decay, which is why ours is ten times that of
/// `adamw`.
struct lion {
  double weight_decay = 0.5;
  double beta1 = 0.9;
  double beta2 = 0.99;

  static constexpr std::array state_names{"momentum"};

  std::string name() const { return "lion"; }
  settings_list settings() const {
    return {{"weight_decay", decimal_text(weight_decay)},
            {"beta1", decimal_text(beta1)},
            {"beta2", decimal_text(beta2)}};
  }
  void require_valid() const {
    detail::require_weight_decay(weight_decay);
    detail::require_that(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
                         "Lion's betas must lie in [0, 1)");
  }

  template <class T>
  kernel::lion_element<T> element(update_moment const& moment,
                                  update_arrays<T> const& arrays) const {
    return {.value = arrays.values,
            .momentum = arrays.states[0],
            .gradient = arrays.gradients,
            .beta1 = static_cast<T>(beta1),
            .beta2 = static_cast<T>(beta2),
            .gradient_scale = static_cast<T>(moment.gradient_scale),
            .decay = moment.decays ? static_cast<T>(1.0 - moment.lr * weight_decay) : T{1},
            .lr = static_cast<T>(moment.lr)};
  }

  friend bool operator==(lion const&, lion const&) = default;
};
static_assert(UpdateRule<lion>);

}  // namespace MAE_ISA
}  // namespace mae
