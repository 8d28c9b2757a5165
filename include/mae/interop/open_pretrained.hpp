#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/painter.hpp>
#include <mae/interop/load_pretrained.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/mask/policy.hpp>
#include <mae/model/autoencoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/model/headed_encoder.hpp>
#include <mae/objective/objective.hpp>

#include <string>
#include <utility>

namespace mae {

namespace detail {

/// A model or an encoder of a checkpoint's sizes, which were checked when it was read.
template <class Painter, MaskPolicy Mask, Backend B, Objective Target>
struct opened_autoencoder : sized_painting_model<Painter, Mask, B, Target> {
  opened_autoencoder(model_config const& config, autoencoder_parts<Mask, B, Target> made_of)
      : sized_painting_model<Painter, Mask, B, Target>(config, std::move(made_of)) {}
};
template <MaskPolicy Mask, Backend B, class... Heads>
struct opened_headed_encoder : sized_headed_encoder<Mask, B, Heads...> {
  opened_headed_encoder(model_config const& config, headed_encoder_parts<Mask, B, Heads...> made_of)
      : sized_headed_encoder<Mask, B, Heads...>(config, std::move(made_of)) {}
};
template <Backend B>
struct opened_encoder : sized_encoder<B> {
  opened_encoder(pretrained_model const& found, B backend)
      : sized_encoder<B>(found.sizes, 0, std::move(backend), found.norm_epsilon(), found.levels()) {
  }
};

template <class Painter, MaskPolicy Mask, Backend B, Objective Target>
sized_painting_model<Painter, Mask, B, Target> open_painter(
    pretrained_model const& found, autoencoder_parts<Mask, B, Target> parts) {
  require_decoder(found, Painter::name == cross_decoder_segment);
  require_heads(found, found.sizes.encoder, "--heads");
  require_heads(found, found.sizes.decoder, "--decoder-heads");
  parts.levels = found.levels();
  opened_autoencoder<Painter, Mask, B, Target> model(found.sizes, std::move(parts));
  put_values(model, found, pretrained_parts::encoder_and_decoder);
  return model;
}

}  // namespace detail

/// The model of a checkpoint, of whatever sizes it has: they are values, nothing is compiled for
/// them. Throws config_error where there is no decoder or one by cross-attention, or where its
/// heads are not known.
template <MaskPolicy Mask, Backend B, Objective Target>
sized_autoencoder<Mask, B, Target> open_pretrained(pretrained_model const& found,
                                                   autoencoder_parts<Mask, B, Target> parts) {
  return detail::open_painter<painter>(found, std::move(parts));
}

/// The encoder of a checkpoint likewise.
template <Backend B>
sized_encoder<B> open_pretrained_encoder(pretrained_model const& found, B backend) {
  detail::require_heads(found, found.sizes.encoder, "--heads");
  detail::opened_encoder<B> encoder(found, std::move(backend));
  detail::put_values(encoder, found, pretrained_parts::encoder);
  return encoder;
}

/// The encoder of a checkpoint with new heads, to be fine-tuned; a norm of what is pooled goes on
/// as the checkpoint's, where it has one. Throws likewise, and for a checkpoint whose final norm is
/// that of what is pooled where that of `parts` is not: heads would read tokens that no norm has
/// seen.
template <MaskPolicy Mask, Backend B, class... Heads>
sized_headed_encoder<Mask, B, Heads...> open_pretrained_encoder(
    pretrained_model const& found, headed_encoder_parts<Mask, B, Heads...> parts) {
  detail::require_heads(found, found.sizes.encoder, "--heads");
  if (found.final_norm() == norm_place::pooled && parts.final_norm == norm_place::tokens)
    throw config_error(
        found.path +
        ": its final norm is that of pooled features (fc_norm), as of a model that "
        "was fine-tuned already: heads are put on tokens after a norm; --norm pooled "
        "goes on with it (final_norm in a program)");
  parts.levels = found.levels();
  detail::opened_headed_encoder<Mask, B, Heads...> model(found.sizes, std::move(parts));
  detail::put_values(model, found, pretrained_parts::encoder);
  return model;
}

}  // namespace mae
