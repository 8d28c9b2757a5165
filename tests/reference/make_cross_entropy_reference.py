"""Prints tests/op/cross_entropy_reference.hpp: what PyTorch's cross_entropy makes of four rows.

    python3 tests/reference/make_cross_entropy_reference.py | clang-format > tests/op/cross_entropy_reference.hpp

In double; the second row's label is ignored.
"""

import torch

ROWS, CLASSES, IGNORED = 4, 21, -1


def array(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


generator = torch.Generator().manual_seed(5)
logits = 2 * torch.randn(ROWS, CLASSES, dtype=torch.float64, generator=generator)
labels = torch.tensor([3, IGNORED, 0, CLASSES - 1])
print("// Written by tests/reference/make_cross_entropy_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace cross_entropy_reference {\n")
array("labels", "One is ignored.", labels.tolist())
array("logits", f"Four rows of {CLASSES} classes.", logits.flatten().tolist())
for name, smoothing in (("plain", 0.0), ("smoothed", 0.1)):
    z = logits.clone().requires_grad_()
    losses = torch.nn.functional.cross_entropy(
        z, labels, ignore_index=IGNORED, label_smoothing=smoothing, reduction="none"
    )
    (grad,) = torch.autograd.grad(losses.sum(), z)
    array(f"{name}_losses", f"Label smoothing {smoothing}.", losses.tolist())
    array(f"{name}_grad", "Of their sum.", grad.flatten().tolist())
print("}  // namespace cross_entropy_reference")
