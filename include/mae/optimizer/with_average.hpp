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
    if (average == nullptr) return;  // of an optional_average that has none
    average[i] = momentum * average[i] + (T{1} - momentum) * value[i];
  }
};

}  // namespace kernel

/// How an average forgets.
struct average_options {
  double momentum = 0.999;
  /// With it the momentum moves there over the whole training, in equal steps (data2vec's 0.999 to
  /// 0.9999, Baevski et al. 2022, arXiv 2202.03555).
  std::optional<double> last_momentum = {};

  friend bool operator==(average_options const&, average_options const&) = default;
};

/// `Rule`, and beside it an exponential moving average of the parameters, average = momentum *
/// average + (1 - momentum) * value after each step (Polyak and Juditsky 1992; a teacher's in
/// Tarvainen and Valpola 2017, arXiv 1703.01780). It begins as the parameters, is saved and resumed
/// as the state "average", and is a whole block of parameters: frozen tables have their values in
/// it too.
template <UpdateRule Rule>
class with_average {
 public:
  with_average() = default;
  explicit with_average(Rule const& rule, average_options const& average = {})
      : rule_(rule), average_(average) {}

  Rule const& rule() const { return rule_; }

  static constexpr auto state_names = [] {
    std::array<char const*, Rule::state_names.size() + 1> names{};
    std::copy(Rule::state_names.begin(), Rule::state_names.end(), names.begin());
    names.back() = "average";
    return names;
  }();
  static constexpr bool begins_as_parameters(std::size_t k) {
    return k + 1 == state_names.size() || mae::begins_as_parameters<Rule>(k);
  }

  std::string name() const { return rule_.name() + "+average"; }
  settings_list settings() const {
    settings_list all = rule_.settings();
    all.push_back({"average_momentum", decimal_text(average_.momentum)});
    all.push_back({"average_last_momentum", decimal_text(last_momentum())});
    return all;
  }
  void require_valid() const {
    mae::require_valid(rule_);
    for (double const m : {average_.momentum, last_momentum()})
      detail::require_that(m >= 0 && m < 1, "the momentum of an average must lie in [0, 1)");
  }

  template <class T>
  auto element(update_moment const& moment, update_arrays<T> const& arrays) const {
    constexpr std::size_t own = state_names.size() - 1;
    auto const update = rule_.element(moment,
                                      update_arrays<T>{.values = arrays.values,
                                                       .gradients = arrays.gradients,
                                                       .states = arrays.states.first(own)});
    double const now = average_.momentum + (last_momentum() - average_.momentum) * moment.progress;
    T* const average = arrays.states.size() > own ? arrays.states[own] : nullptr;
    return kernel::average_element<std::remove_const_t<decltype(update)>, T>{
        update, arrays.values, average, static_cast<T>(now)};
  }

  friend bool operator==(with_average const&, with_average const&) = default;

 private:
  double last_momentum() const { return average_.last_momentum.value_or(average_.momentum); }

  Rule rule_ = {};
  average_options average_;
};

}  // namespace MAE_ISA
}  // namespace mae
