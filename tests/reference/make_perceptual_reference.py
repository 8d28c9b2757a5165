#!/usr/bin/env python3
"""Makes tests/reference/fixtures/perceptual.safetensors: a perceptual distance, by PyTorch.

    python3 make_perceptual_reference.py            # writes the fixture
    python3 make_perceptual_reference.py --check    # recomputes it and compares with the file

Pictures of which some patches are painted, and the true ones, go through the first two of an
encoder's three blocks; the distance of an image is the mean squared difference of its patches'
tokens, each normalised by torch.nn.functional.layer_norm without weights (epsilon 1e-6). Pixels are
in a model's input units; the encoder's own statistics are others, and are applied to the pixels. In
one case predictions are the pixels, in the other they are about the true patch's mean in its
unbiased deviation. Gradients of the summed distances for the predictions are autograd's. Tensors as
make_fixtures.py says, in float64 of values that float32 holds.
"""

import argparse
from pathlib import Path

import torch
from torch.nn import functional

import safetensors_file
from make_fixtures import Case, check_file, model_metadata, random_images
from reference_model import (
    TARGET_EPSILON,
    Config,
    Stack,
    _patches_by_unfold,
    _stack_packed,
    random_parameters,
)

CASE = Case(
    Config((8, 12, 2), (4, 3), encoder=Stack(3, 12, 3), decoder=Stack(1, 8, 2)),
    seed=8,
    visible=(1, 3, 8, 5),
    target=(7, 2, 0, 3),
)
BLOCKS = 2
SEEN = {"mean": (0.5, 0.4), "deviation": (0.25, 0.3)}
OWN = {"mean": (0.45, 0.1), "deviation": (0.2, 0.5)}


def tokens(parameters, patches):
    """Of all patches (N, P) of an image in the model's input units, normalised: (N, D)."""
    config = CASE.config
    per_channel = patches.unflatten(1, (-1, config.image[2]))

    def of(values):
        return torch.tensor(values, dtype=torch.float32).double()

    scaled = per_channel * of(SEEN["deviation"]) + of(SEEN["mean"])
    own = ((scaled - of(OWN["mean"])) / of(OWN["deviation"])).flatten(1)
    weight = parameters["patch_embed.proj.weight"].permute(0, 2, 3, 1).flatten(1)  # (D, P)
    pos_embed = parameters["pos_embed"][0]
    embedded = own @ weight.T + parameters["patch_embed.proj.bias"] + pos_embed[1:]
    first = parameters["cls_token"][0] + pos_embed[:1]
    stack = Stack(BLOCKS, config.encoder.width, config.encoder.heads)
    x = _stack_packed(parameters, "blocks", stack, torch.cat([first, embedded]))
    return functional.layer_norm(x[1:], (config.encoder.width,), eps=1e-6)


def distances(parameters, images, mask, predictions, of_patch):
    losses, first = [], 0
    for image, target in zip(images, mask.target):
        truth = _patches_by_unfold(image, CASE.config.patch)
        mine = predictions[first : first + len(target)]
        first += len(target)
        if of_patch and len(target) > 0:
            deviation = (truth[target].var(dim=1, keepdim=True) + TARGET_EPSILON).sqrt()
            mine = mine * deviation + truth[target].mean(dim=1, keepdim=True)
        picture = truth.index_copy(0, target, mine)
        difference = tokens(parameters, picture) - tokens(parameters, truth)
        losses.append(difference.square().mean())
    return torch.stack(losses)


def fixture():
    generator = torch.Generator().manual_seed(CASE.seed)
    parameters = random_parameters(CASE.config, generator)
    parameters = {n: p for n, p in parameters.items() if not n.startswith(("decoder", "mask"))}
    noise = torch.rand((len(CASE.visible), CASE.config.patches), generator=generator)
    images = random_images(CASE, noise, generator)
    mask = CASE.mask(noise)
    count = sum(CASE.target)
    predictions = torch.randn((count, CASE.config.patch_values), generator=generator)
    exact = {name: value.double() for name, value in parameters.items()}
    found = {}
    for name, of_patch in (("pixels", False), ("of_patch", True)):
        given = predictions.double().requires_grad_(True)
        losses = distances(exact, images.double(), mask, given, of_patch)
        losses.sum().backward()
        found[f"output.{name}"] = losses.detach()
        found[f"grad.{name}"] = given.grad
    return {
        **parameters,
        "input.images": images,
        "input.noise": noise,
        "input.visible_counts": torch.tensor(CASE.visible),
        "input.target_counts": torch.tensor(CASE.target),
        "input.predictions": predictions,
        **{f"input.{w}_{k}": torch.tensor(v) for w, s in (("seen", SEEN), ("own", OWN))
           for k, v in s.items()},
        **found,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    path = Path(__file__).resolve().parent / "fixtures" / "perceptual.safetensors"
    tensors, metadata = fixture(), model_metadata(CASE)
    if check:
        check_file(path, tensors, metadata)
    else:
        safetensors_file.save(path, tensors, metadata)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
