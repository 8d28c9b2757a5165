#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/model/sized_model.hpp>
#include <mae/network/part.hpp>
#include <mae/network/staging.hpp>
#include <mae/objective/objective.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace mae {

namespace detail {

/// An encoder of sizes that a model has, whose configuration was checked with it.
template <Backend B>
struct copied_encoder : sized_encoder<B> {
  template <MaskPolicy Mask, class... Heads>
  explicit copied_encoder(sized_model<Mask, B, Heads...> const& model)
      : sized_encoder<B>(model.sizes().config,
                         model.seed(),
                         model.backend(),
                         model.sizes().norm_epsilon,
                         model.levels()) {}
};

template <class Model, Encoder E>
void copy_encoder(Model const& model, E& copy) {
  host_values const values(model.backend(), model.parameters().values());
  std::vector<typename Model::scalar> taken(static_cast<std::size_t>(copy.layout().size()));
  bool const is_pooled = model.sizes().final_norm == norm_place::pooled;
  for (auto const& tensor : copy.layout().tensors()) {
    auto const name = (is_pooled && tensor.name.starts_with("norm.") ? "fc_" : "") + tensor.name;
    auto const* const from = values.span().data() + model.layout().find(name).offset;
    std::copy_n(from, tensor.size(), taken.data() + tensor.offset);
  }
  copy.set_final_norm(model.sizes().final_norm);
  copy.set_parameters(taken);
  copy.set_statistics(model.statistics());
}

template <model_config Config, class Model>
encoder<Config, typename Model::backend_type> sized_copy(Model const& model) {
  encoder<Config, typename Model::backend_type> copy(
      model.seed(), model.backend(), model.sizes().norm_epsilon, model.levels());
  copy_encoder(model, copy);
  return copy;
}

}  // namespace detail

/// A copy of a model's encoder.
template <MaskPolicy Mask, Backend B, class... Heads>
sized_encoder<B> encoder_of(sized_model<Mask, B, Heads...> const& model) {
  detail::copied_encoder<B> copy(model);
  detail::copy_encoder(model, copy);
  return copy;
}
template <model_config Config, MaskPolicy Mask, Backend B, Objective Target, class... Heads>
encoder<Config, B> encoder_of(autoencoder<Config, Mask, B, Target, Heads...> const& model) {
  return detail::sized_copy<Config>(model);
}
template <model_config Config, MaskPolicy Mask, Backend B, class... Heads>
encoder<Config, B> encoder_of(headed_encoder<Config, Mask, B, Heads...> const& model) {
  return detail::sized_copy<Config>(model);
}

}  // namespace mae
