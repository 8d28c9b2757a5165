#pragma once

#include "options.hpp"

#include <mae/core/config.hpp>
#include <mae/core/types.hpp>
#include <mae/head/cross_decoder.hpp>
#include <mae/head/decoder.hpp>
#include <mae/model/configs.hpp>

namespace pretrain {

/// A configuration as a type.
template <mae::model_config Config>
struct config_constant {
  static constexpr mae::model_config value = Config;
};

/// visit(config_constant) with the configuration that the command line chose.
template <class Visit>
auto with_config(options const& settings, Visit const& visit) {
  switch (settings.config) {
    case model_choice::tiny4:
      if (settings.decoder_depth == 6)
        return visit(config_constant<mae::configs::tiny4_decoder6>{});
      return visit(config_constant<mae::configs::tiny4>{});
    case model_choice::tiny2:
      return visit(config_constant<mae::configs::tiny2>{});
    case model_choice::base16:
      return visit(config_constant<mae::configs::vit_base_patch16>{});
    case model_choice::micro8:
      return visit(config_constant<mae::configs::micro8>{});
    case model_choice::quick4:
      break;
  }
  return visit(config_constant<mae::configs::quick4>{});
}

/// The values of an encoder and of the chosen decoder, which predicts so many for a patch.
inline mae::index_t parameters_of(options const& settings,
                                  mae::model_config const& config,
                                  mae::index_t target_width) {
  bool const crosses = settings.decoder == decoder_choice::cross;
  auto const of = [&](bool is_told, mae::index_t width) {
    return is_told ? settings.density_token * width : 0;
  };
  return (crosses ? mae::cross_parameter_count(config, target_width)
                  : mae::parameter_count(config, target_width)) +
         of(settings.density_token_at != mae::told_tokens::mask, config.encoder.width) +
         of(settings.density_token_at != mae::told_tokens::visible, config.decoder.width);
}

/// The sizes of the chosen configuration.
inline mae::model_config config_of(options const& settings) {
  return with_config(settings, [](auto config) { return config.value; });
}

}  // namespace pretrain
