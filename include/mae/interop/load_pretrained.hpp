#pragma once

#include <mae/backend/eigen/declaration.hpp>
#include <mae/core/config.hpp>
#include <mae/interop/pretrained.hpp>
#include <mae/interop/put_pretrained.hpp>
#include <mae/model/encoder.hpp>

#include <string>
#include <utility>

namespace mae {

/// Puts a file of anyone's, or a folder, into a model, as put_pretrained.hpp does what was read.
/// Throws as read_pretrained, too.
template <class Model>
void load_pretrained(std::string const& path,
                     Model& model,
                     pretrained_parts parts = pretrained_parts::encoder_and_decoder) {
  load_pretrained(read_pretrained(path), model, parts);
}

/// The encoder of a checkpoint of anyone's, for images of any height and width that patches fit.
/// Throws as load_pretrained.
template <model_config Config, Backend B = eigen_backend<float>>
encoder<Config, B> load_pretrained_encoder(std::string const& path, B backend = B{}) {
  auto const found = read_pretrained(path);
  detail::require_same_model(found, Config, pretrained_parts::encoder);
  encoder<Config, B> loaded(0, std::move(backend));
  detail::put_resized(loaded, found, Config.image, pretrained_parts::encoder);
  return loaded;
}

}  // namespace mae
