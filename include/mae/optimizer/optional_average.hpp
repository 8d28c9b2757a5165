#pragma once

#include <mae/core/isa.hpp>
#include <mae/core/settings.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/optimizer/with_average.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace mae {
inline namespace MAE_ISA {

/// `Rule` with an average of the parameters beside it, or without, as is chosen when the program
/// runs: with it the bits and the files of with_average, else those of `Rule` alone.
template <UpdateRule Rule>
class optional_average {
  using averaged = with_average<Rule>;

 public:
  explicit optional_average(Rule const& rule = {},
                            std::optional<average_options> const& average = {})
      : state_names(std::span(averaged::state_names)
                        .first(averaged::state_names.size() - (average ? 0 : 1))),
        rule_(rule, average.value_or(average_options{})) {}

  std::span<char const* const> state_names;

  static constexpr bool begins_as_parameters(std::size_t k) {
    return averaged::begins_as_parameters(k);
  }
  bool averages() const { return state_names.size() == averaged::state_names.size(); }
  std::string name() const { return averages() ? rule_.name() : rule_.rule().name(); }
  settings_list settings() const { return averages() ? rule_.settings() : rule_.rule().settings(); }
  void require_valid() const { rule_.require_valid(); }

  template <class T>
  auto element(update_moment const& moment, update_arrays<T> const& arrays) const {
    return rule_.element(moment, arrays);
  }

  friend bool operator==(optional_average const& a, optional_average const& b) {
    return a.rule_ == b.rule_ && a.averages() == b.averages();
  }

 private:
  averaged rule_;
};

}  // namespace MAE_ISA
}  // namespace mae
