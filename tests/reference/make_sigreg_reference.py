"""Prints tests/head/sigreg_reference.hpp: LeJEPA's two losses of two views in PyTorch, by autograd.

    python3 tests/reference/make_sigreg_reference.py | clang-format > tests/head/sigreg_reference.hpp

In double; the views of an image are rows one after the other. The statistic of Epps and Pulley is
written as an integral by torch.trapezoid over [-3, 3], of which the library sums the half above 0.
"""

import torch

IMAGES, VIEWS, WIDTH, DIRECTIONS, KNOTS = 6, 2, 5, 3, 17


def array(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


def normality(rows, directions):
    """Images * mean over views and directions of the weighted integral."""
    half = torch.linspace(0, 3, KNOTS, dtype=torch.float64)
    at = torch.cat([-half.flip(0)[:-1], half])
    expected = torch.exp(-at.square() / 2)
    along = rows.view(IMAGES, VIEWS, WIDTH) @ directions.T  # (images, views, directions)
    found = torch.exp(1j * at * along[..., None]).mean(0)
    apart = (found - expected).abs().square() * expected
    return IMAGES * torch.trapezoid(apart, at, dim=-1).mean()


def spread(rows):
    of = rows.view(IMAGES, VIEWS, WIDTH)
    return (of - of.mean(1, keepdim=True)).square().mean()


generator = torch.Generator().manual_seed(4)
z = torch.randn(IMAGES * VIEWS, WIDTH, dtype=torch.float64, generator=generator)
z[3] *= 20
z[5] = 0
directions = torch.randn(DIRECTIONS, WIDTH, dtype=torch.float64, generator=generator)
directions /= directions.norm(dim=1, keepdim=True)
z.requires_grad_()
print("// Written by tests/reference/make_sigreg_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace sigreg_reference {\n")
array("rows", f"{IMAGES} images of {VIEWS} views of {WIDTH} values.", z.flatten().tolist())
array("directions", f"{DIRECTIONS} of them.", directions.flatten().tolist())
for name, loss in (("normality", normality(z, directions)), ("spread", spread(z))):
    (grad,) = torch.autograd.grad(loss, z)
    print(f"inline constexpr double {name} = {loss.item():.16e};\n")
    array(f"gradient_of_{name}", "Of it.", grad.flatten().tolist())
print("}  // namespace sigreg_reference")
