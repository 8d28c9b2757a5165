"""Prints tests/patch/patch_reference.hpp: patch order and positions as PyTorch and NumPy see them.

    python3 tests/reference/make_patch_reference.py | clang-format > tests/patch/patch_reference.hpp

The convolution is PyTorch's own, so that a mistake in our order of values cannot hide in a round
trip. The positions follow the official code of He et al. (util/pos_embed.py), written out.
"""

import numpy as np
import torch


def array(name, comment, values, kind="float"):
    digits = 9 if kind == "float" else 17
    suffix = "F" if kind == "float" else ""
    flat = np.asarray(values, dtype=np.float64).ravel()
    print(f"/// {comment}")
    print(f"inline constexpr std::array<{kind}, {flat.size}> {name} = {{")
    for start in range(0, flat.size, 4):
        line = ", ".join(f"{v:.{digits - 1}e}{suffix}" for v in flat[start : start + 4])
        print(f"    {line},")
    print("};\n")


def convolution():
    torch.manual_seed(7)
    image = torch.randn(1, 3, 4, 6)  # C = 3, H = 4, W = 6
    weight = torch.randn(2, 3, 2, 3)  # D = 2, C = 3, patch 2 x 3
    tokens = torch.nn.functional.conv2d(image, weight, stride=(2, 3))
    array("image", "(H 4, W 6, C 3).", image[0].permute(1, 2, 0).numpy())
    array("weight", "(D 2, C 3, 2, 3), PyTorch's order.", weight.numpy())
    array("tokens", "(N 4, D 2).", tokens.flatten(2).transpose(1, 2).numpy())


def positions(width, rows, columns):
    frequencies = 10000.0 ** -(np.arange(width // 4) / (width // 4))

    def one(position):
        return np.concatenate([np.sin(position * frequencies), np.cos(position * frequencies)])

    table = [np.zeros(width)]
    for row in range(rows):
        for column in range(columns):
            table.append(np.concatenate([one(column), one(row)]))
    return np.stack(table)


print("// Written by tests/reference/make_patch_reference.py.")
print("#pragma once\n\n#include <array>\n\nnamespace patch_reference {\n")
convolution()
array("positions_2x3", "(N + 1 = 7, D = 12): 2 rows of 3 patches.", positions(12, 2, 3), "double")
print("}  // namespace patch_reference")
