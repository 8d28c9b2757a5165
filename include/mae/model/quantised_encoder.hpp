#pragma once

#include <mae/backend/concept.hpp>
#include <mae/backend/eigen/quantised_backend.hpp>
#include <mae/core/buffer.hpp>
#include <mae/model/encoder.hpp>
#include <mae/network/staging.hpp>

#include <concepts>
#include <utility>

namespace mae {

/// An encoder whose layers multiply int8, a scale for each row of weights and of activations; layer
/// norms, softmax, GELU and sums of residuals stay in float, and what stands between layers is
/// int8_activation. An image's features do not depend on the images beside it, nor on the number of
/// threads. Of a file: open_pretrained_encoder(read_pretrained(path), quantised_backend()).
using quantised_encoder = sized_encoder<quantised_backend>;

namespace detail {

/// A template, so that units of several instruction sets have classes of their own.
template <Backend B>
struct quantised_copy : sized_encoder<B> {
  template <class E>
  quantised_copy(E const& encoder, B backend)
      : sized_encoder<B>(
            encoder.sizes(), 0, std::move(backend), encoder.norm_epsilon(), encoder.levels()) {
    host_values const values(encoder.backend(), encoder.parameters().values());
    this->set_final_norm(encoder.final_norm());
    this->set_parameters(values.span());
    this->set_statistics(encoder.statistics());
  }
};

}  // namespace detail

/// A quantised copy of an encoder in float, of whatever sizes and backend.
template <Encoder E>
requires std::same_as<typename E::scalar, float> quantised_encoder
quantised(E const& encoder, quantised_backend backend = quantised_backend()) {
  return detail::quantised_copy<quantised_backend>(encoder, std::move(backend));
}

}  // namespace mae
