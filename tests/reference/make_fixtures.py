#!/usr/bin/env python3
"""Makes the fixtures that prove parity with PyTorch: tests/reference/fixtures/*.safetensors.

    python3 make_fixtures.py            # writes the fixtures
    python3 make_fixtures.py --check    # recomputes them and compares with the files

Needs Python 3.8 and torch 1.13 or later, nothing else. Everything is computed in float64 from
values that float32 holds exactly, and stored as F32 (positions, counts and offsets as I32), so that
a stored result is right to half a unit in the last place. Before writing, every model is checked:
`forward_batched` against the independent `forward_packed` (reference_model.py), and a float32 run
against the tolerances that the library is held to, so that a fixture asks nothing impossible.

The models: `square` (patch 3x3, the ratio 3/4), `oblong` (nothing square or even: 20x21 pixels, 4
channels, patch 5x7, 5 heads), `conv23` (C = 3, patch 2x3: the convolution's layout), `ragged` (the
images of a batch differ in visible and in target patches, and some patches are absent). Each file
holds the parameters under their official names ([D, C, p, q] for the patch convolution; `pos_embed`
and `decoder_pos_embed` are frozen). With B images, N patches, P values a patch, and R = sum(visible
+ 1) and T = sum(targets) rows, packed image by image in ascending position, it holds also:

    input.images (B, H, W, C)          normalised pixels; of the patches to predict one is constant
                                       and one nearly so
    input.noise (B, N)                 the lowest `visible` patches of an image are seen, then come
    input.visible_counts (B) I32       the targets; the rest is absent
    input.target_counts (B) I32
    output.visible_positions (R-B) I32
    output.target_positions (T) I32
    output.mask (B, N)                 1 where predicted
    output.patch_embedding (B, N, D)   the convolution of every patch, before positions
    output.latent (R, D)               after the encoder's norm, an image's class token first
    output.pred (T, P)
    output.target (T, P)               per-patch normalised: unbiased variance, epsilon 1e-6
    output.loss ()                     against the normalised targets
    output.loss_pixels ()              against plain pixels
    grad.<name>                        of output.loss, for every parameter that is not frozen
    steps.noise (S, B, N)              S = 10 steps on the same images, counts as above
    steps.loss (S)                     the normalised loss, each before its step's update
    steps.final.<name>                 the parameters after the last step

The optimizer is torch.optim.AdamW with the metadata's learning_rate, beta1, beta2, epsilon and
weight_decay, which tensors of one dimension are spared. The metadata states the sizes too. The
gradient of a key's bias (the middle third of a qkv bias) is zero but for rounding, which Adam
magnifies: in float32, compare all of `steps.final` but that.

`ops` holds single operations, a gradient `y_grad` given: gelu.{x, y, y_grad, x_grad} (n);
layer_norm.{x, y, y_grad, x_grad} (rows, D), layer_norm.{weight, bias, weight_grad, bias_grad} (D),
row 0 of a variance near epsilon, row 1 far from zero, row 2 constant; attention.{qkv, qkv_grad}
(rows, 3D), attention.{y, y_grad} (rows, D), attention.offsets (sequences + 1) I32, heads in the
metadata; positions.4x3x20, positions.2x5x8 (rows, columns, width): (1, N + 1, width) tables.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

import safetensors_file
from reference_model import (
    NORM_EPSILON,
    TARGET_EPSILON,
    Config,
    Mask,
    Stack,
    forward_batched,
    forward_packed,
    is_frozen,
    positions,
    random_parameters,
)

STEPS = 10
LEARNING_RATE, BETAS, ADAM_EPSILON, WEIGHT_DECAY = 1e-3, (0.9, 0.95), 1e-8, 0.05


@dataclass(frozen=True)
class Case:
    config: Config
    seed: int
    visible: tuple  # (B)
    target: tuple  # (B)

    def mask(self, noise):
        return Mask.from_noise(noise, self.visible, self.target)

    def forward(self, parameters, images, noise):
        """The official path where it applies."""
        if self.mask(noise).is_uniform(self.config.patches):
            return forward_batched(self.config, parameters, images, noise, self.visible[0])
        return forward_packed(self.config, parameters, images, self.mask(noise))


CASES = {
    "square": Case(
        Config((12, 12, 3), (3, 3), encoder=Stack(2, 16, 2), decoder=Stack(1, 8, 2)),
        seed=1,
        visible=(4,) * 3,
        target=(12,) * 3,
    ),
    "oblong": Case(
        Config((20, 21, 4), (5, 7), encoder=Stack(2, 20, 5), decoder=Stack(2, 12, 3)),
        seed=2,
        visible=(3,) * 2,
        target=(9,) * 2,
    ),
    "conv23": Case(
        Config((6, 9, 3), (2, 3), encoder=Stack(1, 8, 1), decoder=Stack(1, 12, 3)),
        seed=3,
        visible=(2,) * 2,
        target=(7,) * 2,
    ),
    "ragged": Case(
        Config((8, 12, 2), (4, 3), encoder=Stack(1, 12, 3), decoder=Stack(1, 8, 2)),
        seed=4,
        visible=(1, 3, 2),
        target=(7, 2, 4),
    ),
}


def random_images(case, noise, generator):
    """(B, H, W, C): unit variance, but image 0's first target is constant, its second nearly so."""
    config = case.config
    height, width, channels = config.image
    p, q = config.patch
    images = torch.randn((len(case.visible), height, width, channels), generator=generator)
    for position, scale in zip(case.mask(noise).target[0].tolist(), (0.0, 1e-3)):
        row, column = position // config.grid[1] * p, position % config.grid[1] * q
        images[0, row : row + p, column : column + q] *= scale
    return images


def leaves(parameters, dtype):
    """Copies that gradients can be taken of."""
    return {
        name: value.to(dtype, copy=True).requires_grad_(not is_frozen(name))
        for name, value in parameters.items()
    }


def forward_backward(case, parameters, images, noise, dtype, forward=None):
    """The outputs, and the normalised loss's gradient for every parameter."""
    given = leaves(parameters, dtype)
    outputs = (forward or case.forward)(given, images.to(dtype), noise)
    outputs.loss.backward()
    return outputs, {name: p.grad for name, p in given.items() if not is_frozen(name)}


def train(case, parameters, images, noises, dtype):
    """AdamW steps over `noises` (S, B, N): the losses (S) and the parameters after the last."""
    given = leaves(parameters, dtype)
    trained = [p for name, p in given.items() if not is_frozen(name)]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=BETAS, eps=ADAM_EPSILON)
    losses = []
    for noise in noises:
        optimizer.zero_grad()
        loss = case.forward(given, images.to(dtype), noise).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    final = {name: p.detach() for name, p in given.items() if not is_frozen(name)}
    return torch.stack(losses), final


def expect_close(what, actual, expected, absolute, relative=0.0):
    excess = ((actual - expected).abs() - absolute - relative * expected.abs()).max().item()
    if not excess <= 0:
        sys.exit(f"make_fixtures: {what} is off by {excess:.3g} beyond its tolerance")


def check_case(name, case, parameters, images, noise, noises, expected):
    """The two paths agree, and float32 meets the tolerances of the library's tests."""

    def packed(given, pixels, scores):
        return forward_packed(case.config, given, pixels, case.mask(scores))

    runs = (
        ("the packed path", torch.float64, packed, (1e-12, 1e-11), (1e-12, 1e-11)),
        ("float32", torch.float32, None, (1e-5, 0.0), (1e-5, 1e-4)),
    )
    for what, dtype, forward, for_outputs, for_gradients in runs:
        outputs, gradients = forward_backward(case, parameters, images, noise, dtype, forward)
        for key, value in vars(outputs).items():
            reference = expected[f"output.{key}"]
            expect_close(f"{name}: {what}: {key}", value.double(), reference, *for_outputs)
        for key, value in gradients.items():
            reference = expected[f"grad.{key}"]
            expect_close(f"{name}: {what}: {key}", value.double(), reference, *for_gradients)
    losses, _ = train(case, parameters, images, noises, torch.float32)
    expect_close(f"{name}: float32: losses", losses.double(), expected["steps.loss"], 1e-5)


def model_tensors(name, case):
    generator = torch.Generator().manual_seed(case.seed)
    shape = (len(case.visible), case.config.patches)
    parameters = random_parameters(case.config, generator)
    noise = torch.rand(shape, generator=generator)
    noises = torch.rand((STEPS, *shape), generator=generator)
    images = random_images(case, noise, generator)

    mask = case.mask(noise)
    outputs, gradients = forward_backward(case, parameters, images, noise, torch.float64)
    losses, final = train(case, parameters, images, noises, torch.float64)
    tensors = {
        **parameters,
        "input.images": images,
        "input.noise": noise,
        "input.visible_counts": torch.tensor(case.visible),
        "input.target_counts": torch.tensor(case.target),
        "output.visible_positions": torch.cat(mask.visible),
        "output.target_positions": torch.cat(mask.target),
        "output.mask": mask.as_matrix(case.config.patches),
        **{f"output.{key}": value for key, value in vars(outputs).items()},
        **{f"grad.{key}": value for key, value in gradients.items()},
        "steps.noise": noises,
        "steps.loss": losses,
        **{f"steps.final.{key}": value for key, value in final.items()},
    }
    check_case(name, case, parameters, images, noise, noises, tensors)
    return tensors


def model_metadata(case):
    config = case.config
    fields = {
        "image_height": config.image[0],
        "image_width": config.image[1],
        "image_channels": config.image[2],
        "patch_height": config.patch[0],
        "patch_width": config.patch[1],
        **{f"encoder_{key}": value for key, value in vars(config.encoder).items()},
        **{f"decoder_{key}": value for key, value in vars(config.decoder).items()},
        "norm_epsilon": NORM_EPSILON,
        "target_epsilon": TARGET_EPSILON,
        "learning_rate": LEARNING_RATE,
        "beta1": BETAS[0],
        "beta2": BETAS[1],
        "epsilon": ADAM_EPSILON,
        "weight_decay": WEIGHT_DECAY,
    }
    return {key: str(value) for key, value in fields.items()}


def exact_normal(generator, *shape):
    """Standard normal values that float32 holds, in float64, with a gradient to be taken."""
    return torch.randn(shape, generator=generator).double().requires_grad_()


def gelu_tensors(generator):
    x = torch.linspace(-6, 6, 49).double().requires_grad_()
    y_grad = exact_normal(generator, 49)
    y = functional.gelu(x)
    y.backward(y_grad)
    return {"gelu.x": x, "gelu.y": y, "gelu.y_grad": y_grad, "gelu.x_grad": x.grad}


def layer_norm_tensors(generator):
    rows, width = 5, 20
    values = torch.randn((rows, width), generator=generator)
    values[0] *= 1e-3
    values[1] += 4
    values[2] = 0.5
    x = values.double().requires_grad_()
    weight, bias = exact_normal(generator, width), exact_normal(generator, width)
    y_grad = exact_normal(generator, rows, width)
    y = functional.layer_norm(x, (width,), weight, bias, NORM_EPSILON)
    y.backward(y_grad)
    tensors = {"x": x, "weight": weight, "bias": bias, "y": y, "y_grad": y_grad}
    tensors.update(x_grad=x.grad, weight_grad=weight.grad, bias_grad=bias.grad)
    return {f"layer_norm.{key}": value for key, value in tensors.items()}


ATTENTION_HEADS, ATTENTION_WIDTH, ATTENTION_LENGTHS = 3, 12, (1, 4, 7)


def attention_tensors(generator):
    """Packed sequences of several lengths; a sequence attends to itself alone."""
    rows = sum(ATTENTION_LENGTHS)
    qkv = exact_normal(generator, rows, 3 * ATTENTION_WIDTH)
    y_grad = exact_normal(generator, rows, ATTENTION_WIDTH)
    head_width = ATTENTION_WIDTH // ATTENTION_HEADS
    pieces = []
    for sequence in qkv.split(ATTENTION_LENGTHS):
        q, k, v = (part.split(head_width, dim=1) for part in sequence.split(ATTENTION_WIDTH, dim=1))
        heads = [
            torch.softmax(q[h] @ k[h].T / head_width**0.5, dim=1) @ v[h]
            for h in range(ATTENTION_HEADS)
        ]
        pieces.append(torch.cat(heads, dim=1))
    y = torch.cat(pieces)
    y.backward(y_grad)
    return {
        "attention.offsets": torch.tensor((0,) + ATTENTION_LENGTHS).cumsum(0),
        "attention.qkv": qkv,
        "attention.y": y,
        "attention.y_grad": y_grad,
        "attention.qkv_grad": qkv.grad,
    }


def ops_tensors():
    generator = torch.Generator().manual_seed(5)
    return {
        **gelu_tensors(generator),
        **layer_norm_tensors(generator),
        **attention_tensors(generator),
        "positions.4x3x20": positions((4, 3), 20),
        "positions.2x5x8": positions((2, 5), 8),
    }


def all_fixtures():
    """Yields (file name, tensors, metadata)."""
    for name, case in CASES.items():
        yield f"{name}.safetensors", model_tensors(name, case), model_metadata(case)
    metadata = {"norm_epsilon": str(NORM_EPSILON), "attention_heads": str(ATTENTION_HEADS)}
    yield "ops.safetensors", ops_tensors(), metadata


def check_file(path, tensors, metadata):
    """The file holds `tensors`, to the rounding that versions of PyTorch may differ by."""
    stored, stored_metadata = safetensors_file.load(path)
    if stored_metadata != metadata or list(stored) != list(tensors):
        sys.exit(f"make_fixtures: {path} has other metadata or other tensors")
    for name, value in tensors.items():
        if stored[name].shape != value.shape:
            sys.exit(f"make_fixtures: {path}: {name} has another shape")
        expect_close(f"{path}: {name}", stored[name].double(), value.double(), 1e-7, 1e-6)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    folder = Path(__file__).resolve().parent / "fixtures"
    for file_name, tensors, metadata in all_fixtures():
        path = folder / file_name
        if check:
            check_file(path, tensors, metadata)
        else:
            safetensors_file.save(path, tensors, metadata)
        print(f"{file_name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
