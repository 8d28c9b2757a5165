"""Prints tests/eval/attentive_reference.hpp: an attentive probe as PyTorch computes and trains it.

    python3 tests/reference/make_attentive_reference.py | clang-format > tests/eval/attentive_reference.hpp

First AIM's form of it (learned queries, projected keys and values, heads, the mean over queries, a
linear layer) and the queries and the linear layer into which the projections are folded; then
twelve steps of AdamW over three batches in turn from given queries and zero weights.
"""

import math

import numpy as np
import torch
from torch.nn import functional

torch.set_default_dtype(torch.double)
IMAGES, TOKENS, WIDTH, CLASSES, QUERIES = 24, 5, 6, 3, 2
HEADS, AIM_QUERIES = 2, 2
BATCH, EPOCHS, RATE, DECAY = 8, 4, 0.05, 0.01


def array(name, comment, values, kind):
    flat = np.asarray(values.detach() if torch.is_tensor(values) else values).ravel()
    text = {"float": "{:.8e}F", "double": "{:.16e}", "index_t": "{}"}[kind]
    print(f"/// {comment}")
    print(f"inline constexpr std::array<{kind}, {flat.size}> {name} = {{")
    print(", ".join(text.format(v) for v in flat))
    print("};\n")


def pooled(x, queries):
    shares = (x @ queries.T / math.sqrt(WIDTH)).softmax(1)  # (B, N, M)
    return torch.einsum("bnm,bnd->bmd", shares, x).flatten(1)


def folded(generator, x):
    def random(*shape):
        return torch.randn(*shape, generator=generator)

    query, key, value = random(AIM_QUERIES, WIDTH), random(WIDTH, WIDTH), random(WIDTH, WIDTH)
    linear, bias = random(CLASSES, WIDTH), random(CLASSES)
    part = WIDTH // HEADS

    def heads(rows):  # (..., rows, WIDTH) to (..., HEADS, rows, part)
        return rows.unflatten(-1, (HEADS, part)).transpose(-2, -3)

    found = functional.scaled_dot_product_attention(
        heads(query.expand(len(x), -1, -1)), heads(x @ key.T), heads(x @ value.T)
    )
    logits = found.transpose(1, 2).flatten(2).mean(1) @ linear.T + bias

    queries, weight = [], []
    for q in query:
        for h in range(HEADS):
            rows = slice(h * part, (h + 1) * part)
            queries.append(q[rows] @ key[rows] * math.sqrt(WIDTH / part))
            weight.append(linear[:, rows] @ value[rows] / AIM_QUERIES)
    queries, weight = torch.stack(queries), torch.cat(weight, 1)
    assert torch.allclose(pooled(x, queries) @ weight.T + bias, logits, atol=1e-12)
    array("aim_logits", "(IMAGES, CLASSES), by projected keys and values.", logits, "double")
    array("folded_queries", "(HEADS * AIM_QUERIES, WIDTH).", queries, "double")
    array("folded_weight", "(CLASSES, HEADS * AIM_QUERIES * WIDTH).", weight, "double")
    array("folded_bias", "(CLASSES).", bias, "double")


def train(x, labels, start):
    norm = torch.nn.BatchNorm1d(WIDTH, affine=False, eps=1e-6, momentum=0.1)
    queries = torch.nn.Parameter(start.clone())
    linear = torch.nn.Linear(QUERIES * WIDTH, CLASSES)
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    decays = {"params": [queries, linear.weight], "weight_decay": DECAY}
    keeps = {"params": [linear.bias], "weight_decay": 0}
    optimizer = torch.optim.AdamW([decays, keeps], lr=RATE, betas=(0.9, 0.999))

    def logits(images):
        tokens = norm(images.transpose(1, 2)).transpose(1, 2)
        return linear(pooled(tokens, queries))

    steps, losses = EPOCHS * IMAGES // BATCH, []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        first = step * BATCH % IMAGES
        rows = slice(first, first + BATCH)
        loss = functional.cross_entropy(logits(x[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    array("probe_losses", "The loss of each of the 12 steps.", losses, "double")
    array("probe_queries", "(QUERIES, WIDTH).", queries, "double")
    array("probe_weight", "(CLASSES, QUERIES * WIDTH).", linear.weight, "double")
    array("probe_bias", "(CLASSES).", linear.bias, "double")
    norm.eval()
    array("chosen", "The class of each image, in the end.", logits(x).argmax(1), "index_t")


generator = torch.Generator().manual_seed(8)
labels = torch.arange(IMAGES) % CLASSES
tokens = torch.randn(IMAGES, TOKENS, WIDTH, generator=generator)
place = torch.randint(TOKENS, (IMAGES,), generator=generator)
centres = 2.5 * torch.randn(CLASSES, WIDTH, generator=generator)
tokens[torch.arange(IMAGES), place] += centres[labels]  # one token of each tells its class
tokens = (tokens + 1).float().double()
start = torch.randn(QUERIES, WIDTH, generator=generator).float().double()
print("// Written by tests/reference/make_attentive_reference.py.")
print("#pragma once\n\n#include <mae/core/types.hpp>\n\n#include <array>\n")
print("namespace attentive_reference {\n\nusing mae::index_t;\n")
for name in ("IMAGES", "TOKENS", "WIDTH", "CLASSES", "QUERIES", "HEADS", "AIM_QUERIES", "BATCH"):
    print(f"inline constexpr index_t {name.lower()} = {globals()[name]};")
print(f"inline constexpr double rate = {RATE};\ninline constexpr double decay = {DECAY};\n")
array("all_tokens", "(IMAGES, TOKENS, WIDTH).", tokens, "float")
array("labels", "(IMAGES).", labels, "index_t")
array("first_queries", "(QUERIES, WIDTH).", start, "float")
folded(generator, tokens)
train(tokens, labels, start)
print("}  // namespace attentive_reference")
