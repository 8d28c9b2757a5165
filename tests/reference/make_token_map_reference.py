"""Prints tests/head/token_map_reference.hpp: PyTorch's simple decoder (ReLU, bilinear interpolation,
3x3 convolution), and the divergence of its maps' softmax from Gaussians.

    python3 tests/reference/make_token_map_reference.py | clang-format > tests/head/token_map_reference.hpp

In double; two images of 2x3 tokens become maps of 8x12 cells.
"""

import torch
from torch.nn import functional

IMAGES, ROWS, COLUMNS, WIDTH, MAPS, TIMES, SIGMA = 2, 2, 3, 4, 2, 4, 1.5
POINTS = [[[3.2, 1.1], [11.9, 7.9]], [[0.0, 0.0], [6.5, 4.5]]]  # x, y of each image's points


def array(name, comment, values):
    values = values.flatten().tolist()
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


generator = torch.Generator().manual_seed(5)
tokens = torch.randn(IMAGES, ROWS * COLUMNS, WIDTH, dtype=torch.float64, generator=generator)
kernel = torch.randn(MAPS, WIDTH, 3, 3, dtype=torch.float64, generator=generator)
grid = tokens.transpose(1, 2).reshape(IMAGES, WIDTH, ROWS, COLUMNS)
fine = functional.interpolate(functional.relu(grid), scale_factor=TIMES, mode="bilinear")
maps = functional.conv2d(fine, kernel, padding=1)

y, x = torch.meshgrid(
    torch.arange(ROWS * TIMES) + 0.5, torch.arange(COLUMNS * TIMES) + 0.5, indexing="ij"
)
losses = []
for image in range(IMAGES):
    for point in range(MAPS):
        at = POINTS[image][point]
        gauss = torch.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * SIGMA**2)).double()
        wanted = (gauss / gauss.sum()).flatten()
        said = functional.log_softmax(maps[image, point].flatten(), 0)
        losses.append(functional.kl_div(said, wanted, reduction="sum"))

print("// Written by tests/reference/make_token_map_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace token_map_reference {\n")
array("tokens", f"{IMAGES} images of {ROWS}x{COLUMNS} tokens of {WIDTH} values.", tokens)
array("kernel", f"({MAPS}, {WIDTH}, 3, 3).", kernel)
array("maps", "Cell by cell, the maps of an image side by side.", maps.permute(0, 2, 3, 1))
array("points", "x and y of each image's points.", torch.tensor(POINTS, dtype=torch.float64))
array("losses", f"Of each point, sigma {SIGMA}.", torch.stack(losses))
print("}  // namespace token_map_reference")
