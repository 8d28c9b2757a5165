"""Prints tests/head/uniformity_reference.hpp: PyTorch's mean squared cosine of all pairs of rows.

    python3 tests/reference/make_uniformity_reference.py | clang-format > tests/head/uniformity_reference.hpp

In double; one row is longer than the others, one short.
"""

import torch

ROWS, WIDTH = 6, 5


def array(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


generator = torch.Generator().manual_seed(3)
z = torch.randn(ROWS, WIDTH, dtype=torch.float64, generator=generator)
z[1] *= 50
z[4] *= 1e-3
z.requires_grad_()
unit = torch.nn.functional.normalize(z, dim=-1)
loss = (unit @ unit.T).pow(2).mean()
(grad,) = torch.autograd.grad(loss, z)
print("// Written by tests/reference/make_uniformity_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace uniformity_reference {\n")
array("rows", f"{ROWS} rows of {WIDTH}.", z.flatten().tolist())
print(f"inline constexpr double loss = {loss.item():.16e};\n")
array("gradient", "Of the loss.", grad.flatten().tolist())
print("}  // namespace uniformity_reference")
