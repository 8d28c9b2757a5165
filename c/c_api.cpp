#include "loaded_model.hpp"

#include <mae/c_api.h>
#include <mae/core/error.hpp>
#include <mae/core/text.hpp>
#include <mae/core/types.hpp>
#include <mae/core/version.hpp>
#include <mae/op/pooling.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <exception>
#include <limits>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace c_api {
namespace {

/// The text of this thread's last error. Of a fixed size, so that saying "no memory" needs none.
std::array<char, 2048>& last_error() noexcept {
  static constinit thread_local std::array<char, 2048> text{};
  return text;
}

/// Keeps as much of a text as there is room for, whole characters of it.
mae_status fail(mae_status status, std::string_view text) noexcept {
  auto& error = last_error();
  std::size_t kept = 0;
  while (kept < text.size()) {
    std::size_t const next = std::max<std::size_t>(1, mae::utf8_sequence(text.substr(kept)));
    if (kept + next >= error.size()) break;
    kept += next;
  }
  std::copy_n(text.data(), kept, error.data());
  error[kept] = '\0';
  return status;
}

/// Runs what may throw, and turns that into a status.
template <class Body>
mae_status guarded(Body const& body) noexcept {
  try {
    body();
    return MAE_OK;
  } catch (argument_error const& wrong) {
    return fail(MAE_ERROR_ARGUMENT, wrong.what());
  } catch (mae::config_error const& wrong) {
    return fail(MAE_ERROR_CONFIG, wrong.what());
  } catch (mae::io_error const& wrong) {
    return fail(MAE_ERROR_IO, wrong.what());
  } catch (mae::format_error const& wrong) {
    return fail(MAE_ERROR_FORMAT, wrong.what());
  } catch (not_finite_error const& wrong) {
    return fail(MAE_ERROR_NUMERIC, wrong.what());
  } catch (std::bad_alloc const&) {
    return fail(MAE_ERROR_MEMORY, "there is not enough memory for this");
  } catch (std::exception const& wrong) {
    return fail(MAE_ERROR_OTHER, wrong.what());
  } catch (...) {
    return fail(MAE_ERROR_OTHER, "an error of an unknown kind");
  }
}

void require_pointer(void const* pointer, char const* name) {
  if (pointer == nullptr) throw argument_error(std::string(name) + " is NULL");
}

/// Throws device_error where the processor lacks instructions that this library was compiled for:
/// the first of them would end the process.
void require_instructions() {
  char const* missing = nullptr;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
#ifdef __AVX512BF16__
  if (!__builtin_cpu_supports("avx512bf16")) missing = "AVX-512 BF16";
#endif
#ifdef __AVX512F__
  if (!__builtin_cpu_supports("avx512f")) missing = "AVX-512";
#endif
#ifdef __AVX512BW__
  if (!__builtin_cpu_supports("avx512bw")) missing = "AVX-512 BW";
#endif
#ifdef __AVX512DQ__
  if (!__builtin_cpu_supports("avx512dq")) missing = "AVX-512 DQ";
#endif
#ifdef __AVX512VNNI__
  if (!__builtin_cpu_supports("avx512vnni")) missing = "AVX-512 VNNI";
#endif
#ifdef __AVX512VBMI__
  if (!__builtin_cpu_supports("avx512vbmi")) missing = "AVX-512 VBMI";
#endif
#ifdef __AVX512VL__
  if (!__builtin_cpu_supports("avx512vl")) missing = "AVX-512 VL";
#endif
#ifdef __AVX2__
  if (!__builtin_cpu_supports("avx2")) missing = "AVX2";
#endif
#ifdef __BMI2__
  if (!__builtin_cpu_supports("bmi2")) missing = "BMI2";
#endif
#ifdef __FMA__
  if (!__builtin_cpu_supports("fma")) missing = "FMA";
#endif
#endif
  if (missing != nullptr)
    throw mae::device_error(std::string("this build of mae_c needs ") + missing +
                            ", which the processor lacks: build it there, or with other flags");
}

/// n images of `values` floats each, whose result has `result` floats each and room for `room`.
std::span<float const> images_of(
    float const* images, std::size_t n, std::size_t values, std::size_t result, std::size_t room) {
  constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float);
  if (n > most / std::max(values, result))
    throw argument_error(std::to_string(n) + " images are more than memory has numbers for");
  if (room < n * result)
    throw argument_error("the result of " + std::to_string(n) + " images has " +
                         std::to_string(n * result) + " values, there is room for " +
                         std::to_string(room));
  return {images, n * values};
}

std::size_t size_of(mae::index_t value) {
  return static_cast<std::size_t>(value);
}

/// Writes a result, `each` values of an image. Throws not_finite_error for the first image of which
/// one is not finite.
void put(std::vector<float> const& values, std::size_t each, char const* what, float* out) {
  auto const bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad != values.end())
    throw not_finite_error("image " + std::to_string(size_of(bad - values.begin()) / each) + ": " +
                           what +
                           " is not finite: its pixels, or the checkpoint's weights "
                           "or statistics, are beyond what a float can compute with");
  std::ranges::copy(values, out);
}

mae::pooling pooling_of(int pool) {
  switch (pool) {
    case MAE_POOL_MEAN:
      return mae::pooling::mean;
    case MAE_POOL_CLASS:
      return mae::pooling::class_token;
    case MAE_POOL_BOTH:
      return mae::pooling::both;
    default:
      throw argument_error("there is no pooling " + std::to_string(pool));
  }
}

/// Those of a caller of this version, the first. A later one will know the sizes of those before
/// it.
mae_options options_of(mae_options const* given) {
  if (given == nullptr) return MAE_OPTIONS_INIT;
  if (given->size != sizeof(mae_options))
    throw argument_error("options of " + std::to_string(given->size) +
                         " bytes: begin with MAE_OPTIONS_INIT, of this library's version");
  return *given;
}

}  // namespace
}  // namespace c_api

char const* mae_version() {
  return MAE_VERSION;
}

char const* mae_last_error() {
  return c_api::last_error().data();
}

mae_status mae_load(char const* path, mae_options const* options, mae_model** model) {
  return c_api::guarded([&] {
    c_api::require_pointer(model, "model");
    *model = nullptr;
    c_api::require_pointer(path, "path");
    c_api::require_instructions();
    *model = mae_model::load(path, c_api::options_of(options)).release();
  });
}

void mae_free(mae_model* model) {
  delete model;  // NOLINT(cppcoreguidelines-owning-memory): its owner is in another language
}

mae_status mae_get_sizes(mae_model const* model, mae_sizes* sizes) {
  return c_api::guarded([&] {
    c_api::require_pointer(model, "model");
    c_api::require_pointer(sizes, "sizes");
    using c_api::size_of;
    auto const& [image, patch, encoder, decoder] = model->sizes();
    *sizes = {.image_height = size_of(image.height),
              .image_width = size_of(image.width),
              .image_channels = size_of(image.channels),
              .patch_height = size_of(patch.height),
              .patch_width = size_of(patch.width),
              .patches = size_of(model->sizes().num_patches()),
              .width = size_of(encoder.width),
              .depth = size_of(encoder.depth),
              .heads = size_of(encoder.heads),
              .paints = model->painting ? std::size_t{1} : std::size_t{0}};
  });
}

char const* mae_notes(mae_model const* model) {
  return model == nullptr ? "" : model->notes.c_str();
}

char const* mae_entry(mae_model const* model, char const* name) {
  if (model == nullptr || name == nullptr) return nullptr;
  for (auto const& [entry, value] : model->entries)
    if (entry == name) return value.c_str();
  return nullptr;
}

mae_status mae_features(
    mae_model const* model, float const* images, size_t n, int pool, float* features, size_t room) {
  return c_api::guarded([&] {
    c_api::require_pointer(model, "model");
    auto const pooling = c_api::pooling_of(pool);
    auto const width = c_api::size_of(model->encoder.feature_width(pooling));
    auto const values = c_api::size_of(model->sizes().image.values());
    auto const input = c_api::images_of(images, n, values, width, room);
    if (n == 0) return;
    c_api::require_pointer(images, "images");
    c_api::require_pointer(features, "features");
    c_api::put(model->encoder.features(input, pooling), width, "a feature", features);
  });
}

mae_status mae_tokens(
    mae_model const* model, float const* images, size_t n, float* tokens, size_t room) {
  return c_api::guarded([&] {
    c_api::require_pointer(model, "model");
    auto const& encoder = model->encoder;
    auto const each = c_api::size_of(encoder.num_tokens() * model->sizes().encoder.width);
    auto const values = c_api::size_of(model->sizes().image.values());
    auto const input = c_api::images_of(images, n, values, each, room);
    if (n == 0) return;
    c_api::require_pointer(images, "images");
    c_api::require_pointer(tokens, "tokens");
    c_api::put(encoder.tokens(input), each, "a token", tokens);
  });
}

mae_status mae_reconstruct(mae_model const* model,
                           float const* images,
                           unsigned char const* hidden,
                           size_t n,
                           float* painted,
                           size_t room) {
  return c_api::guarded([&] {
    c_api::require_pointer(model, "model");
    auto const values = c_api::size_of(model->sizes().image.values());
    auto const input = c_api::images_of(images, n, values, values, room);
    if (n == 0) return;
    c_api::require_pointer(images, "images");
    c_api::require_pointer(hidden, "hidden");
    c_api::require_pointer(painted, "painted");
    auto const patches = c_api::size_of(model->sizes().num_patches());
    c_api::put(
        model->reconstruct(input, {hidden, n * patches}), values, "a painted pixel", painted);
  });
}
