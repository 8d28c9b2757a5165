#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/model/asked_encoder.hpp>
#include <mae/model/encoder.hpp>
#include <mae/network/staging.hpp>
#include <mae/objective/teacher_tokens.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace mae {

namespace detail {

inline std::string sixteen_digits(std::uint64_t number) {
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i-- > 0; number >>= 4U)
    digits[i] = "0123456789abcdef"[number & 15U];
  return digits;
}

}  // namespace detail

/// What tells an encoder from others: a hash of all that its tokens depend on, in 16 digits.
template <Backend B>
std::string identity_of(sized_encoder<B> const& encoder) {
  fingerprint_hash hash;
  auto const& stack = encoder.sizes().encoder;
  auto const& patch = encoder.sizes().patch;
  hash.add(encoder.sizes().image).add(patch.height).add(patch.width);
  hash.add(stack.depth).add(stack.heads).add(encoder.norm_epsilon());
  for (auto const* of : {&encoder.statistics().mean, &encoder.statistics().deviation})
    for (double const value : *of) hash.add(value);
  if (auto const& levels = encoder.levels(); levels.is_on()) {
    hash.add(static_cast<index_t>(levels.measure));
    for (float const bound : levels.bounds) hash.add(static_cast<double>(bound));
  }
  host_values<B> const values(encoder.backend(), encoder.parameters().values());
  for (auto const& tensor : encoder.layout().tensors())
    hash.add(std::as_bytes(values.span().subspan(static_cast<std::size_t>(tensor.offset),
                                                 static_cast<std::size_t>(tensor.size()))));
  return detail::sixteen_digits(hash.value());
}

/// An encoder, moved here, as a teacher: the mean of the tokens after its last `blocks` blocks,
/// before its final norm. Images are encoded on the threads that load them, one each. Throws
/// config_error for more blocks than it has.
template <Backend B>
teacher frozen_teacher(sized_encoder<B>&& encoder, index_t blocks = 1) {
  static_assert(B::uses_host_memory, "a teacher works where images are loaded, on the host");
  auto const config = encoder.sizes();
  require_blocks(config, blocks);
  auto identity = identity_of(encoder);
  auto const asked = std::make_shared<detail::asked_encoder<B>>(std::move(encoder), blocks);
  return {.image = config.image,
          .patch = config.patch,
          .width = config.encoder.width,
          .blocks = blocks,
          .identity = std::move(identity),
          .encode = [asked](std::span<float const> pixels, matrix_view<float> tokens) {
            asked->encode(pixels, tokens);
          }};
}

}  // namespace mae
