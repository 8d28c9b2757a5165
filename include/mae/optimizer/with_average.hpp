#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/isa.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/optimizer/rule.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>

namespace mae {
inline namespace MAE_ISA {

namespace kernel {

template <class Element, class T>
struct average_element {
  Element update;
  T const* value;
  T* average;
  T momentum;

  MAE_HOST_DEVICE void operator()(index_t i) const {
    update(i);
    average[i] = momentum * average[i] + (T{1} - momentum) * value[i];
  }
};

}  // namespace kernel

/// `Rule`, and beside it an exponential moving average of the parameters, average = momentum *
/// average + (1 - momentum) * value after each step (Polyak and Juditsky 1992; a teacher's in
/// Tarvainen and Valpola 2017, arXiv 1703.01780). It begins as the parameters, is saved and resumed
/// as the state "average", and is a whole block of parameters: frozen tables have their values in
/// it too.
///
/// With `last_momentum` the momentum moves to that one over the whole training, in equal steps
/// (data2vec's 0.999 to 0.9999, Baevski et al. 2022, arXiv 2202.03555).
template <UpdateRule Rule>
struct with_average {
  Rule rule = {};
  double momentum = 0.999;
  std::optional<double> last_momentum = {};

  static constexpr auto state_names = [] {
    std::array<char const*, Rule::state_names.size() + 1> names{};
    std::copy(Rule::state_names.begin(), Rule::state_names.end(), names.begin());
    names.back() = "average";
    return names;
  }();
  static constexpr bool begins_as_parameters(std::size_t k) {
    return k + 1 == state_names.size() || mae::begins_as_parameters<Rule>(k);
  }

  std::string name() const { return rule.name() + "+average"; }
  settings_list settings() const {
    settings_list all = rule.settings();
    all.push_back({"average_momentum", decimal_text(momentum)});
    all.push_back({"average_last_momentum", decimal_text(last_momentum.value_or(momentum))});
    return all;
  }
  void require_valid() const {
    mae::require_valid(rule);
    for (double const m : {momentum, last_momentum.value_or(momentum)})
      detail::require_that(m >= 0 && m < 1, "the momentum of an average must lie in [0, 1)");
  }

  template <class T>
  auto element(update_moment const& moment, update_arrays<T> const& arrays) const {
    constexpr std::size_t own = state_names.size() - 1;
    auto const update = rule.element(moment,
                                     update_arrays<T>{.values = arrays.values,
                                                      .gradients = arrays.gradients,
                                                      .states = arrays.states.first(own)});
    double const now = momentum + (last_momentum.value_or(momentum) - momentum) * moment.progress;
    return kernel::average_element<std::remove_const_t<decltype(update)>, T>{
        update, arrays.values, arrays.states[own], static_cast<T>(now)};
  }

  friend bool operator==(with_average const&, with_average const&) = default;
};

}  // namespace MAE_ISA
}  // namespace mae
