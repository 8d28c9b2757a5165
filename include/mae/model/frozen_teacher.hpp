#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/config.hpp>
#include <mae/core/error.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/fingerprint.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/encode_images.hpp>
#include <mae/model/encoder.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/staging.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/objective/teacher_tokens.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mae {

namespace detail {

inline std::string sixteen_digits(std::uint64_t number) {
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i-- > 0; number >>= 4U)
    digits[i] = "0123456789abcdef"[number & 15U];
  return digits;
}

/// An encoder that several threads ask at once, each with a pass of its own: never by the encoder's
/// pool, which may be the one whose threads ask.
template <Backend B>
class asked_encoder {
  using T = typename B::scalar;

 public:
  asked_encoder(sized_encoder<B>&& encoder, index_t blocks)
      : encoder_(std::move(encoder)),
        parts_{encoder_.sizes(), encoder_.norm_epsilon()},
        blocks_{encoder_.sizes().encoder.depth - blocks + 1, encoder_.sizes().encoder.depth},
        plan_(mask_plan::all_visible(1, encoder_.sizes().num_patches())) {
    auto const weights =
        bind_network<T const>(encoder_.layout(), parts_, encoder_.parameters().values().data());
    operands_ = &prepared_.update(parts_, weights, encoder_.backend()).encoder;
  }
  asked_encoder(asked_encoder const&) = delete;
  asked_encoder& operator=(asked_encoder const&) = delete;
  ~asked_encoder() = default;

  void encode(std::span<float const> pixels, matrix_view<float> tokens) {
    auto asked = take();
    auto const& config = encoder_.sizes();
    index_t const patches = config.num_patches();
    std::vector<float> shown(pixels.begin(), pixels.end());
    normalise_pixels(shown, encoder_.statistics());
    asked->cut.resize(shown.size());
    patchify(
        shown, config.image, config.patch, {asked->cut.data(), patches, config.patch_values()});
    asked->patches.assign(asked->cut.begin(), asked->cut.end());
    auto const in = asked->pass.bring(
        plan_, 0, 1, matrix_view<T const>(asked->patches.data(), patches, config.patch_values()));
    visit_tokens<T> const visit = [&](index_t block, matrix_view<T const> encoded) {
      for (index_t i = 0; i < patches; ++i)
        std::ranges::copy(encoded.row(i + 1),
                          tokens.row((block - blocks_.first) * patches + i).begin());
    };
    asked->pass.network().encode_blocks(
        *operands_, in.shard, in.patches, block_visits<visit_tokens<T>>{blocks_, false, visit});
    std::lock_guard const lock(mutex_);
    free_.push_back(std::move(asked));
  }

 private:
  struct worker {
    worker(B const& backend, network_parts<> const& parts)
        : pass(backend.make_lane(), parts, pass_kind::inference) {}

    worker_pass<network_pass<B>> pass;
    std::vector<float> cut;  // (N, P)
    std::vector<T> patches;  // likewise
  };

  std::unique_ptr<worker> take() {
    std::lock_guard const lock(mutex_);
    if (free_.empty()) return std::make_unique<worker>(encoder_.backend(), parts_);
    auto one = std::move(free_.back());
    free_.pop_back();
    return one;
  }

  sized_encoder<B> encoder_;
  network_parts<> parts_;
  block_range blocks_;
  mask_plan plan_;
  prepared_weights<B> prepared_{pass_kind::inference};
  encoder_operands<typename B::lane> const* operands_ = nullptr;
  std::mutex mutex_;
  std::vector<std::unique_ptr<worker>> free_;
};

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
  if (blocks < 1 || blocks > config.encoder.depth)
    throw config_error("the mean of the last " + std::to_string(blocks) +
                       " blocks of a teacher that has " + std::to_string(config.encoder.depth));
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
