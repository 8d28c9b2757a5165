"""Prints tests/head/contrast_reference.hpp: PyTorch's symmetric InfoNCE of two and of three views, and
that of a projector's outputs, by a predictor, to keys without gradient and to earlier ones.

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


QUEUE_IMAGES = [7, 2, 9, 0, 2, 11]


def layers(values, shapes, x):
    """Layer norm, linear, GELU, linear, of one flat list of values."""
    parts = torch.split(values, [n * m for n, m in shapes])
    norm, norm_bias, w1, b1, w2, b2 = (p.view(*s) for p, s in zip(parts, shapes))
    x = torch.nn.functional.layer_norm(x, (x.shape[-1],), norm[0], norm_bias[0], 1e-6)
    return torch.nn.functional.gelu(x @ w1.T + b1[0]) @ w2.T + b2[0]


def info_nce_of_keys(queries, keys, queue, views, numbers):
    """MoCo v3's loss over 2 * TEMPERATURE, with MoCo's queue but for an image's own keys."""
    q = torch.nn.functional.normalize(queries, dim=-1).view(IMAGES, views, WIDTH)
    k = torch.nn.functional.normalize(keys, dim=-1).view(IMAGES, views, WIDTH).detach()
    own = torch.tensor([[n == e for e in QUEUE_IMAGES[: len(queue)]] for n in numbers])
    right = torch.arange(IMAGES)
    losses = []
    for a in range(views):
        earlier = (q[:, a] @ queue.T / TEMPERATURE).masked_fill(own.bool().view(IMAGES, -1), -torch.inf)
        for b in range(views):
            if a != b:
                logits = torch.cat([q[:, a] @ k[:, b].T / TEMPERATURE, earlier], dim=1)
                losses.append(torch.nn.functional.cross_entropy(logits, right))
    return torch.stack(losses).mean()


def print_keys():
    views, hidden, numbers = 3, 4, [4, 2, 5, 0, 8]
    generator = torch.Generator().manual_seed(9)
    draw = lambda *shape: torch.randn(*shape, dtype=torch.float64, generator=generator)
    shapes = [(1, WIDTH), (1, WIDTH), (hidden, WIDTH), (1, hidden), (WIDTH, hidden), (1, WIDTH)]
    values = draw(sum(n * m for n, m in shapes)).requires_grad_()
    projected = draw(IMAGES * views, WIDTH).requires_grad_()
    averaged = draw(IMAGES * views, WIDTH)
    queue = torch.nn.functional.normalize(draw(len(QUEUE_IMAGES), WIDTH), dim=-1).float().double()
    for word, keys, earlier in (("own", projected, queue[:0]), ("moving", averaged, queue)):
        queries = layers(values, shapes, projected)
        loss = info_nce_of_keys(queries, keys, earlier, views, numbers)
        of_queries, of_projected, of_values = torch.autograd.grad(loss, (queries, projected, values))
        if word == "own":
            array("keys_predictor", "norm, fc1, fc2.", values.tolist())
            array("keys_projected", "5 images of 3 views.", projected.flatten().tolist())
            array("keys_averaged", "Likewise.", averaged.flatten().tolist())
            array("keys_queue", "6 earlier ones, which floats hold.", queue.flatten().tolist())
            array("keys_queries", "What the predictor makes of them.", queries.flatten().tolist())
        print(f"inline constexpr double loss_of_{word}_keys = {loss.item():.16e};\n")
        array(f"queries_gradient_of_{word}_keys", "Of the loss.", of_queries.flatten().tolist())
        array(f"projected_gradient_of_{word}_keys", "Likewise.", of_projected.flatten().tolist())
        array(f"predictor_gradient_of_{word}_keys", "Likewise.", of_values.flatten().tolist())


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
print_keys()
print("}  // namespace contrast_reference")
