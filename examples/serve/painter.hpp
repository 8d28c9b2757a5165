#pragma once

#include <mae/core/parallel.hpp>
#include <mae/core/types.hpp>
#include <mae/interop/pretrained_model.hpp>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace serve {

/// What of an image is hidden, which decides what is painted: (N), 1 where a patch is hidden.
using hidden_patches = std::vector<std::uint8_t>;

/// The decoder of a checkpoint, with its encoder, in fp32.
class painter {
 public:
  /// Throws mae::config_error where it has none, or one whose predictions are no pixels; see
  /// can_paint. What is assumed of it is a line on `notes`.
  painter(mae::pretrained_model const& model,
          std::shared_ptr<mae::thread_pool> threads,
          std::ostream& notes);
  ~painter();
  painter(painter const&) = delete;
  painter& operator=(painter const&) = delete;

  /// Paints 8-bit images (n, H, W, C) of which `hidden` (n, N) is not seen: whole images, in the
  /// units [0, 1], each with the same bits whatever others are with it.
  std::vector<float> paint(std::span<std::uint8_t const> images,
                           std::span<std::uint8_t const> hidden) const;

 private:
  struct parts;
  std::unique_ptr<parts const> parts_;
};

/// Whether a checkpoint's decoder paints pixels.
bool can_paint(mae::pretrained_model const& model);

/// The patches that `mae_reconstruct --mask uniform` hides of its first image: a share of them,
/// drawn by a seed. At least one is hidden, and one seen.
hidden_patches draw_hidden(mae::model_config const& sizes, double ratio, std::uint64_t seed);

/// What of a reconstruction is shown.
enum class painting_view { pasted, painted, masked, sheet };

/// A PNG of an image, pixel by pixel as large as the model's images: its hidden patches painted
/// among what was seen (pasted), all of it as painted, the hidden patches grey (masked), or the
/// image and these three side by side, larger (sheet). Throws mae::config_error for what is not
/// finite.
std::string png_of_painting(mae::model_config const& sizes,
                            std::span<std::uint8_t const> image,
                            std::span<float const> painted,
                            hidden_patches const& hidden,
                            painting_view view);

}  // namespace serve
