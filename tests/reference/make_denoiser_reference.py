"""Prints tests/head/denoiser_reference.hpp: what PyTorch makes of the denoiser's layers.

    python3 tests/reference/make_denoiser_reference.py | clang-format > tests/head/denoiser_reference.hpp

In double; two images of 2 and 3 visible patches of 4 values, with a class token before each.
"""

import torch
from torch import nn

WIDTH, HIDDEN, PATCH, LEVEL = 6, 7, 4, 16
IMAGES = [2, 3]  # visible patches
SIGMAS = [0.3, 2.0]


def array(name, comment, values):
    values = values.detach().flatten().tolist()
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


def level(sigma):
    angles = torch.exp2(torch.arange(LEVEL // 2, dtype=torch.float64) / 2 - 2)
    angles = angles * torch.log(torch.tensor(sigma, dtype=torch.float64))
    return torch.stack([torch.sin(angles), torch.cos(angles)], 1).flatten()


torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
embed = nn.Linear(LEVEL, WIDTH)
layers = nn.Sequential(
    nn.LayerNorm(WIDTH, eps=1e-6), nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, PATCH)
)
for parameter in [*embed.parameters(), *layers.parameters()]:
    parameter.data.normal_(0, 0.5)
rows = sum(IMAGES) + len(IMAGES)
tokens = torch.randn(rows, WIDTH, requires_grad=True)
clean = torch.randn(rows, PATCH)
told, marks = torch.zeros(rows, LEVEL), torch.zeros(rows)
row = 0
for visible, sigma in zip(IMAGES, SIGMAS):
    told[row + 1 : row + 1 + visible] = level(sigma)
    marks[row + 1 : row + 1 + visible] = 1
    row += 1 + visible

predicted = layers(tokens + embed(told))
losses = ((predicted - clean) ** 2).mean(1) * marks
losses.sum().backward()

print("// Written by tests/reference/make_denoiser_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace denoiser_reference {\n")
array("tokens", f"({rows}, {WIDTH}), those of two images.", tokens)
array("clean", f"({rows}, {PATCH}).", clean)
array("levels", f"({len(SIGMAS)}, {LEVEL}), of the levels 0.3 and 2.", torch.stack([level(s) for s in SIGMAS]))
names = ["level_weight", "level_bias", "norm_weight", "norm_bias"]
names += ["first_weight", "first_bias", "second_weight", "second_bias"]
for name, parameter in zip(names, [*embed.parameters(), *layers.parameters()]):
    array(name, "As PyTorch has it.", parameter)
    array(name + "_grad", "Of the sum of the losses.", parameter.grad)
array("predicted", f"({rows}, {PATCH}).", predicted)
array("losses", "0 of class tokens.", losses)
array("tokens_grad", "Of the sum of the losses.", tokens.grad)
print("}  // namespace denoiser_reference")
