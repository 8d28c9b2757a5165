#!/usr/bin/env python3
"""Writes rand_augment_reference.hpp: what Pillow and timm make of a small image.

Places are moved on images of floats, by the functions of timm that RandAugment calls; what blends is
Pillow's, on bytes. Needs Pillow 13.0.0, timm 1.0.31 and numpy.

    python3 make_rand_augment_reference.py | clang-format > rand_augment_reference.hpp
"""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from timm.data import auto_augment as timm

HEIGHT, WIDTH = 4, 5
FILL = (0.25, 0.5, 0.75)
MOVES = {
    "rotate": (timm.rotate, (27.0, -11.0)),
    "shear_x": (timm.shear_x, (0.27, -0.3)),
    "shear_y": (timm.shear_y, (0.13, -0.27)),
    "translate_x": (timm.translate_x_rel, (0.405, -0.2)),
    "translate_y": (timm.translate_y_rel, (0.37, -0.405)),
}
BLENDS = {
    "brightness": (ImageEnhance.Brightness, (0.19, 1.81)),
    "contrast": (ImageEnhance.Contrast, (0.19, 1.81)),
    "colour": (ImageEnhance.Color, (0.1, 1.81)),
}


def numbers(name, values):
    lines, line = [], "   "
    for value in np.asarray(values).ravel():
        text = f" {float(value):.7g}"
        text += ("" if "." in text or "e" in text else ".0") + "F,"
        if len(line) + len(text) > 98:
            lines.append(line)
            line = "   "
        line += text
    lines.append(line.rstrip(","))
    return f"inline constexpr std::array<float, {np.asarray(values).size}> {name} = {{\n" + \
        "\n".join(lines) + "};\n"


def case(operation, strength, image):
    flat = ", ".join(f"{float(v):.7g}F" if "." in f"{float(v):.7g}" else f"{float(v):.1f}F"
                     for v in image.ravel())
    return f"    {{image_change::{operation}, {strength!r}, {{{flat}}}}},"


if __name__ == "__main__":
    image = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    floats = image.astype(np.float32) / np.float32(255)
    cases = []
    for operation, (move, strengths) in MOVES.items():
        for strength in strengths:
            moved = [move(Image.fromarray(floats[..., c], mode="F"), strength, fillcolor=FILL[c],
                          resample=Image.BILINEAR) for c in range(3)]
            cases.append(case(operation, strength, np.stack([np.asarray(m) for m in moved], -1)))
    for operation, (enhance, strengths) in BLENDS.items():
        for strength in strengths:
            blended = np.asarray(enhance(Image.fromarray(image)).enhance(strength))
            cases.append(case(operation, strength, blended / 255))
    for strength in (0.5, 0.1):
        inverted = np.asarray(ImageOps.solarize(Image.fromarray(image), int(256 * strength)))
        cases.append(case("solarize", strength, inverted / 255))
    print("// Written by tests/data/make_rand_augment_reference.py.")
    print("#pragma once\n\n#include <mae/data/rand_augment.hpp>\n\n#include <array>\n")
    print("namespace rand_augment_reference {\n\nusing mae::image_change;\n")
    print(f"inline constexpr mae::image_extent extent{{{HEIGHT}, {WIDTH}, 3}};\n")
    print(numbers("image", floats))
    print(numbers("fill", FILL))
    print("struct changed_image {\n  image_change change;\n  double strength;\n"
          f"  std::array<float, {image.size}> pixels;\n}};\n")
    print(f"inline constexpr std::array<changed_image, {len(cases)}> changed{{{{")
    print("\n".join(cases))
    print("}};\n\n}  // namespace rand_augment_reference")
