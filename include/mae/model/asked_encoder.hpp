#pragma once

#include <mae/backend/concept.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/normalise.hpp>
#include <mae/mask/plan.hpp>
#include <mae/model/encode_images.hpp>
#include <mae/model/encoder.hpp>
#include <mae/network/encoder_pass.hpp>
#include <mae/network/network_parts.hpp>
#include <mae/network/network_pass.hpp>
#include <mae/network/prepared_weights.hpp>
#include <mae/network/worker_pass.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace mae::detail {

/// An encoder, moved here, that several threads ask at once, each with a pass of its own: never by
/// the encoder's pool, which may be the one whose threads ask.
template <Backend B>
class asked_encoder {
  using T = typename B::scalar;

 public:
  asked_encoder(sized_encoder<B>&& encoder, index_t blocks)
      : encoder_(std::move(encoder)),
        parts_{.config = encoder_.sizes(),
               .norm_epsilon = encoder_.norm_epsilon(),
               .levels = encoder_.levels()},
        blocks_{encoder_.sizes().encoder.depth - blocks + 1, encoder_.sizes().encoder.depth},
        plan_(mask_plan::all_visible(1, encoder_.sizes().num_patches())) {
    prepare();
  }
  asked_encoder(asked_encoder const&) = delete;
  asked_encoder& operator=(asked_encoder const&) = delete;
  ~asked_encoder() = default;

  sized_encoder<B> const& encoder() const { return encoder_; }
  /// Changes the values, as sized_encoder does: not while another thread asks.
  void set_parameters(std::span<T const> values) {
    encoder_.set_parameters(values);
    prepare();
  }
  /// Likewise what else of the encoder its tokens depend on.
  void set_input(pixel_statistics const& statistics, double norm_epsilon) {
    encoder_.set_statistics(statistics);
    encoder_.set_norm_epsilon(norm_epsilon);
    if (parts_.norm_epsilon != norm_epsilon || parts_.levels.is_on())
      free_.clear();  // they were made for another
    parts_.norm_epsilon = norm_epsilon;
    parts_.levels = encoder_.levels();
  }

  /// teacher::encode.
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

  void prepare() {
    auto const weights =
        bind_network<T const>(encoder_.layout(), parts_, encoder_.parameters().values().data());
    operands_ = &prepared_.update(parts_, weights, encoder_.backend()).encoder;
  }

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

}  // namespace mae::detail
