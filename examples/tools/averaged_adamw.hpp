#pragma once

#include <mae/core/host_device.hpp>
#include <mae/core/settings.hpp>
#include <mae/core/types.hpp>
#include <mae/optimizer/adamw.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/with_average.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

namespace tools {

/// What averaged_adamw does to an element.
template <class Update, class T>
struct averaged_element {
  Update update;
  T const* value;
  T* average;  // null: none
  T momentum;

  MAE_HOST_DEVICE void operator()(mae::index_t i) const {
    update(i);
    if (average != nullptr) average[i] = momentum * average[i] + (T{1} - momentum) * value[i];
  }
};

/// AdamW, and where a momentum is given the average of mae::with_average beside it, in the same
/// files: one type for both, as a trainer is compiled for each.
class averaged_adamw {
  using averaged = mae::with_average<mae::adamw>;
  static constexpr std::size_t own_states = mae::adamw::state_names.size();

 public:
  averaged_adamw() = default;
  averaged_adamw(mae::adamw const& rule, std::optional<double> momentum)
      : state_names(std::span(averaged::state_names).first(own_states + (momentum ? 1 : 0))),
        rule_(rule),
        momentum_(momentum) {}

  std::span<char const* const> state_names = std::span(averaged::state_names).first(own_states);
  static constexpr bool begins_as_parameters(std::size_t k) {
    return averaged::begins_as_parameters(k);
  }

  bool averages() const { return momentum_.has_value(); }
  std::string name() const { return averages() ? whole().name() : rule_.name(); }
  mae::settings_list settings() const { return averages() ? whole().settings() : rule_.settings(); }
  void require_valid() const { whole().require_valid(); }

  template <class T>
  auto element(mae::update_moment const& moment, mae::update_arrays<T> const& arrays) const {
    auto const update =
        rule_.element(moment,
                      mae::update_arrays<T>{.values = arrays.values,
                                            .gradients = arrays.gradients,
                                            .states = arrays.states.first(own_states)});
    return averaged_element<std::remove_const_t<decltype(update)>, T>{
        update,
        arrays.values,
        averages() ? arrays.states[own_states] : nullptr,
        static_cast<T>(momentum_.value_or(0))};
  }

  friend bool operator==(averaged_adamw const& a, averaged_adamw const& b) {
    return a.rule_ == b.rule_ && a.momentum_ == b.momentum_;
  }

 private:
  averaged whole() const { return averaged(rule_, {.momentum = momentum_.value_or(0)}); }

  mae::adamw rule_;
  std::optional<double> momentum_;
};
static_assert(mae::UpdateRule<averaged_adamw>);

}  // namespace tools
