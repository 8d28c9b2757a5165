"""The masked autoencoder of He et al. 2021 (arXiv 2111.06377) in plain PyTorch, written twice.

`forward_batched` goes the official way: a convolution embeds every patch, an argsort of noise
shuffles the tokens, gathers put the mask tokens back. It needs equal counts of visible patches and
no absent ones. `forward_packed` goes another way: image by image, on the patches that matter alone,
in ascending position, with products in patch order, PyTorch's own multi-head attention, and layer
norm and GELU from their definitions. It takes any counts. They must agree: a slip in one is found.

Both take parameters by their official names and give `Outputs`, whose rows are packed: all images'
rows one after the other, in ascending position within an image, an encoder's class token first.

Shapes: B images, H rows, W columns, C channels, N patches, P values a patch (p q C), D and d the
encoder's and the decoder's width, R = sum of (visible + 1), T = sum of targets over the batch.
"""

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

NORM_EPSILON = 1e-6
TARGET_EPSILON = 1e-6


@dataclass(frozen=True)
class Stack:
    depth: int
    width: int
    heads: int


@dataclass(frozen=True)
class Config:
    image: tuple  # (H, W, C)
    patch: tuple  # (p, q)
    encoder: Stack
    decoder: Stack

    @property
    def grid(self):
        return self.image[0] // self.patch[0], self.image[1] // self.patch[1]

    @property
    def patches(self):
        return self.grid[0] * self.grid[1]

    @property
    def patch_values(self):
        return self.patch[0] * self.patch[1] * self.image[2]


@dataclass(frozen=True)
class Mask:
    """Per image, ascending: the positions seen and those predicted. The rest is absent."""

    visible: list
    target: list

    @staticmethod
    def from_noise(noise, visible, target):
        """Noise (B, N), counts (B): the lowest `visible` are seen, the next `target` predicted."""
        order = torch.argsort(noise, dim=1)
        return Mask(
            [row[:v].sort().values for row, v in zip(order, visible)],
            [row[v : v + t].sort().values for row, v, t in zip(order, visible, target)],
        )

    def is_uniform(self, patches):
        counts = {(len(v), len(t)) for v, t in zip(self.visible, self.target)}
        return len(counts) == 1 and sum(next(iter(counts))) == patches

    def as_matrix(self, patches):
        """(B, N): 1 where predicted, otherwise 0."""
        matrix = torch.zeros(len(self.target), patches)
        for row, positions in zip(matrix, self.target):
            row[positions] = 1
        return matrix


@dataclass
class Outputs:
    patch_embedding: torch.Tensor  # (B, N, D), of every patch, before positions
    latent: torch.Tensor  # (R, D), after the encoder's norm
    pred: torch.Tensor  # (T, P)
    target: torch.Tensor  # (T, P), normalised per patch
    loss: torch.Tensor  # (), the mean over targets of the mean squared error over P
    loss_pixels: torch.Tensor  # (), the same against plain pixels


def positions(grid, width):
    """The frozen 2-D sin-cos table (1, N + 1, width): columns first; zero for the class token."""
    rows, columns = grid
    omega = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    y = torch.arange(rows, dtype=torch.float64).repeat_interleave(columns)[:, None] * omega
    x = torch.arange(columns, dtype=torch.float64).repeat(rows)[:, None] * omega
    table = torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=1)
    return functional.pad(table, (0, 0, 1, 0))[None]


def random_parameters(config, generator):
    """Every parameter by its official name, in float32: none at a value that hides a path."""

    def normal(*shape, mean=0.0, deviation=1.0):
        return torch.randn(shape, generator=generator) * deviation + mean

    parameters = {}

    def linear(name, outputs, inputs):
        parameters[f"{name}.weight"] = normal(outputs, inputs, deviation=inputs**-0.5)
        parameters[f"{name}.bias"] = normal(outputs, deviation=0.1)

    def norm(name, width):
        parameters[f"{name}.weight"] = normal(width, mean=1.0, deviation=0.2)
        parameters[f"{name}.bias"] = normal(width, deviation=0.1)

    def blocks(name, stack):
        for i in range(stack.depth):
            norm(f"{name}.{i}.norm1", stack.width)
            linear(f"{name}.{i}.attn.qkv", 3 * stack.width, stack.width)
            linear(f"{name}.{i}.attn.proj", stack.width, stack.width)
            norm(f"{name}.{i}.norm2", stack.width)
            linear(f"{name}.{i}.mlp.fc1", 4 * stack.width, stack.width)
            linear(f"{name}.{i}.mlp.fc2", stack.width, 4 * stack.width)

    encoder, decoder = config.encoder, config.decoder
    # As small as the official initialiser makes it: the norm's epsilon shows in its row.
    parameters["cls_token"] = normal(1, 1, encoder.width, deviation=0.02)
    parameters["pos_embed"] = positions(config.grid, encoder.width).float()
    channels, extent = config.image[2], config.patch
    weight = normal(encoder.width, channels, *extent, deviation=config.patch_values**-0.5)
    parameters["patch_embed.proj.weight"] = weight
    parameters["patch_embed.proj.bias"] = normal(encoder.width, deviation=0.1)
    blocks("blocks", encoder)
    norm("norm", encoder.width)
    linear("decoder_embed", decoder.width, encoder.width)
    parameters["mask_token"] = normal(1, 1, decoder.width, deviation=0.3)
    parameters["decoder_pos_embed"] = positions(config.grid, decoder.width).float()
    blocks("decoder_blocks", decoder)
    norm("decoder_norm", decoder.width)
    linear("decoder_pred", config.patch_values, decoder.width)
    return parameters


def is_frozen(name):
    return name in ("pos_embed", "decoder_pos_embed")


# --- The official way ----------------------------------------------------------------------------


def _linear(parameters, name, x):
    return functional.linear(x, parameters[f"{name}.weight"], parameters[f"{name}.bias"])


def _layer_norm(parameters, name, x):
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    return functional.layer_norm(x, x.shape[-1:], weight, bias, NORM_EPSILON)


def _attention(qkv, heads):
    """(B, T, 3D) to (B, T, D); q, k and v are thirds of a row, heads are pieces of a third."""
    images, tokens, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    parts = qkv.reshape(images, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    q, k, v = parts.unbind(0)  # (B, heads, T, D / heads)
    weights = (q @ k.transpose(-2, -1) * (width // heads) ** -0.5).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).reshape(images, tokens, width)


def _stack_batched(parameters, name, stack, x):
    for i in range(stack.depth):
        block = f"{name}.{i}"
        normed = _layer_norm(parameters, f"{block}.norm1", x)
        qkv = _linear(parameters, f"{block}.attn.qkv", normed)
        x = x + _linear(parameters, f"{block}.attn.proj", _attention(qkv, stack.heads))
        normed = _layer_norm(parameters, f"{block}.norm2", x)
        hidden = functional.gelu(_linear(parameters, f"{block}.mlp.fc1", normed))
        x = x + _linear(parameters, f"{block}.mlp.fc2", hidden)
    return x


def patchify(images, patch):
    """(B, H, W, C) to (B, N, P): rows of patches, columns, then pixel rows, columns, channels."""
    count, height, width, channels = images.shape
    p, q = patch
    x = images.reshape(count, height // p, p, width // q, q, channels).transpose(2, 3)
    return x.reshape(count, -1, p * q * channels)


def _normalise(patches):
    mean, variance = patches.mean(dim=-1, keepdim=True), patches.var(dim=-1, keepdim=True)
    return (patches - mean) / (variance + TARGET_EPSILON) ** 0.5


def forward_batched(config, parameters, images, noise, visible):
    """The official code's path: images (B, H, W, C), noise (B, N), `visible` patches an image."""
    weight, bias = parameters["patch_embed.proj.weight"], parameters["patch_embed.proj.bias"]
    embedded = functional.conv2d(images.permute(0, 3, 1, 2), weight, bias, stride=config.patch)
    embedded = embedded.flatten(2).transpose(1, 2)
    shuffled = torch.argsort(noise, dim=1)
    restore = torch.argsort(shuffled, dim=1)
    keep = shuffled[:, :visible]

    def take(x, index):
        return torch.gather(x, 1, index[:, :, None].expand(-1, -1, x.shape[2]))

    pos_embed = parameters["pos_embed"]
    x = take(embedded + pos_embed[:, 1:], keep)
    cls_tokens = (parameters["cls_token"] + pos_embed[:, :1]).expand(len(images), -1, -1)
    x = _stack_batched(parameters, "blocks", config.encoder, torch.cat([cls_tokens, x], dim=1))
    latent = _layer_norm(parameters, "norm", x)

    x = _linear(parameters, "decoder_embed", latent)
    hidden = parameters["mask_token"].expand(len(images), config.patches - visible, -1)
    x = torch.cat([x[:, :1], take(torch.cat([x[:, 1:], hidden], dim=1), restore)], dim=1)
    x = x + parameters["decoder_pos_embed"]
    x = _stack_batched(parameters, "decoder_blocks", config.decoder, x)
    pred = _linear(parameters, "decoder_pred", _layer_norm(parameters, "decoder_norm", x))[:, 1:]

    mask = (restore >= visible).to(images.dtype)
    pixels = patchify(images, config.patch)
    target = _normalise(pixels)

    def loss(wanted):
        return (((pred - wanted) ** 2).mean(dim=-1) * mask).sum() / mask.sum()

    ascending = functional.pad(torch.argsort(keep, dim=1) + 1, (1, 0))  # the class token first
    predicted = mask.bool()
    return Outputs(
        patch_embedding=embedded,
        latent=take(latent, ascending).flatten(0, 1),
        pred=pred[predicted],
        target=target[predicted],
        loss=loss(target),
        loss_pixels=loss(pixels),
    )


# --- The other way -------------------------------------------------------------------------------


def _norm_by_definition(parameters, name, x):
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    return centred / torch.sqrt(variance + NORM_EPSILON) * weight + bias


def _gelu_by_definition(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _attention_by_pytorch(parameters, name, heads, x):
    """(T, D) to (T, D), the output projection included."""
    return functional.multi_head_attention_forward(
        x[:, None],
        x[:, None],
        x[:, None],
        embed_dim_to_check=x.shape[1],
        num_heads=heads,
        in_proj_weight=parameters[f"{name}.qkv.weight"],
        in_proj_bias=parameters[f"{name}.qkv.bias"],
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=parameters[f"{name}.proj.weight"],
        out_proj_bias=parameters[f"{name}.proj.bias"],
        need_weights=False,
    )[0][:, 0]


def _stack_packed(parameters, name, stack, x):
    for i in range(stack.depth):
        block = f"{name}.{i}"
        normed = _norm_by_definition(parameters, f"{block}.norm1", x)
        x = x + _attention_by_pytorch(parameters, f"{block}.attn", stack.heads, normed)
        normed = _norm_by_definition(parameters, f"{block}.norm2", x)
        hidden = _gelu_by_definition(_linear(parameters, f"{block}.mlp.fc1", normed))
        x = x + _linear(parameters, f"{block}.mlp.fc2", hidden)
    return x


def _patches_by_unfold(image, patch):
    """(H, W, C) to (N, P): PyTorch's unfold is channel-slowest, a patch here channel-fastest."""
    channels = image.shape[2]
    columns = functional.unfold(image.permute(2, 0, 1)[None], patch, stride=patch)[0]  # (C p q, N)
    return columns.reshape(channels, -1, columns.shape[1]).permute(2, 1, 0).flatten(1)


def forward_packed(config, parameters, images, mask):
    """Image by image: images (B, H, W, C), a `Mask` of any counts."""
    weight = parameters["patch_embed.proj.weight"].permute(0, 2, 3, 1).flatten(1)  # (D, P)
    pos_embed, decoder_pos_embed = parameters["pos_embed"][0], parameters["decoder_pos_embed"][0]
    embedded, latents, preds, pixels = [], [], [], []
    for image, visible, target in zip(images, mask.visible, mask.target):
        patches = _patches_by_unfold(image, config.patch)
        embedded.append(patches @ weight.T + parameters["patch_embed.proj.bias"])
        tokens = embedded[-1][visible] + pos_embed[1 + visible]
        tokens = torch.cat([parameters["cls_token"][0] + pos_embed[:1], tokens])
        tokens = _stack_packed(parameters, "blocks", config.encoder, tokens)
        latents.append(_norm_by_definition(parameters, "norm", tokens))

        seen = _linear(parameters, "decoder_embed", latents[-1])
        hidden = parameters["mask_token"][0].expand(len(target), -1)
        place = torch.cat([torch.zeros(1, dtype=torch.long), 1 + visible, 1 + target])
        rows = torch.cat([seen, hidden]) + decoder_pos_embed[place]
        rows = _stack_packed(parameters, "decoder_blocks", config.decoder, rows)[len(seen) :]
        rows = _norm_by_definition(parameters, "decoder_norm", rows)
        preds.append(_linear(parameters, "decoder_pred", rows))
        pixels.append(patches[target])

    pred, pixels = torch.cat(preds), torch.cat(pixels)
    target = _normalise(pixels)
    return Outputs(
        patch_embedding=torch.stack(embedded),
        latent=torch.cat(latents),
        pred=pred,
        target=target,
        loss=(pred - target).square().mean(),
        loss_pixels=(pred - pixels).square().mean(),
    )
