#pragma once

#include "message.hpp"
#include "picture_request.hpp"
#include "served_model.hpp"

#include <cstdint>
#include <span>

namespace serve {

/// The answer, from what served_model::compute made of images.
reply answer_of(picture_request const& asked,
                served_model const& model,
                std::span<std::uint8_t const> pixels,
                std::span<float const> values);

/// A picture as the model takes it, from its pixels.
reply view_of(served_model const& model, std::span<std::uint8_t const> pixels);

/// A picture of the gallery, small. Throws request_error where there is none of this number, or
/// another gallery was meant.
reply thumbnail_of(served_model const& model, thumbnail_request const& asked);

}  // namespace serve
