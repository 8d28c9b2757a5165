#pragma once

#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/data/channel_statistics.hpp>
#include <mae/data/dataset.hpp>
#include <mae/mask/learning.hpp>
#include <mae/train/coupled_samples.hpp>
#include <mae/train/exchange.hpp>
#include <mae/train/gradients_of.hpp>
#include <mae/train/mixable.hpp>
#include <mae/train/options.hpp>
#include <mae/train/scheduled_heads.hpp>
#include <mae/train/trainable.hpp>

#include <cstddef>
#include <string>
#include <tuple>

namespace mae {

/// Throws config_error where a mask is to learn from the first head's losses, and that has no part
/// in every step.
template <class Model>
void require_told(Model const& model, training_options const& options) {
  if (learns(model.mask()))
    if (scheduled_heads(model.sizes(), options).can_rest(0))
      throw config_error("a mask learns from the losses of the head " +
                         std::string(model.sizes().names()[0]) +
                         " in every step: its schedule must not reach 0, nor may heads alternate");
}

/// Throws config_error where what targets are made by was told of other statistics, and where a
/// head cannot be beside what the painter is asked for, or with these statistics.
template <class Model>
void require_input(Model const& model, pixel_statistics const& statistics) {
  if constexpr (requires { model.objective().require_statistics(statistics); })
    model.objective().require_statistics(statistics);
  std::size_t number = 0;
  auto const ask = [&](auto const& head) {
    bool const is_on = model.sizes().is_on(number++);
    if constexpr (requires { head.require_input(model.objective(), statistics); })
      if (is_on) head.require_input(model.objective(), statistics);
  };
  std::apply([&](auto const&... head) { (ask(head), ...); }, model.sizes().heads);
}

/// Gives a model the dataset's pixel statistics, unless it has some. Checks all before that:
/// throws config_error, as trainer.
template <Trainable Model, Dataset D, Exchange E>
Model& prepared(Model& model,
                D const& dataset,
                training_options const& options,
                index_t images_of_step,
                E const& exchange) {
  detail::require_that(
      dataset.extent() == model.sizes().config.image,
      "the dataset's images have another height, width or number of channels than the model's");
  require_samples<typename Model::network_type>(model.sizes(), images_of_step, options);
  require_queue(model.sizes(), dataset.size());
  require_mixable(options, model.sizes());
  require_noise(options, model.sizes());
  require_told(model, options);
  detail::require_that(!(model.sizes().levels.is_on() && options.noise.is_on()),
                       "tokens are told levels of density, which noise would raise: train with "
                       "noise or with levels (density_token)");
  sums_of_rank(schedule_of(model, options.samples()), exchange.rank(), exchange.ranks());
  auto const statistics = model.statistics().mean.empty()
                              ? channel_statistics(dataset, model.backend().threads())
                              : model.statistics();
  require_input(model, statistics);
  if (model.statistics().mean.empty()) model.set_statistics(statistics);
  return model;
}

}  // namespace mae
