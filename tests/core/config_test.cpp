#include <mae/core/config.hpp>

#include <doctest/doctest.h>

#include <type_traits>

namespace {

/// ViT-B's sizes on CIFAR's images, and a model with nothing square or even.
constexpr mae::model_config base{
    .image = {.height = 32, .width = 32, .channels = 3},
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 768, .heads = 12},
    .decoder = {.depth = 8, .width = 512, .heads = 16},
};
constexpr mae::model_config oblong{
    .image = {.height = 20, .width = 21, .channels = 4},
    .patch = {.height = 5, .width = 7},
    .encoder = {.depth = 2, .width = 20, .heads = 5},
    .decoder = {.depth = 1, .width = 12, .heads = 3, .mlp_ratio = {3, 2}},
};

static_assert(mae::validated_config<base>::value == base);
static_assert(mae::validated_config<oblong>::value == oblong);

static_assert(base.num_patches() == 64 && base.patch_values() == 48);
static_assert(base.encoder.hidden() == 3072 && base.encoder.head_width() == 64);
static_assert(base.image.pixels() == 1024 && base.image.values() == 3072);

static_assert(oblong.grid_rows() == 4 && oblong.grid_columns() == 3);
static_assert(oblong.num_patches() == 12 && oblong.patch_values() == 140);
static_assert(oblong.image.values() == oblong.num_patches() * oblong.patch_values());
static_assert(oblong.decoder.hidden() == 18 && oblong.decoder.head_width() == 4);

static_assert(mae::ratio{3, 4}.value() == 0.75);
static_assert(mae::ratio{3, 4} == mae::ratio{3, 4} && mae::ratio{3, 4} != mae::ratio{6, 8});

template <mae::model_config>
struct model {};

constexpr mae::model_config deeper(mae::model_config config) {
  ++config.encoder.depth;
  return config;
}

}  // namespace

TEST_CASE("equal configurations name the same type") {
  constexpr mae::model_config copy = base;
  CHECK(std::is_same_v<model<base>, model<copy>>);
  CHECK(!std::is_same_v<model<base>, model<deeper(base)>>);
  CHECK(!std::is_same_v<model<base>, model<oblong>>);
}
