#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/model/encoder.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/part.hpp>
#include <mae/network/staging.hpp>
#include <mae/objective/teacher_tokens.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

/// One image, as a dataset.
struct image_in_memory {
  image_extent of;
  std::span<float const> pixels;

  index_t size() const { return 1; }
  image_extent extent() const { return of; }
  void read(index_t /*index*/, std::span<float> to) const { std::ranges::copy(pixels, to.begin()); }
  index_t label(index_t /*index*/) const { return -1; }
  double pixel_scale() const { return 1; }
  index_t num_classes() const { return 0; }
};

inline std::string hexadecimal(std::uint64_t number) {
  std::array<char, 16> digits{};
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return {digits.data(), end};
}

}  // namespace detail

/// What tells an encoder from others: a hash of all that its tokens depend on, in 16 digits.
template <Backend B>
std::string identity_of(sized_encoder<B> const& encoder) {
  fingerprint_hash hash;
  auto const& stack = encoder.sizes().encoder;
  hash.add(encoder.sizes().image).add(stack.depth).add(stack.heads).add(encoder.norm_epsilon());
  for (auto const* of : {&encoder.statistics().mean, &encoder.statistics().deviation})
    for (double const value : *of) hash.add(value);
  host_values<B> const values(encoder.backend(), encoder.parameters().values());
  for (auto const& tensor : encoder.layout().tensors())
    hash.add(std::as_bytes(values.span().subspan(static_cast<std::size_t>(tensor.offset),
                                                 static_cast<std::size_t>(tensor.size()))));
  return detail::hexadecimal(hash.value());
}

/// An encoder as a teacher: the mean of the tokens after its last `blocks` blocks, before its final
/// norm. Give it a backend of one thread, since images are encoded on the threads that load them.
/// Throws config_error for more blocks than it has.
template <Backend B>
teacher frozen_teacher(sized_encoder<B>&& encoder, index_t blocks = 1) {
  static_assert(B::uses_host_memory, "a teacher works where images are loaded, on the host");
  auto const& config = encoder.sizes();
  if (blocks < 1 || blocks > config.encoder.depth)
    throw config_error("the mean of the last " + std::to_string(blocks) +
                       " blocks of a teacher that has " + std::to_string(config.encoder.depth));
  teacher made{.image = config.image,
               .patch = config.patch,
               .width = config.encoder.width,
               .blocks = blocks,
               .identity = identity_of(encoder),
               .encode = {}};
  block_range const last{config.encoder.depth - blocks + 1, config.encoder.depth};
  encoder.set_final_norm(norm_place::pooled);  // tokens as they are
  auto const kept = std::make_shared<sized_encoder<B> const>(std::move(encoder));
  made.encode = [kept, last](std::span<float const> pixels, matrix_view<float> tokens) {
    auto const patches = kept->sizes().num_patches();
    auto const take = [&](index_t /*image*/,
                          index_t block,
                          matrix_view<typename B::scalar const> of) {
      std::copy_n(
          of.row(1).data(), patches * of.cols, tokens.row((block - last.first) * patches).data());
    };
    kept->encode_blocks(detail::image_in_memory{kept->sizes().image, pixels}, last, take);
  };
  return made;
}

}  // namespace mae
