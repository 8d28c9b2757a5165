#pragma once

#include <mae/core/error.hpp>
#include <mae/network/staging.hpp>
#include <mae/optimizer/optimizer.hpp>
#include <mae/optimizer/rule.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/trainable.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace mae {

/// Whether a model's targets are made by a teacher that follows it: see moving_teacher.
template <Trainable Model>
bool has_follower(Model const& model) {
  if constexpr (requires { model.objective().follows(); })
    return model.objective().follows();
  else
    return false;
}

namespace detail {

template <UpdateRule Rule>
void require_average_for(Rule const& rule, char const* whom) {
  auto const is_average = [](char const* name) { return std::string_view(name) == "average"; };
  if (std::none_of(std::begin(rule.state_names), std::end(rule.state_names), is_average))
    throw config_error("the update rule " + std::string(rule.name()) + " keeps no average that " +
                       whom + ": train by one that does, with_average");
}

}  // namespace detail

/// Throws config_error where such a teacher, or a head that asks for the average, would have none
/// to follow, and a teacher not one of floats.
template <Trainable Model, UpdateRule Rule>
void require_average(Model const& model, Rule const& rule) {
  if (heads_asking_average(model.sizes()).any())
    detail::require_average_for(rule, "a head could take its keys from");
  if (!has_follower(model)) return;
  if (model.sizes().levels.of_visible() > 0)
    throw config_error(
        "a teacher that follows its student tells its tokens no levels of density "
        "(density_token): leave these, or take a teacher that stays as it is");
  if (!std::is_same_v<typename Model::scalar, float>)
    throw config_error("a teacher that follows its student reads floats, not doubles");
  detail::require_average_for(rule, "a teacher could follow");
}

/// Shows a teacher that follows the model how its average stands, when a trainer begins or later.
template <Trainable Model, class Optimizer>
void show_average(Model const& model, Optimizer const& optimizer, bool begins) {
  if constexpr (std::is_same_v<typename Model::scalar, float> &&
                requires { model.objective().follows(); }) {
    if (!has_follower(model)) return;
    using backend_type = typename Model::backend_type;
    host_values<backend_type> const average(model.backend(), optimizer.state("average"));
    auto const find = [&](std::string const& name) {
      auto const& tensor = model.layout().find(name);
      return average.span().subspan(static_cast<std::size_t>(tensor.offset),
                                    static_cast<std::size_t>(tensor.size()));
    };
    model.objective().follow({.student = model.parameters().values().data(),
                              .begins = begins,
                              .config = model.sizes().config,
                              .norm_epsilon = model.sizes().norm_epsilon,
                              .statistics = model.statistics(),
                              .find = find});
  }
}

}  // namespace mae
