"""Prints tests/head/contrast_reference.hpp: PyTorch's symmetric InfoNCE of two and of three views.

    python3 tests/reference/make_contrast_reference.py | clang-format > tests/head/contrast_reference.hpp

In double; the views of an image are rows one after the other; one row is long, one short.
"""

import torch

IMAGES, WIDTH, TEMPERATURE = 5, 6, 0.2


def array(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


def symmetric_info_nce(rows, views):
    unit = torch.nn.functional.normalize(rows, dim=-1).view(IMAGES, views, WIDTH)
    right = torch.arange(IMAGES)
    losses = [
        torch.nn.functional.cross_entropy(unit[:, a] @ unit[:, b].T / TEMPERATURE, right)
        for a in range(views)
        for b in range(views)
        if a != b
    ]
    return torch.stack(losses).mean()


print("// Written by tests/reference/make_contrast_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace contrast_reference {\n")
for views, word in ((2, "two"), (3, "three")):
    generator = torch.Generator().manual_seed(views)
    z = torch.randn(IMAGES * views, WIDTH, dtype=torch.float64, generator=generator)
    z[1] *= 40
    z[4] *= 1e-2
    z.requires_grad_()
    loss = symmetric_info_nce(z, views)
    (grad,) = torch.autograd.grad(loss, z)
    array(f"rows_of_{word}", f"{IMAGES} images of {views} views of {WIDTH} values.", z.flatten().tolist())
    print(f"inline constexpr double loss_of_{word} = {loss.item():.16e};\n")
    array(f"gradient_of_{word}", "Of the loss.", grad.flatten().tolist())
print("}  // namespace contrast_reference")
