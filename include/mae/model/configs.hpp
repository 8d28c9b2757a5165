#pragma once

#include <mae/core/config.hpp>

#include <array>
#include <string_view>

/// Models by name. They are values: a program compiles nothing of those that it does not use.
namespace mae::configs {

namespace detail {

inline constexpr image_extent imagenet{.height = 224, .width = 224, .channels = 3};
inline constexpr image_extent cifar10{.height = 32, .width = 32, .channels = 3};
inline constexpr stack_config official_decoder{.depth = 8, .width = 512, .heads = 16};

}  // namespace detail

/// The models of He et al. 2021 (arXiv 2111.06377): 111,907,840, 329,541,888 and 657,074,508
/// values with their decoders and tables of positions.
inline constexpr model_config vit_base_patch16{
    .image = detail::imagenet,
    .patch = {.height = 16, .width = 16},
    .encoder = {.depth = 12, .width = 768, .heads = 12},
    .decoder = detail::official_decoder,
};
inline constexpr model_config vit_large_patch16{
    .image = detail::imagenet,
    .patch = {.height = 16, .width = 16},
    .encoder = {.depth = 24, .width = 1024, .heads = 16},
    .decoder = detail::official_decoder,
};
inline constexpr model_config vit_huge_patch14{
    .image = detail::imagenet,
    .patch = {.height = 14, .width = 14},
    .encoder = {.depth = 32, .width = 1280, .heads = 16},
    .decoder = detail::official_decoder,
};

/// Small ones for images of 32x32 pixels.
inline constexpr model_config tiny4{
    .image = detail::cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 2, .width = 96, .heads = 3},
};
inline constexpr model_config tiny4_decoder6{
    .image = detail::cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 6, .width = 96, .heads = 3},
};
inline constexpr model_config tiny2{
    .image = detail::cifar10,
    .patch = {.height = 2, .width = 2},
    .encoder = {.depth = 12, .width = 192, .heads = 3},
    .decoder = {.depth = 4, .width = 192, .heads = 3},
};
inline constexpr model_config quick4{
    .image = detail::cifar10,
    .patch = {.height = 4, .width = 4},
    .encoder = {.depth = 6, .width = 256, .heads = 4},
    .decoder = {.depth = 2, .width = 128, .heads = 4},
};
/// Of 50,000 values: for tests and first tries.
inline constexpr model_config micro8{
    .image = detail::cifar10,
    .patch = {.height = 8, .width = 8},
    .encoder = {.depth = 1, .width = 48, .heads = 3},
    .decoder = {.depth = 1, .width = 24, .heads = 3},
};

struct named_config {
  std::string_view name;
  model_config config;
};

/// All of them. A file that does not say how many heads its layers have is taken for the one whose
/// other sizes it has.
inline constexpr std::array<named_config, 8> all{{{"vit_base_patch16", vit_base_patch16},
                                                  {"vit_large_patch16", vit_large_patch16},
                                                  {"vit_huge_patch14", vit_huge_patch14},
                                                  {"tiny4", tiny4},
                                                  {"tiny4_decoder6", tiny4_decoder6},
                                                  {"tiny2", tiny2},
                                                  {"quick4", quick4},
                                                  {"micro8", micro8}}};

}  // namespace mae::configs
