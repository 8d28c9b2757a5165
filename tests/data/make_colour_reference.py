#!/usr/bin/env python3
"""Writes colour_reference.hpp: what torchvision makes of the colours of a small image of floats.

Needs torchvision 0.29.2 and numpy.

    python3 make_colour_reference.py | clang-format > colour_reference.hpp
"""

import numpy as np
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

HEIGHT, WIDTH = 4, 5
JITTER = {  # in the order of colour_change
    "brightness": (functional.adjust_brightness, (0.35, 1.8)),
    "contrast": (functional.adjust_contrast, (0.0, 0.35, 1.8)),
    "saturation": (functional.adjust_saturation, (0.0, 0.35, 1.8)),
    "hue": (functional.adjust_hue, (-0.5, -0.23, -0.001, 0.1, 0.5)),
}
BLURS = ((3, 0.1), (3, 0.7), (5, 2.0), (7, 1.3))
THRESHOLDS = (0.0, 0.5, 1.0)
# Orders and factors of a jitter, grey, a blur's deviation with a kernel of 5, and whether solarised.
COMPOSED = (
    ((0, 1, 2, 3), (1.3, 0.7, 1.4, 0.08), False, None, False),
    ((3, 2, 1, 0), (1.3, 0.7, 1.4, 0.08), False, None, False),
    ((2, 0, 3, 1), (0.6, 1.6, 0.2, -0.31), False, 0.8, False),
    ((1, 3, 0, 2), (1.2, 1.5, 1.9, 0.45), True, 0.6, True),
    (None, None, True, None, True),
)


def image():
    """Random colours, and what lies at the edges: black, white, grey, pure and tied colours."""
    pixels = np.random.default_rng(5).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    pixels[0, 0] = (0, 0, 0)
    pixels[0, 1] = (1, 1, 1)
    pixels[1, 2] = (0.5, 0.5, 0.5)
    pixels[1, 3] = (1, 0, 0)
    pixels[2, 0] = (0, 1, 1)
    pixels[2, 4] = (0.75, 0.75, 0.25)
    pixels[3, 1] = (0.125, 0.25, 0.25)
    pixels[3, 2] = (0.625, 0.125, 0.625)
    return pixels


def tensor_of(pixels):
    return torch.from_numpy(pixels).movedim(-1, 0).contiguous()


def literals(values):
    texts = (f"{float(value):.8g}" for value in np.asarray(values).ravel())
    return ", ".join((text if "." in text or "e" in text else text + ".0") + "F" for text in texts)


def pixels_of(tensor):
    return "{" + literals(tensor.movedim(0, -1).numpy()) + "}"


def composed(pixels, case):
    order, factors, grey, sigma, solarise = case
    result = tensor_of(pixels)
    drawn = ""
    if order is not None:
        names = [f"{name}_factor" for name in JITTER]
        result = v2.ColorJitter().transform(
            result, {"fn_idx": torch.tensor(order), **dict(zip(names, factors))})
        words = ", ".join(f"colour_change::{list(JITTER)[i]}" for i in order)
        drawn += f".jitter = {{.order = {{{words}}}, .by = {{{str(factors)[1:-1]}}}}}, "
    if grey:
        result = functional.rgb_to_grayscale(result, num_output_channels=3)
        drawn += ".grey = true, "
    if sigma:
        result = functional.gaussian_blur(result, 5, sigma)
        drawn += f".blur = {sigma}, "
    if solarise:
        result = functional.solarize(result, 0.5)
        drawn += ".solarise = true"
    return f"    {{{{{drawn}}}, {pixels_of(result)}}},"


def array(kind, name, cases):
    return f"inline constexpr std::array<{kind}, {len(cases)}> {name}{{{{\n" + "\n".join(cases) + \
        "\n}};\n"


def cases_of(pixels):
    """Of each operation: what it changes by, and the image then."""
    tensor = tensor_of(pixels)
    known = [(name, *made) for name, made in JITTER.items()
             if len(tensor) == 3 or name in ("brightness", "contrast")]
    jitters = [f"    {{colour_change::{name}, {by}, {pixels_of(change(tensor, by))}}},"
               for name, change, factors in known for by in factors]
    blurs = [f"    {{{kernel}, {sigma}, {pixels_of(functional.gaussian_blur(tensor, kernel, sigma))}}},"
             for kernel, sigma in BLURS]
    solarised = [f"    {{{threshold}, {pixels_of(functional.solarize(tensor, threshold))}}},"
                 for threshold in THRESHOLDS]
    return jitters, blurs, solarised


if __name__ == "__main__":
    coloured = image()
    print("// Written by tests/data/make_colour_reference.py.")
    print("#pragma once\n\n#include <mae/core/config.hpp>\n#include <mae/core/types.hpp>\n"
          "#include <mae/data/colour_changes.hpp>\n\n#include <array>\n#include <cstddef>\n")
    print("namespace colour_reference {\n\nusing mae::colour_change;\n")
    print(f"inline constexpr mae::image_extent extent{{{HEIGHT}, {WIDTH}, 3}};")
    print(f"inline constexpr mae::image_extent grey_extent{{{HEIGHT}, {WIDTH}, 1}};\n")
    print("template <std::size_t Values>\nstruct changed_image {\n  colour_change change;\n"
          "  double by;\n  std::array<float, Values> pixels;\n};\n")
    print("template <std::size_t Values>\nstruct blurred_image {\n  mae::index_t kernel;\n"
          "  double sigma;\n  std::array<float, Values> pixels;\n};\n")
    print("template <std::size_t Values>\nstruct solarised_image {\n  double threshold;\n"
          "  std::array<float, Values> pixels;\n};\n")
    print("struct composed_image {\n  mae::drawn_colours drawn;\n"
          f"  std::array<float, {coloured.size}> pixels;\n}};\n")
    for prefix, pixels in (("", coloured), ("grey_", coloured[..., 1:2])):
        size = pixels.size
        print(f"inline constexpr std::array<float, {size}> {prefix}image{{{literals(pixels)}}};\n")
        jitters, blurs, solarised = cases_of(pixels)
        print(array(f"changed_image<{size}>", prefix + "changed", jitters))
        print(array(f"blurred_image<{size}>", prefix + "blurred", blurs))
        print(array(f"solarised_image<{size}>", prefix + "solarised", solarised))
    grey = functional.rgb_to_grayscale(tensor_of(coloured), num_output_channels=3)
    print(f"inline constexpr std::array<float, {coloured.size}> made_grey{pixels_of(grey)};\n")
    print(array("composed_image", "composed", [composed(coloured, case) for case in COMPOSED]))
    print("}  // namespace colour_reference")
