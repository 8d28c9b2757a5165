"""Prints tests/eval/eval_reference.hpp: a linear probe and kNN as PyTorch computes them.

    python3 tests/reference/make_eval_reference.py | clang-format > tests/eval/eval_reference.hpp

Three overlapping clouds. The probe starts at zero weights and takes its batches in order, so that
nothing random is left to compare.
"""

import math

import numpy as np
import torch

IMAGES, TEST, FEATURES, CLASSES = 60, 40, 6, 3
BATCH, EPOCHS, RATE, MOMENTUM = 20, 5, 0.1, 0.9
NEIGHBOURS, TEMPERATURE = 7, 0.07


def array(name, comment, values, kind):
    flat = np.asarray(values).ravel()
    text = {"float": "{:.8e}F", "double": "{:.16e}", "index_t": "{}"}[kind]
    print(f"/// {comment}")
    print(f"inline constexpr std::array<{kind}, {flat.size}> {name} = {{")
    print(", ".join(text.format(v) for v in flat))
    print("};\n")


def number(name, comment, value):
    print(f"/// {comment}\ninline constexpr double {name} = {value:.16e};\n")


def clouds(count, generator, centres):
    labels = torch.arange(count) % CLASSES
    noise = torch.randn(count, FEATURES, generator=generator)
    return (centres[labels] + 1.3 * noise + 2.0).float(), labels


def probe(train, labels, test, test_labels):
    norm = torch.nn.BatchNorm1d(FEATURES, affine=False, eps=1e-6, momentum=0.1).double()
    linear = torch.nn.Linear(FEATURES, CLASSES).double()
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    optimizer = torch.optim.SGD(linear.parameters(), lr=RATE, momentum=MOMENTUM)
    steps, losses = EPOCHS * IMAGES // BATCH, []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        first = step * BATCH % IMAGES
        rows = slice(first, first + BATCH)
        loss = torch.nn.functional.cross_entropy(linear(norm(train[rows].double())), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    norm.eval()
    array("probe_losses", "The loss of each of the 15 steps.", losses, "double")
    array("probe_weight", "(CLASSES, FEATURES).", linear.weight.detach(), "double")
    array("probe_bias", "(CLASSES).", linear.bias.detach(), "double")
    array("running_mean", "(FEATURES).", norm.running_mean, "double")
    array("running_variance", "(FEATURES).", norm.running_var, "double")
    chosen = linear(norm(test.double())).argmax(1)
    number("probe_top1", "Of the test images.", (chosen == test_labels).double().mean().item())


def knn(train, labels, test, test_labels):
    unit = torch.nn.functional.normalize
    similarity = unit(test.double()) @ unit(train.double()).T
    best, index = similarity.topk(NEIGHBOURS, dim=1)
    votes = torch.zeros(TEST, CLASSES, dtype=torch.double)
    votes.scatter_add_(1, labels[index], (best / TEMPERATURE).exp())
    number("knn_top1", f"k = {NEIGHBOURS}.", (votes.argmax(1) == test_labels).double().mean().item())
    array("knn_classes", "The elected class of each test image.", votes.argmax(1), "index_t")


generator = torch.Generator().manual_seed(5)
centres = torch.randn(CLASSES, FEATURES, generator=generator)
train, labels = clouds(IMAGES, generator, centres)
test, test_labels = clouds(TEST, generator, centres)
print("// Written by tests/reference/make_eval_reference.py.")
print("#pragma once\n\n#include <mae/core/types.hpp>\n\n#include <array>\n")
print("namespace eval_reference {\n\nusing mae::index_t;\n")
array("train_features", f"({IMAGES}, {FEATURES}).", train, "float")
array("train_labels", f"({IMAGES}).", labels, "index_t")
array("test_features", f"({TEST}, {FEATURES}).", test, "float")
array("test_labels", f"({TEST}).", test_labels, "index_t")
probe(train, labels, test, test_labels)
knn(train, labels, test, test_labels)
print("}  // namespace eval_reference")
