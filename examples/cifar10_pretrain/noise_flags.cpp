#include "noise_flags.hpp"

#include "flag_values.hpp"

#include <mae/core/random.hpp>
#include <mae/core/types.hpp>
#include <mae/core/views.hpp>
#include <mae/data/normalise.hpp>
#include <mae/patch/patchify.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>

namespace pretrain {
namespace {

void read_noise(std::string const& text, mae::pixel_noise& noise) {
  auto const level = [](std::string const& one) {
    return checked_number(
        one, "a deviation above 0, or the least and the greatest, as 0.1:1", [](double value) {
          return value > 0 && value <= std::numeric_limits<float>::max();
        });
  };
  auto const colon = text.find(':');
  noise.sigma_min = level(text.substr(0, colon));
  noise.sigma_max = colon == std::string::npos ? noise.sigma_min : level(text.substr(colon + 1));
  if (noise.sigma_min > noise.sigma_max)
    throw usage_error("must have the least deviation first, not " + text);
}

}  // namespace

std::vector<flag> noise_flags(options& o) {
  return {{"noise",
           "SIGMA|MIN:MAX",
           "add normal noise to what the encoder sees, of so large a deviation in\n"
           "normalised pixels; or of one drawn for each view, log-uniformly between\n"
           "two. Targets are without. Beside masks, or alone with --mask none [none]",
           [&o](std::string const& text) { read_noise(text, o.noise); }},
          {"denoiser",
           "WEIGHT",
           with_default("beside painting, take the noise away from what is seen, knowing how\n"
                        "much it is, with this weight (docs/objectives.md); 0: paint alone",
                        o.denoiser),
           not_negative(o.denoiser)}};
}

void check_noise(given_flags const& given, options const& o) {
  if (o.denoiser > 0 && !o.noise.is_on())
    throw usage_error("--denoiser needs --noise: there is nothing else that it could take away");
  if (o.denoiser > 0 && o.backend != backend_choice::eigen)
    throw usage_error("--denoiser is trained on the processor: leave --backend " +
                      std::string(name(o.backend)));
  if (o.mask != mask_choice::none) return;
  if (o.visible_loss == 0)
    throw usage_error(
        "--mask none leaves no hidden patch to learn from: give --visible-loss 1, by which visible "
        "ones are predicted without their noise");
  if (given.contains("predict-share"))
    throw usage_error("--predict-share has no meaning with --mask none: nothing is hidden");
}

mae::pixel_noise heldout_noise(options const& o) {
  return o.denoiser > 0 ? o.noise : pictured_noise(o);
}

mae::pixel_noise pictured_noise(options const& o) {
  return o.mask == mask_choice::none ? o.noise : mae::pixel_noise{};
}

mae::settings_list noise_entries(options const& o) {
  if (!o.noise.is_on()) return {};
  bool const is_one = o.noise.sigma_min == o.noise.sigma_max;
  return {{"noise on what is seen",
           is_one ? "deviation " + mae::decimal_text(o.noise.sigma_min)
                  : "deviations " + mae::decimal_text(o.noise.sigma_min) + " to " +
                        mae::decimal_text(o.noise.sigma_max)}};
}

std::vector<float> spoil_images(std::span<float const> images,
                                mae::pixel_noise const& noise,
                                mae::pixel_statistics const& statistics,
                                mae::model_config const& config) {
  std::vector<float> spoilt(images.begin(), images.end());
  mae::normalise_pixels(spoilt, statistics);
  std::vector<mae::patch_index> all(static_cast<std::size_t>(config.num_patches()));
  std::iota(all.begin(), all.end(), mae::patch_index{0});
  auto const values = static_cast<std::size_t>(config.image.values());
  std::vector<float> cut(values);
  mae::matrix_view<float> const patches(cut.data(), config.num_patches(), config.patch_values());
  for (std::size_t i = 0; i * values < spoilt.size(); ++i) {
    auto const image = std::span(spoilt).subspan(i * values, values);
    mae::stream_key const key{.use = mae::purpose::heldout_noise,
                              .index = static_cast<std::uint64_t>(i)};
    mae::patchify(image, config.image, config.patch, patches);
    mae::add_noise(mae::noise_level(noise, key), key, all, patches);
    mae::unpatchify(patches, config.image, config.patch, image);
  }
  mae::denormalise_pixels(spoilt, statistics);
  return spoilt;
}

}  // namespace pretrain
