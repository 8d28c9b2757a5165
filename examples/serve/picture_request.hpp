#pragma once

#include "message.hpp"
#include "painter.hpp"
#include "routes.hpp"
#include "served_model.hpp"

#include <mae/core/types.hpp>
#include <mae/model/encode_images.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace serve {

/// What a request asks of its pictures.
struct picture_request {
  task what = task::features;
  mae::pooling pool = mae::pooling::mean;
  bool as_bytes = false;  // features, not as JSON
  std::size_t top = 5;    // classes
  mae::index_t k = 8;     // neighbours
  attention_asked attention = {};
  hidden_patches hidden = {};
  painting_view view = painting_view::pasted;
  std::size_t images = 0;
};

/// Reads it, and finds its pictures, views of the request's body; at most `most`. Throws
/// request_error.
picture_request read_picture_request(route const& which,
                                     request const& in,
                                     served_model const& model,
                                     std::size_t most,
                                     std::vector<std::string_view>& pictures);

/// What a request asks of the gallery.
struct thumbnail_request {
  mae::index_t index = 0;
  std::optional<std::string> version = {};  // of the gallery that is meant; any without it
};

/// Reads it. Throws request_error.
thumbnail_request read_thumbnail_request(route const& which, request_head const& head);

/// Pictures as the model's images for a task, (n, H, W, C); fewer of them where the request is
/// abandoned meanwhile. Throws request_error, which names the picture by its number from 1 where
/// there are several.
std::vector<std::uint8_t> decode_pictures(task what,
                                          std::vector<std::string_view> const& pictures,
                                          served_model const& model,
                                          std::atomic<bool> const& abandoned);

/// Why a model does not offer a task.
request_error not_offered(task what);

}  // namespace serve
