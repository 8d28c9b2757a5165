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
struct sgd_element {
  T* value;
  T* velocity;
  T const* gradient;
  T gradient_scale;
  T weight_decay;  // or 0
  T momentum;
  T look_ahead;  // the share of the velocity in the step: the momentum for Nesterov, or 1
  T fresh;       // the share of the gradient beside it: 1 for Nesterov, or 0
  T lr;

  MAE_HOST_DEVICE void operator()(index_t i) const {
    T const g = gradient[i] * gradient_scale + weight_decay * value[i];
    T const v = momentum * velocity[i] + g;
    velocity[i] = v;
    value[i] -= lr * (fresh * g + look_ahead * v);
  }
};

}  // namespace kernel

/// Stochastic gradient descent as torch.optim.SGD has it, without dampening: velocity = momentum *
/// velocity + gradient, value -= lr * velocity; with `nesterov` value -= lr * (gradient + momentum
/// * velocity). Weight decay is PyTorch's too, an L2 penalty: weight_decay * value is added to the
/// gradient, after clipping, and so passes through the momentum (AdamW's does not).
struct sgd {
  double weight_decay = 0;
  double momentum = 0.9;
  bool nesterov = false;

  static constexpr std::array state_names{"velocity"};

  std::string name() const { return "sgd"; }
  settings_list settings() const {
    return {{"weight_decay", decimal_text(weight_decay)},
            {"momentum", decimal_text(momentum)},
            {"nesterov", nesterov ? "yes" : "no"}};
  }
  void require_valid() const {
    detail::require_weight_decay(weight_decay);
    detail::require_that(momentum >= 0 && momentum < 1, "the momentum of SGD must lie in [0, 1)");
    detail::require_that(!nesterov || momentum > 0, "Nesterov's SGD needs a momentum above 0");
  }

  template <class T>
  kernel::sgd_element<T> element(update_moment const& moment,
                                 update_arrays<T> const& arrays) const {
    return {.value = arrays.values,
            .velocity = arrays.states[0],
            .gradient = arrays.gradients,
            .gradient_scale = static_cast<T>(moment.gradient_scale),
            .weight_decay = moment.decays ? static_cast<T>(weight_decay) : T{0},
            .momentum = static_cast<T>(momentum),
            .look_ahead = nesterov ? static_cast<T>(momentum) : T{1},
            .fresh = nesterov ? T{1} : T{0},
            .lr = static_cast<T>(moment.lr)};
  }

  friend bool operator==(sgd const&, sgd const&) = default;
};
static_assert(UpdateRule<sgd>);

}  // namespace MAE_ISA
}  // namespace mae
